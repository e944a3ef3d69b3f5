"""What lazy greedy ranks points by in Large BatchBALD: their gains, or their keys in a race.

A point's information with each pick has a lower bound that is an inner product (`lbb_jax.chi_squared`). `GreedyRanking`
lowers what it knows of points by these bounds, for the front after each pick and for the whole pool when a new front is
chosen. Pairs are evaluated only for points that then are still ahead.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax.acquisition import exponential_race, lazy_greedy
from lbb_jax.acquisition.lazy_greedy import Known, Rules, Search
from lbb_jax.acquisition.shared_information import Batch, SharedInformation
from lbb_jax.batching import map_chunks, rows_per_chunk
from lbb_jax.chi_squared import Moments

# Picks whose bounds are computed at a time for the whole pool.
_PICKS_AT_A_TIME = 8


class Details(NamedTuple):
    """What is kept of the front's ``n`` points.

    Attributes:
      scores: BALD, ``[n]``.
      moments: For the bounds of their pairs, a row for each point, ``[n, D]`` and ``[n, E]``.
    """

    scores: Float[Array, " n"]
    moments: Moments


class Shared(NamedTuple):
    """What ``n`` points share with the batch.

    Attributes:
      redundancy: With the picks that they were evaluated with, ``[n]``.
      pending: With the tree, a lower bound of the redundancy with the first ``num_bounded`` picks; otherwise, of what
        those of them that are not evaluated will add; ``[n]``.
      num_bounded: ``[n]`` int32.
    """

    redundancy: Float[Array, " n"]
    pending: Float[Array, " n"]
    num_bounded: Int32[Array, " n"]


class GreedyRanking:
    """Ranks points by their gain."""

    def __init__(self, pool: SharedInformation):
        self.pool = pool

    def first_state(self) -> Shared:
        """What points share with an empty batch."""
        nothing = jnp.zeros_like(self.pool.scores)
        return Shared(nothing, nothing, jnp.zeros(len(nothing), jnp.int32))

    def rules(self, batch: Batch) -> Rules:
        """How points are evaluated, given the batch so far."""
        pool = self.pool
        return Rules(
            functools.partial(self._refresh_tree if pool.is_tree else self._refresh_sum, batch),
            functools.partial(_enter, pool),
            functools.partial(self._lower, batch) if pool.has_moments else lambda known: known,
            lazy_greedy.one_evaluation if pool.is_tree else _all_pairs,
            in_crowds=True,
        )

    def after_pick(self, search: Search, batch: Batch) -> Search:
        """Lowers the bounds of the front by those of its pairs with the last pick."""
        pool, front, last = self.pool, search.front, batch.size - 1
        if not pool.has_moments:
            return search
        moments = _columns(search.details.moments)
        picked = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, last, 1, axis=1), batch.moments)
        pending = pool.add(front.state.pending, pool.least(moments, picked)[0])
        num_seen = front.num_seen
        if pool.is_tree:
            # A pick that shares less with a point than another one changes nothing for it.
            changes_nothing = (num_seen == last) & (pool.most(moments, picked)[0] <= front.state.redundancy)
            num_seen = jnp.where(changes_nothing, batch.size, num_seen)
        state = Shared(front.state.redundancy, pending, jnp.full_like(num_seen, batch.size))
        return search._replace(front=self._bounded(front._replace(num_seen=num_seen), search.details.scores, state))

    def _bounded(self, known: Known, scores: Float[Array, " n"], state: Shared) -> Known:
        """What is known of points that share at least that with the batch."""
        gains = self.pool.gain(scores, self.pool.add(state.redundancy, state.pending))
        return known._replace(bounds=jnp.minimum(known.bounds, gains), state=state)

    def _lower(self, batch: Batch, known: Known) -> Known:
        """Lowers the bounds of the whole pool by those of its pairs with all picks."""
        pool = self.pool
        num_points, num_draws, num_classes = pool.log_probs.shape
        size = rows_per_chunk(num_draws * max(num_classes, num_draws), num_points)

        def pending_of(start: jax.Array) -> jax.Array:
            log_probs, state, num_seen = jax.tree.map(
                lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size),
                (pool.log_probs, known.state, known.num_seen),
            )
            return self._pending(batch, pool.moments_of(log_probs), state, num_seen)

        pending = map_chunks(pending_of, num_points, size)
        state = Shared(known.state.redundancy, pending, jnp.full_like(known.num_seen, batch.size))
        return self._bounded(known, pool.scores, state)

    def _pending(
        self, batch: Batch, moments: Moments, state: Shared, num_seen: Int32[Array, " n"]
    ) -> Float[Array, " n"]:
        """The lower bound ``[n]`` with all picks, a few of which are added at a time."""
        width = min(_PICKS_AT_A_TIME, self.pool.batch_size)
        first = jnp.min(state.num_bounded)

        def see(turn: jax.Array, pending: jax.Array) -> jax.Array:
            start = first + width * turn
            place = jnp.minimum(start, self.pool.batch_size - width)
            picked = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, place, width, axis=1), batch.moments)
            numbers = (place + jnp.arange(width, dtype=jnp.int32))[:, None]
            is_new = (numbers >= start) & (numbers < batch.size)
            is_new = is_new & (numbers >= jnp.maximum(state.num_bounded, num_seen)[None])
            return self.pool.add_all(pending, jnp.where(is_new, self.pool.least(moments, picked), 0))

        num_turns = (batch.size - first + width - 1) // width
        return jax.lax.fori_loop(0, num_turns, see, state.pending)

    def _refresh_tree(self, batch: Batch, points: Int32[Array, " m"], known: Known, details: Details) -> Known:
        """Evaluates each point with the next pick that could share more with it than those that it is known to."""
        pool, state = self.pool, known.state
        number, is_needed = _next_pick(
            pool, batch, details, known.num_seen, jnp.maximum(state.redundancy, state.pending)
        )
        pairs = pool.pairs(points, details.moments, number, batch)
        redundancy = jnp.where(is_needed, jnp.maximum(state.redundancy, pairs), state.redundancy)
        num_seen = jnp.where(is_needed, number + 1, batch.size)
        # Once all picks are seen, the bound is the gain itself.
        known_redundancy = jnp.where(num_seen < batch.size, jnp.maximum(redundancy, state.pending), redundancy)
        return Known(pool.gain(details.scores, known_redundancy), num_seen, state._replace(redundancy=redundancy))

    def _refresh_sum(self, batch: Batch, points: Int32[Array, " m"], known: Known, details: Details) -> Known:
        """Evaluates points with all picks: a sum over pairs is known only when every pair is.

        The pairs that are missing are numbered point by point, and as many are evaluated at a time as there are points.
        """
        pool, num_seen = self.pool, known.num_seen
        num_missing = batch.size - num_seen
        ends = jnp.cumsum(num_missing)

        def evaluate(turn: jax.Array, pairs: jax.Array) -> jax.Array:
            missing = len(points) * turn + jnp.arange(len(points), dtype=jnp.int32)
            rows = jnp.minimum(jnp.searchsorted(ends, missing, side="right"), len(points) - 1)
            numbers = jnp.minimum(missing - ends[rows] + batch.size, batch.size - 1)
            moments = jax.tree.map(lambda leaf: leaf[rows], details.moments)
            new = pool.pairs(points[rows], moments, numbers, batch)
            return pairs.at[jnp.where(missing < ends[-1], rows, len(points)), numbers].set(new, mode="drop")

        def add(number: jax.Array, redundancy: jax.Array) -> jax.Array:
            return jnp.where(num_seen <= number, redundancy + pairs[:, number], redundancy)

        num_turns = (ends[-1] + len(points) - 1) // len(points)
        pairs = jnp.zeros((len(points), pool.batch_size), pool.log_probs.dtype)
        pairs = jax.lax.fori_loop(0, num_turns, evaluate, pairs)
        # One by one, whenever a point was evaluated, so that exact copies keep the same gain.
        redundancy = jax.lax.fori_loop(jnp.min(num_seen), batch.size, add, known.state.redundancy)
        seen = jnp.broadcast_to(batch.size, num_seen.shape)
        return Known(pool.gain(details.scores, redundancy), seen, Shared(redundancy, jnp.zeros_like(redundancy), seen))


class RaceState(NamedTuple):
    """What is kept of ``n`` points in a race.

    Attributes:
      redundancy: With the picks that they have seen, ``[n]``.
    """

    redundancy: Float[Array, " n"]


class RaceRanking:
    """Ranks points by their keys in a race (`lbb_jax.acquisition.exponential_race`)."""

    def __init__(self, pool: SharedInformation, variates: exponential_race.Variates, alpha: Float[Array, ""] | float):
        self.pool, self.variates, self.alpha = pool, variates, alpha

    def first_state(self) -> RaceState:
        """What points share with an empty batch."""
        return RaceState(jnp.zeros_like(self.pool.scores))

    def rules(self, batch: Batch) -> Rules:
        """How points are evaluated, given the batch so far."""
        return Rules(functools.partial(self._refresh, batch), functools.partial(_enter, self.pool))

    def after_pick(self, search: Search, batch: Batch) -> Search:
        """A pick lowers no key before its rate after the pick is known."""
        del batch
        return search

    def _refresh(self, batch: Batch, points: Int32[Array, " m"], known: Known, details: Details) -> Known:
        """Moves the key of each point by the next pick that could lower its rate."""
        pool, before = self.pool, known.state.redundancy
        number, is_needed = _next_pick(pool, batch, details, known.num_seen, before)
        redundancy = pool.add(before, pool.pairs(points, details.moments, number, batch))
        redundancy = jnp.where(is_needed, redundancy, before)
        keys = exponential_race.later_keys(
            known.bounds,
            jax.tree.map(lambda leaf: leaf[points], self.variates),
            exponential_race.log_rate(pool.gain(details.scores, before), self.alpha),
            exponential_race.log_rate(pool.gain(details.scores, redundancy), self.alpha),
            batch.ranks[number],
        )
        num_seen = jnp.where(is_needed, number + 1, batch.size)
        return Known(jnp.where(is_needed, keys, known.bounds), num_seen, RaceState(redundancy))


def _enter(pool: SharedInformation, points: Int32[Array, " m"], known: Known) -> Details:
    """Details of points that join the front."""
    del known
    return Details(pool.scores[points], _columns(pool.moments_of(pool.log_probs[points])))


def _next_pick(
    pool: SharedInformation, batch: Batch, details: Details, num_seen: Int32[Array, " n"], least: Float[Array, " n"]
) -> tuple[Int32[Array, " n"], Bool[Array, " n"]]:
    """The next pick that can change the redundancy of each point, of which ``least[n]`` is known.

    Returns:
      Its number in the batch ``[n]`` int32, and whether there is one, ``[n]``.
    """
    if not (pool.is_tree and pool.has_moments):
        return jnp.minimum(num_seen, pool.batch_size - 1), num_seen < batch.size
    numbers = jnp.arange(pool.batch_size, dtype=jnp.int32)[:, None]
    can_change = pool.most(_columns(details.moments), batch.moments) > least[None]
    can_change = can_change & (numbers >= num_seen[None]) & (numbers < batch.size)
    return jnp.argmax(can_change, axis=0).astype(jnp.int32), jnp.any(can_change, axis=0)


def _columns(moments: Moments) -> Moments:
    """Moments with the points along the other axis."""
    return jax.tree.map(jnp.transpose, moments)


def _all_pairs(new: Known, old: Known) -> Int32[Array, " m"]:
    """The pairs that one evaluation of a point takes, where it goes on to the last pick; ``[m]``."""
    return new.num_seen - old.num_seen
