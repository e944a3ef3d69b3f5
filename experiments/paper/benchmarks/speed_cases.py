"""What must stay fast: each case timed in turn with a unit of work, so that another machine gives about the same ratio.

Acquisition is timed beside a pass of BALD over the same pool, training and prediction beside a product of matrices.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax import acquisition
from lbb_jax.json_lines import Record
from paper.benchmarks import predictions, training_cases
from paper.benchmarks.acquisition_cases import bald_pass
from paper.benchmarks.timing import fastest_beside

_MATRIX_SIZE = 1024
_STREAM_BLOCK, _STREAM_BLOCKS = 2**16, 8
_TREE = {"redundancy": "tree"}

Call = Callable[[], Any]


class SpeedCase(NamedTuple):
    """What is timed.

    Attributes:
      name: Its name, by which results are compared.
      unit_name: What it is timed beside.
      make: Makes the two calls: what is timed, and the unit. Both are compiled by their first call.
    """

    name: str
    unit_name: str
    make: Callable[[], tuple[Call, Call]]


def cases() -> tuple[SpeedCase, ...]:
    """All cases, quick ones first; none has made anything yet."""
    paper, many_classes, many_draws = (49_980, 5, 10), (10_000, 5, 100), (5_000, 100, 10)
    return (
        *(_acquisition(paper, method, 10) for method in ("bald", "power_bald", "log_det")),
        *(_acquisition(paper, "lbb", size, _TREE) for size in (10, 100)),
        _acquisition(paper, "lbb", 100, _TREE | {"pairs": "chi2"}),
        *(_acquisition(paper, method, 10) for method in ("lbb", "power_lbb")),
        _acquisition(paper, "batch_bald", 10, {"num_samples": 1_000}),
        _acquisition(many_classes, "lbb", 50, _TREE),
        _acquisition(many_draws, "lbb", 10, _TREE),
        _acquisition(many_draws, "log_det", 10),
        SpeedCase("stream, lbb, redundancy=tree, b=10", "BALD over the stream", _stream),
        _training("mnist_cnn", num_members=5, num_steps=3),
        SpeedCase("100 masks, 50 images, mnist_cnn", "matrix product", _masked_prediction),
    )


def measure(some: Sequence[SpeedCase], *, repetitions: int) -> Iterator[Record]:
    """Times cases and yields a record as each is done."""
    for case in some:
        function, unit = case.make()
        timing = fastest_beside(function, unit, repetitions=repetitions)
        yield {
            "case": case.name,
            "unit": case.unit_name,
            "ratio": round(timing.seconds / timing.unit_seconds, 3),
            "milliseconds": round(1e3 * timing.seconds, 3),
            "unit_milliseconds": round(1e3 * timing.unit_seconds, 3),
        }


def faults(records: Sequence[Record], stored: Sequence[Record], *, factor: float) -> dict[str, str]:
    """What is wrong with new records beside the stored ones, by the name of the case.

    Args:
      records: As `measure` yields them.
      stored: Earlier ones.
      factor: How many times its stored ratio makes a case too slow.
    """
    before = {record["case"]: record["ratio"] for record in stored}
    found = {}
    for record in records:
        name, ratio = record["case"], record["ratio"]
        if name not in before:
            found[name] = "has no stored ratio; store one with --save"
        elif ratio >= factor * before[name]:
            found[name] = f"takes {ratio:.2f} times its unit ({record['unit']}), and took {before[name]:.2f} times it"
    return found


def _acquisition(
    shape: tuple[int, int, int], method: str, size: int, options: Mapping[str, Any] | None = None
) -> SpeedCase:
    options = dict(options or {})
    parts = [method, *(f"{name}={value}" for name, value in options.items())]
    parts += [f"{letter}={number}" for letter, number in zip(("N", "K", "C", "b"), (*shape, size), strict=True)]

    def make() -> tuple[Call, Call]:
        log_probs, key, available = _pool(shape), jax.random.key(0), jnp.ones(shape[0], bool)
        pure = functools.partial(acquisition.find_method(method).function, batch_size=size, **options)
        pick = jax.jit(pure)
        return lambda: pick(key, log_probs, available), lambda: bald_pass(log_probs, batch_size=size)

    return SpeedCase(", ".join(parts), "BALD", make)


@functools.cache
def _pool(shape: tuple[int, int, int]) -> jax.Array:
    return jax.jit(predictions.generate, static_argnums=(1, 2, 3))(jax.random.key(0), *shape)


def _stream() -> tuple[Call, Call]:
    log_probs = _pool((_STREAM_BLOCK * _STREAM_BLOCKS, 5, 10))
    blocks = [log_probs[start : start + _STREAM_BLOCK] for start in range(0, len(log_probs), _STREAM_BLOCK)]
    acquire = functools.partial(
        acquisition.acquire_stream, jax.random.key(0), method="lbb", batch_size=10, redundancy="tree"
    )
    return lambda: acquire(iter(blocks)).indices, lambda: [bald_pass(block, batch_size=10) for block in blocks]


def _training(network: str, *, num_members: int, num_steps: int) -> SpeedCase:
    def make() -> tuple[Call, Call]:
        fit, _ = training_cases.compile_training(
            training_cases.CASES[network], num_members=num_members, members_at_once=1, num_steps=num_steps
        )
        return fit, _matrix_product()

    return SpeedCase(f"training, {network}, {num_members} networks, {num_steps} steps", "matrix product", make)


def _masked_prediction() -> tuple[Call, Call]:
    return training_cases.make_masked_prediction(num_images=50, num_draws=100)[0], _matrix_product()


def _matrix_product() -> Call:
    matrix = jax.random.normal(jax.random.key(0), (_MATRIX_SIZE, _MATRIX_SIZE))
    multiply = jax.jit(lambda matrix: matrix @ matrix)
    return lambda: multiply(matrix)
