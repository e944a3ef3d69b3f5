"""Large BatchBALD of third order: pairs and triples of Eq. 2.9, the 3-BALD of Kirsch (arXiv 2301.09490).

The gain of a point ``x`` is ``I(y_x; θ) - Σ_s I(y_x; y_s) + Σ_{s<t} I(y_x; y_s; y_t)`` over the batch's points: that
of BatchBALD up to three picks. Beyond, the series is cut off after a term that adds, so that gains can grow as the
batch does, where BatchBALD's only fall.

A triple takes ``C³`` joint probabilities, and there are ``b²/2`` of them for every point. But ``I(y_x; y_s; y_t)`` is
at most the information of any of its three pairs, and these are known. So each point has an upper bound of its gain,
and triples are evaluated, some points at a time, only until the best gain is above all other bounds.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import information, interaction
from lbb_jax.acquisition.selection import Acquisition, Ranked, best, remove
from lbb_jax.batching import rows_per_chunk
from lbb_jax.relative_entropy import centre

_MOST_POINTS_AT_A_TIME = 16
_JOINT_PROBABILITIES_AT_A_TIME = 2**20


class _Known(NamedTuple):
    """What is known of the pool.

    Attributes:
      pairs: Information of each point with each pick, 0 for picks to come; ``[N, b]``.
      triples: Sum of each point's triples with two of the first ``num_seen`` picks, ``[N]``.
      num_seen: ``[N]`` int32.
      pending: Upper bound of the sum of its other triples, ``[N]``.
      num_triples: Triples evaluated so far, ``[]`` int32.
    """

    pairs: Float[Array, "N b"]
    triples: Float[Array, " N"]
    num_seen: Int32[Array, " N"]
    pending: Float[Array, " N"]
    num_triples: Int32[Array, ""]


# The pool, what of it is available, and the picks.
_State = tuple[_Known, Bool[Array, " N"], Int32[Array, " b"]]


def pick_third_order(
    log_probs: Float[Array, "N K C"],
    available: Bool[Array, " N"],
    *,
    batch_size: int,
    pair_weight: Float[Array, ""] | float = 1.0,
) -> Ranked:
    """Picks the point of the highest gain, again and again.

    Args:
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      pair_weight: What each pair counts. Triples count once.

    Returns:
      The picks, with their gains in nats, and the number of triples that were evaluated.
    """
    num_points, num_classes = len(log_probs), log_probs.shape[2]
    scores = information.mutual_information(log_probs)
    rows = rows_per_chunk(num_classes**3, num_points, _JOINT_PROBABILITIES_AT_A_TIME)
    block_size = min(_MOST_POINTS_AT_A_TIME, rows)

    def point(index: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(log_probs, index, 1)

    def bounds_of(known: _Known) -> jax.Array:
        """Gains, or upper bounds of them."""
        return scores - pair_weight * jnp.sum(known.pairs, axis=1) + known.triples + known.pending

    def evaluate(known: _Known, available: jax.Array, picked: jax.Array, size: jax.Array) -> _Known:
        """Evaluates all triples of the points of the highest bounds with two picks."""
        _, block = jax.lax.top_k(jnp.where(available, bounds_of(known), -jnp.inf), block_size)
        points, num_seen = centre(log_probs[block]), known.num_seen[block]

        def with_third(last: jax.Array, triples: jax.Array) -> jax.Array:
            third = centre(point(picked[last]))

            def with_second(first: jax.Array, triples: jax.Array) -> jax.Array:
                pairs = known.pairs[block, first] + known.pairs[block, last] + known.pairs[picked[first], last]
                second = centre(point(picked[first]))
                shared = pairs - interaction.correlation_of_triples(points, second, third)
                return jnp.where(num_seen <= last, triples + shared, triples)

            return jax.lax.fori_loop(0, last, with_second, triples)

        triples = jax.lax.fori_loop(jnp.min(num_seen), size, with_third, known.triples[block])
        new = jnp.sum(size * (size - 1) // 2 - num_seen * (num_seen - 1) // 2, dtype=jnp.int32)
        return known._replace(
            triples=known.triples.at[block].set(triples),
            num_seen=known.num_seen.at[block].set(size),
            pending=known.pending.at[block].set(0),
            num_triples=known.num_triples + new,
        )

    def see(known: _Known, picked: jax.Array, size: jax.Array, index: jax.Array) -> _Known:
        """Adds the pairs of the pick number ``size``, and bounds of its triples with the earlier picks."""
        pairs = information.pairwise_mutual_information(log_probs, point(index))[:, 0]
        of_picks = jnp.where(jnp.arange(batch_size, dtype=jnp.int32) < size, pairs[picked], 0)
        most = jnp.minimum(jnp.minimum(known.pairs, pairs[:, None]), of_picks[None])
        return known._replace(pairs=known.pairs.at[:, size].set(pairs), pending=known.pending + jnp.sum(most, axis=1))

    def step(state: _State, size: jax.Array) -> tuple[_State, Acquisition]:
        known, available, picked = state

        def is_open(known: _Known) -> jax.Array:
            index, _ = best(bounds_of(known), available)
            return (index >= 0) & (known.num_seen[index] < size)

        known = jax.lax.while_loop(is_open, lambda known: evaluate(known, available, picked, size), known)
        index, gain = best(bounds_of(known), available)
        known = see(known, picked, size, index)
        return (known, remove(available, index), picked.at[size].set(index)), Acquisition(index, gain)

    nothing = jnp.zeros_like(scores)
    known = _Known(
        jnp.zeros((num_points, batch_size), scores.dtype),
        nothing,
        # One pick makes no triple.
        jnp.ones(num_points, jnp.int32),
        nothing,
        jnp.int32(0),
    )
    start = known, jnp.asarray(available), jnp.zeros(batch_size, jnp.int32)
    (known, *_), acquisition = jax.lax.scan(step, start, jnp.arange(batch_size, dtype=jnp.int32))
    return Ranked(acquisition, acquisition.scores, num_evaluations=known.num_triples)
