"""Large BatchBALD and Power LBB: batches scored by BALD less what each pick shares with those before it.

The gain of a point ``x`` is ``I(y_x; θ)`` less its redundancy with the batch ``S`` picked so far:

* ``"pairwise"``: ``pair_weight * Σ_{s∈S} I(y_x; y_s)``, the greedy step of Eq. 2.12. The sum counts shared information
  many times over, so that after about ``log K`` nats of information every informative point has a negative gain, and
  points that the model is certain about, with gain 0, are picked next. The scores show it.
* ``"tree"``: ``max_{s∈S} I(y_x; y_s)``, the total correlation of a dependence tree (Chow and Liu, 1968) grown in the
  order of the picks. Its gains are never negative.

Both equal BatchBALD for batches of two, and their gains only fall as the batch grows. Equation numbers refer to
Rubashevskii, Kotova and Panov (SDM 2023), which counts every pair twice; that is ``pair_weight=2``.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax import arguments, information
from lbb_jax.acquisition import lazy, race
from lbb_jax.acquisition.pointwise import bald_scores
from lbb_jax.acquisition.selection import Acquisition, without_rounding
from lbb_jax.chunks import rows_per_chunk

REDUNDANCIES = ("pairwise", "tree")
# Pairs are evaluated in blocks of a multiple of 16: enough to keep the hardware busy, few enough to waste little.
_JOINT_PROBABILITIES_AT_A_TIME = 2**13


def large_batch_bald(
    key: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
) -> Acquisition:
    """Picks the point of the highest gain, again and again (LBB, Eq. 2.12).

    Args:
      key: Ignored: the method is deterministic.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      pair_weight: What each pair counts with ``redundancy="pairwise"``: 1 counts it once, 2 is the printed formula.
      redundancy: Static, ``"pairwise"`` or ``"tree"``.

    Returns:
      The picks; the scores are their gains in nats, those within 1e-6 of 0 as exactly 0.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    del key
    return pick_greedily(
        log_probs, available, batch_size=batch_size, pair_weight=pair_weight, redundancy=redundancy
    ).acquisition


def power_large_batch_bald(
    key: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    alpha: jax.Array | float = 1.0,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
) -> Acquisition:
    """Samples points one after the other with probability proportional to ``gain**alpha`` (Power LBB, Eq. 2.13).

    The sampling is a race (`lbb_jax.acquisition.race`), with one pair of random numbers for each point.

    Args:
      key: Random key, consumed. Each point has its own variates, whatever is available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      alpha: At least 0. At 0 every point is equally likely.
      pair_weight: What each pair counts with ``redundancy="pairwise"``: 1 counts it once, 2 is the printed formula.
      redundancy: Static, ``"pairwise"`` or ``"tree"``.

    Returns:
      The picks; the scores are their gains in nats. A gain below 1e-6 has probability 0; when no other is left, the
      picks are uniform.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    variates = race.variates(key, jnp.arange(len(log_probs)), log_probs.dtype)
    return pick_by_race(
        variates,
        log_probs,
        available,
        batch_size=batch_size,
        alpha=alpha,
        pair_weight=pair_weight,
        redundancy=redundancy,
    ).acquisition


class Picks(NamedTuple):
    """Picks, and what they took.

    Attributes:
      acquisition: The picks and their gains, ``[b]``.
      bounds: What each pick was ranked by when it was picked: its gain, or its key in the race; ``[b]``.
      num_pairs: Pairs of points whose mutual information was evaluated, ``[]`` int32.
    """

    acquisition: Acquisition
    bounds: jax.Array
    num_pairs: jax.Array


def pick_greedily(
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
) -> Picks:
    """The picks of `large_batch_bald`, whose arguments these are, with what they took."""

    def by_gain(changes: _Changes) -> jax.Array:
        return changes.lowered_gains

    scores = bald_scores(log_probs)
    return _pick_one_by_one(
        log_probs, available, scores, scores, by_gain, batch_size, pair_weight=pair_weight, redundancy=redundancy
    )


def pick_by_race(
    variates: race.Variates,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    alpha: jax.Array | float = 1.0,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
) -> Picks:
    """The picks of `power_large_batch_bald`, whose arguments these are, for the given ``variates[N]``."""

    def by_arrival(changes: _Changes) -> jax.Array:
        return race.later_keys(
            changes.bounds,
            jax.tree.map(lambda leaf: leaf[changes.points], variates),
            race.log_rate(changes.gains, alpha),
            race.log_rate(changes.lowered_gains, alpha),
            changes.picked_bounds,
        )

    scores = bald_scores(log_probs)
    keys = race.first_keys(variates, race.log_rate(scores, alpha))
    return _pick_one_by_one(
        log_probs, available, scores, keys, by_arrival, batch_size, pair_weight=pair_weight, redundancy=redundancy
    )


class _Changes(NamedTuple):
    """How a pick changes the gains of ``m`` points; each may learn of a pick of its own.

    Attributes:
      points: Indices ``[m]`` of the points.
      bounds: What they are ranked by so far, ``[m]``.
      gains: Their gains so far, ``[m]``.
      lowered_gains: Their gains after the pick, ``[m]``.
      picked_bounds: What the pick was ranked by, ``[m]``.
    """

    points: jax.Array
    bounds: jax.Array
    gains: jax.Array
    lowered_gains: jax.Array
    picked_bounds: jax.Array


def _pick_one_by_one(
    log_probs: jax.Array,
    available: jax.Array,
    scores: jax.Array,
    bounds: jax.Array,
    lowered_bounds: Callable[[_Changes], jax.Array],
    batch_size: int,
    *,
    pair_weight: jax.Array | float,
    redundancy: str,
) -> Picks:
    """Picks the point of the highest bound, again and again, lowering the gains and with them the bounds."""
    if redundancy not in REDUNDANCIES:
        raise ValueError(f"redundancy={redundancy!r}: must be one of {', '.join(map(repr, REDUNDANCIES))}")
    num_points, _, num_classes = log_probs.shape
    block_size = 16 * rows_per_chunk(16 * num_classes**2, num_points, _JOINT_PROBABILITIES_AT_A_TIME)
    # What remains of each point's score is kept unrounded, so that small losses add up.
    search = lazy.begin(jnp.where(available, bounds, -jnp.inf), scores)

    def pick(carry: tuple, num_picks: jax.Array) -> tuple[tuple, Acquisition]:
        search, picked, picked_bounds = carry

        def refresh(points: jax.Array, known: lazy.Candidates) -> lazy.Candidates:
            last = picked[known.num_seen]
            pairs = without_rounding(information.paired_mutual_information(log_probs[points], log_probs[last]))
            if redundancy == "tree":
                left = jnp.minimum(known.state, jnp.maximum(scores[points] - pairs, 0))
            else:
                left = known.state - pair_weight * pairs
            changes = _Changes(
                points,
                known.bounds,
                without_rounding(known.state),
                without_rounding(left),
                picked_bounds[known.num_seen],
            )
            return lazy.Candidates(lowered_bounds(changes), known.num_seen + 1, left)

        search = lazy.settle(search, refresh, num_picks, block_size=block_size)
        index, bound, left, search = lazy.take_best(search)
        gain = jnp.where(bound > -jnp.inf, without_rounding(left), -jnp.inf)
        picked, picked_bounds = picked.at[num_picks].set(index), picked_bounds.at[num_picks].set(bound)
        return (search, picked, picked_bounds), Acquisition(index, gain)

    carry = search, jnp.zeros(batch_size, jnp.int32), jnp.zeros(batch_size, bounds.dtype)
    (search, _, picked_bounds), acquisition = jax.lax.scan(pick, carry, jnp.arange(batch_size, dtype=jnp.int32))
    return Picks(acquisition, picked_bounds, search.num_evaluations)
