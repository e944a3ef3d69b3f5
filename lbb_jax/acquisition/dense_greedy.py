"""When greedy picking evaluates every point at every step, and the pairs that it evaluates then.

Lazy evaluation (`lbb_jax.acquisition.lazy_greedy`) saves most of the arithmetic, and pays with loops that end when the
data say so. An accelerator waits for the host at every turn of such a loop, about 10 microseconds, and a batch takes
hundreds of turns. A step of the dense form is one pass over the pool, or a matrix-vector product, and an argmax. On a
CPU that is faster for sums of pairs without lower bounds, most of which lazy evaluation takes as well, a few at a time.
`is_chosen` is the one place that decides between the two forms; their picks are the same.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from lbb_jax import arguments
from lbb_jax.batching import is_on_cpu, map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import centre

FORMS = ("auto", "lazy", "dense")
# Numbers that a step may compute for the dense form to be chosen: a few milliseconds on a large GPU.
_MOST_NUMBERS = 2**31
# The same on a CPU, where pairs have no bounds: some 10 milliseconds, which lazy evaluation would hardly save.
_MOST_NUMBERS_ON_CPU = 2**21
_LARGEST_CHUNK = 2**28
_MOST_DRAWS_UNROLLED = 16


def is_chosen(form: str, numbers_per_step: int, *, saves_little: bool = False) -> bool:
    """Whether picking takes the dense form.

    Args:
      form: ``"dense"`` or ``"lazy"``; ``"auto"`` for what suits the backend and the size.
      numbers_per_step: How many numbers the dense form computes at every step.
      saves_little: Whether lazy evaluation evaluates most pairs of some pools, so that it saves little.

    Raises:
      ValueError: For any other ``form``.
    """
    if arguments.check_choice("form", form, choices=FORMS) != "auto":
        return form == "dense"
    if is_on_cpu():
        return saves_little and numbers_per_step <= _MOST_NUMBERS_ON_CPU
    return numbers_per_step <= _MOST_NUMBERS


def weighted_pairs_with(
    log_probs: Float[Array, "N K C"], index: Int32[Array, ""], function: Callable[[Array], Array]
) -> Float[Array, " N"]:
    """``Σ_cd p̄_i(c) p̄_j(d) f(D_cd)`` of every point ``i`` with one point ``j``, ``[N]``; ``j`` is the ``index[]``.

    This is what `lbb_jax.information.weighted_pairs` computes; here it takes few large steps.
    """
    num_points, num_draws, num_classes = log_probs.shape
    size = rows_per_chunk(num_classes**2, num_points, _LARGEST_CHUNK)
    other = centre(jax.lax.dynamic_slice_in_dim(log_probs, index, 1))

    def of_chunk(start: jax.Array) -> jax.Array:
        points = centre(jax.lax.dynamic_slice_in_dim(log_probs, start, size))
        if num_draws <= _MOST_DRAWS_UNROLLED:
            # One fused pass: no product is ever written to memory.
            ratios = (points.ratios[:, draw, :, None] * other.ratios[:, draw, None] for draw in range(num_draws))
            products = sum(ratios, jnp.zeros((), points.mean.dtype))
        else:
            products = jnp.einsum("nkc,kd->ncd", points.ratios, other.ratios[0], precision=jax.lax.Precision.HIGHEST)
        weights = points.mean[:, :, None] * other.mean[:, None]
        return jnp.sum(weights * function(products / num_draws), axis=(1, 2))

    return map_chunks(of_chunk, num_points, size)
