"""Greedy picking that evaluates every point at every step, for hardware that a whole pool keeps busy.

Lazy evaluation (`lbb_jax.acquisition.lazy_greedy`) saves most of the arithmetic, and pays with loops that end when the
data say so. An accelerator waits for the host at every turn of such a loop, about 10 microseconds, and a batch takes
hundreds of turns. Here a step is one pass over the pool, or a matrix-vector product, and an argmax. On a CPU that is
faster for sums of pairs without lower bounds, most of which lazy evaluation takes as well, a few at a time. `is_chosen`
is the one place that decides between the two forms; their picks are the same.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax.acquisition.selection import Acquisition, best, remove
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
      saves_little: Whether lazy evaluation takes most pairs of some pools.

    Raises:
      ValueError: For any other ``form``.
    """
    if form not in FORMS:
        raise ValueError(f"form={form!r}: must be one of {', '.join(map(repr, FORMS))}")
    if form == "auto" and is_on_cpu():
        return saves_little and numbers_per_step <= _MOST_NUMBERS_ON_CPU
    if form == "auto":
        return numbers_per_step <= _MOST_NUMBERS
    return form == "dense"


class Redundancy(NamedTuple):
    """What points share with a batch, and what that leaves of their scores.

    Attributes:
      pairs_with: From the index ``[]`` of a point to what every point shares with it, ``[N]``.
      add: ``(redundancy[N], pairs[N]) -> [N]``: the redundancy with one more pick.
      gain: ``(scores[N], redundancy[N]) -> [N]``.
    """

    pairs_with: Callable[[Int32[Array, ""]], Float[Array, " N"]]
    add: Callable[[Float[Array, " N"], Float[Array, " N"]], Float[Array, " N"]]
    gain: Callable[[Float[Array, " N"], Float[Array, " N"]], Float[Array, " N"]]


def pick(
    scores: Float[Array, " N"],
    available: Bool[Array, " N"],
    redundancy: Redundancy,
    ranks: Float[Array, " N"],
    later_ranks: Callable[
        [Float[Array, " N"], Float[Array, " N"], Float[Array, " N"], Float[Array, ""]], Float[Array, " N"]
    ],
    *,
    batch_size: int,
) -> tuple[Acquisition, Float[Array, " b"]]:
    """Picks the point of the highest rank, again and again.

    Args:
      scores: Gains before any pick, ``[N]``.
      available: ``[N]`` bool.
      redundancy: What picks take from the scores.
      ranks: What the first pick is chosen by, ``[N]``.
      later_ranks: ``(ranks[N], gains[N], lowered_gains[N], picked_rank[]) -> [N]``: ranks after a pick.
      batch_size: Static.

    Returns:
      The picks with their gains, and what each was ranked by, ``[b]``.
    """

    def step(state: tuple[jax.Array, ...], _: None) -> tuple[tuple[jax.Array, ...], tuple[Acquisition, jax.Array]]:
        shared, gains, ranks, available = state
        index, rank = best(ranks, available)
        picked = Acquisition(index, jnp.where(index >= 0, gains[index], -jnp.inf))
        shared = redundancy.add(shared, redundancy.pairs_with(index))
        lowered = redundancy.gain(scores, shared)
        ranks = later_ranks(ranks, gains, lowered, rank)
        return (shared, lowered, ranks, remove(available, index)), (picked, rank)

    nothing = jnp.zeros_like(scores)
    first = (nothing, redundancy.gain(scores, nothing), ranks, jnp.asarray(available))
    return jax.lax.scan(step, first, length=batch_size)[1]


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
