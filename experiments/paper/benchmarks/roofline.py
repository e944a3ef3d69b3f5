"""What a device could do at best: its measured rates, and the operations and bytes that XLA counts in programs."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from paper.benchmarks.timing import seconds_of

_REPETITIONS = 5


class Rates(NamedTuple):
    """What a device was measured to do in a second.

    Attributes:
      bytes: Bytes read and written by a sum of an array and a number.
      float32: Operations of a float32 matrix product at the default precision of JAX.
      float32_exact: The same at the highest precision.
      bfloat16: The same in bfloat16.
    """

    bytes: float
    float32: float
    float32_exact: float
    bfloat16: float


class Cost(NamedTuple):
    """What a computation takes: floating-point operations, and bytes of memory read and written."""

    operations: float
    bytes: float

    def __add__(self, other: Any) -> "Cost":
        return Cost(self.operations + other.operations, self.bytes + other.bytes)

    def times(self, count: float) -> "Cost":
        """The cost of ``count`` such computations, of none where ``count`` is negative."""
        return Cost(max(count, 0) * self.operations, max(count, 0) * self.bytes)


def measure_rates(*, num_numbers: int, matrix_size: int) -> Rates:
    """The rates of the default device, each the best of some repetitions.

    Args:
      num_numbers: Length of the float32 array that is copied.
      matrix_size: Rows and columns of the matrices that are multiplied.
    """

    def rate(dtype: Any, precision: jax.lax.Precision | None) -> float:
        matrix = jax.random.normal(jax.random.key(0), (matrix_size, matrix_size)).astype(dtype)
        seconds = _fastest(lambda matrix: jnp.matmul(matrix, matrix, precision=precision), matrix)
        return 2 * matrix_size**3 / seconds

    copied = 8 * num_numbers / _fastest(lambda array: array + 1, jnp.zeros(num_numbers, jnp.float32))
    exact = jax.lax.Precision.HIGHEST
    return Rates(copied, rate(jnp.float32, None), rate(jnp.float32, exact), rate(jnp.bfloat16, None))


def cost_of(compiled: Any) -> Cost:
    """What XLA counts in a compiled program, the body of every loop once."""
    counted = compiled.cost_analysis() or {}
    return Cost(counted.get("flops", 0.0), counted.get("bytes accessed", 0.0))


def memory_of(compiled: Any) -> int:
    """The bytes that XLA plans for a program's arguments, temporaries and results; 0 where it does not say."""
    planned = compiled.memory_analysis()
    names = ("argument_size_in_bytes", "temp_size_in_bytes", "output_size_in_bytes")
    return 0 if planned is None else sum(getattr(planned, name) for name in names)


def least_seconds(cost: Cost, rates: Rates, dtype: str = "float32") -> float:
    """The time that memory or arithmetic, whichever takes longer, needs at these rates."""
    return max(cost.bytes / rates.bytes, cost.operations / getattr(rates, dtype))


def _fastest(function: Callable[[jax.Array], jax.Array], array: jax.Array) -> float:
    call = functools.partial(jax.jit(function), array)
    seconds_of(call)
    return min(seconds_of(call) for _ in range(_REPETITIONS))
