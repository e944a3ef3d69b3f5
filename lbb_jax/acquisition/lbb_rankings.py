"""What lazy greedy ranks points by in Large BatchBALD: their gains, or their keys in a race.

The gain of a point is what it adds to the batch, in nats. Its rank is what it is picked by, the gain itself for LBB and
a key in a race for Power LBB; lazy greedy calls the rank the point's worth.

A point's information with each pick has a lower bound that is an inner product (`lbb_jax.chi_squared`). `Ranking`
lowers what it knows of points by these bounds, for the front after each pick and for the whole pool when a new front is
chosen. Pairs are evaluated only for points that then are still ahead.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import chi_squared
from lbb_jax.acquisition import lazy_greedy
from lbb_jax.acquisition.lazy_greedy import Known, Rules, Search
from lbb_jax.acquisition.shared_information import GrowingBatch, SharedInformation
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
      redundancy: Their redundancy with the picks that they were evaluated with, ``[n]``.
      ranks: Their ranks at that redundancy, ``[n]``.
      pending: A lower bound, ``[n]``. With the tree: of the redundancy with the first ``num_bounded`` picks. With the
        sum: of what those of these picks that are not yet evaluated will add to ``redundancy``.
      num_bounded: How many picks, from the first on, ``pending`` takes account of; ``[n]`` int32.
    """

    redundancy: Float[Array, " n"]
    ranks: Float[Array, " n"]
    pending: Float[Array, " n"]
    num_bounded: Int32[Array, " n"]


class PoolMoments(NamedTuple):
    """The moments of the whole pool, once they were needed.

    Attributes:
      are_known: ``[]`` bool.
      moments: ``[D, N]`` and ``[E, N]``; 0 before they are known.
    """

    are_known: Bool[Array, ""]
    moments: Moments


class Ranking:
    """Ranks points by their gain, or by what the gains make of an earlier rank.

    Args:
      pool: The pool.
      first_ranks: What the first pick is chosen by, ``[N]``.
      later_ranks: ``(points[n], ranks[n], gains[n], lowered_gains[n], picked_rank[n]) -> [n]``: the ranks after picks
        of the rank ``picked_rank`` or higher have lowered ``gains`` to ``lowered_gains``. A higher lowered gain never
        gives a lower rank.
      has_memory: Whether a rank depends on when the gain fell.
    """

    def __init__(
        self,
        pool: SharedInformation,
        first_ranks: Float[Array, " N"],
        later_ranks: Callable[..., Float[Array, " n"]],
        *,
        has_memory: bool,
    ):
        self.pool, self.first_ranks, self.later_ranks = pool, first_ranks, later_ranks
        self._has_memory = has_memory

    def begin(self, available: Bool[Array, " N"], batch: GrowingBatch, *, front_size: int) -> Search:
        """A search before the first pick."""
        num_points, nothing = len(available), jnp.zeros_like(self.pool.scores)
        state = Shared(nothing, self.first_ranks, nothing, jnp.zeros(num_points, jnp.int32))
        moments = jax.tree.map(lambda leaf: jnp.zeros((len(leaf), num_points), leaf.dtype), batch.moments)
        kept = PoolMoments(jnp.array(False), moments)
        ranks = jnp.where(available, self.first_ranks, -jnp.inf)
        return lazy_greedy.begin(ranks, state, self.rules(batch), kept=kept, front_size=front_size)

    def rules(self, batch: GrowingBatch) -> Rules:
        """How points are evaluated, given the batch so far."""
        pool = self.pool
        refreshes_next = pool.is_tree or not pool.has_moments
        return Rules(
            functools.partial(self._refresh_next if refreshes_next else self._refresh_sum, batch),
            functools.partial(_enter, pool),
            functools.partial(self._lower, batch) if pool.has_moments else lambda known, kept: (known, kept),
            # A refresh evaluates a point with one pick, or with all that it has not seen.
            lambda new, old: jnp.ones_like(new.num_seen) if refreshes_next else new.num_seen - old.num_seen,
            pool.numbers_of_a_pair,
        )

    def after_pick(self, search: Search, batch: GrowingBatch) -> Search:
        """Lowers the bounds of the front by those of its pairs with the last pick."""
        pool, front, last = self.pool, search.front, batch.size - 1
        if not pool.has_moments:
            return search
        moments, state, num_seen = _columns(search.details.moments), front.state, front.num_seen
        picked = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, last, 1, axis=1), batch.moments)
        pending = pool.add(state.pending, chi_squared.lower_bounds(moments, picked)[0])
        bounds = self._lowered(search.points, front.bounds, search.details.scores, state, pending, batch.ranks[last])
        if pool.is_tree:
            # A pick that shares less with a point than another one changes nothing for it.
            changes_nothing = (num_seen == last) & (pool.most(moments, picked)[0] <= state.redundancy)
            num_seen = jnp.where(changes_nothing, batch.size, num_seen)
        state = state._replace(pending=pending, num_bounded=jnp.full_like(num_seen, batch.size))
        return search._replace(front=Known(bounds, num_seen, state))

    def _lowered(
        self,
        points: Int32[Array, " n"],
        bounds: Float[Array, " n"],
        scores: Float[Array, " n"],
        state: Shared,
        pending: Float[Array, " n"],
        picked_rank: Float[Array, ""],
    ) -> Float[Array, " n"]:
        """Bounds of the ranks of points that share at least ``pending[n]`` from the pick of that rank on."""
        pool = self.pool
        gains, lowered = (pool.gain(scores, pool.add(state.redundancy, least)) for least in (state.pending, pending))
        picked_ranks = jnp.broadcast_to(picked_rank, bounds.shape)
        ranks = self.later_ranks(points, bounds, gains, lowered, picked_ranks)
        # Points that are out stay out, whatever their rows hold.
        return jnp.where(bounds > -jnp.inf, jnp.minimum(bounds, ranks), bounds)

    def _lower(self, batch: GrowingBatch, known: Known, kept: PoolMoments) -> tuple[Known, PoolMoments]:
        """Lowers the bounds of the whole pool by those of its pairs with all picks."""
        pool, num_points = self.pool, len(known.bounds)
        moments = jax.lax.cond(kept.are_known, lambda: kept.moments, lambda: pool.moments_of(pool.log_probs))
        size = rows_per_chunk(_PICKS_AT_A_TIME * sum(map(len, moments)), num_points)

        def of_chunk(start: jax.Array) -> tuple[jax.Array, jax.Array]:
            points = start + jnp.arange(size, dtype=jnp.int32)
            rows, scores = jax.tree.map(
                lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), (known, pool.scores)
            )
            columns = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size, axis=1), moments)
            return self._lower_points(batch, points, rows, scores, columns)

        bounds, pending = map_chunks(of_chunk, num_points, size)
        state = known.state._replace(pending=pending, num_bounded=jnp.full_like(known.num_seen, batch.size))
        return Known(bounds, known.num_seen, state), PoolMoments(jnp.array(True), moments)

    def _lower_points(
        self,
        batch: GrowingBatch,
        points: Int32[Array, " n"],
        known: Known,
        scores: Float[Array, " n"],
        moments: Moments,
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Bounds and pending redundancy of points with all picks, a few of which are added at a time."""
        pool, width = self.pool, min(_PICKS_AT_A_TIME, self.pool.batch_size)
        state = known.state
        first = jnp.min(state.num_bounded)

        def see(turn: jax.Array, ranked: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            bounds, pending = ranked
            start = first + width * turn
            place = jnp.minimum(start, pool.batch_size - width)
            picked = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, place, width, axis=1), batch.moments)
            numbers = (place + jnp.arange(width, dtype=jnp.int32))[:, None]
            is_new = (numbers >= start) & (numbers < batch.size)
            is_new = is_new & (numbers >= jnp.maximum(state.num_bounded, known.num_seen)[None])
            more = pool.add_all(pending, jnp.where(is_new, chi_squared.lower_bounds(moments, picked), 0))
            last = batch.ranks[jnp.minimum(start + width, batch.size) - 1]
            return self._lowered(points, bounds, scores, state._replace(pending=pending), more, last), more

        num_turns = (batch.size - first + width - 1) // width
        return jax.lax.fori_loop(0, num_turns, see, (known.bounds, state.pending))

    def _refresh_next(self, batch: GrowingBatch, points: Int32[Array, " n"], known: Known, details: Details) -> Known:
        """Evaluates each point with the next pick that can change its rank."""
        pool, state = self.pool, known.state
        least = state.redundancy if self._has_memory else jnp.maximum(state.redundancy, state.pending)
        number, is_needed = _next_pick(pool, batch, details, known.num_seen, least)
        redundancy = pool.add(state.redundancy, pool.pairs(points, details.moments, number, batch))
        redundancy = jnp.where(is_needed, redundancy, state.redundancy)
        gains, lowered = (pool.gain(details.scores, shared) for shared in (state.redundancy, redundancy))
        ranks = self.later_ranks(points, state.ranks, gains, lowered, batch.ranks[number])
        ranks = jnp.where(is_needed, ranks, state.ranks)
        num_seen = jnp.where(is_needed, number + 1, batch.size)
        # Once all picks are seen, the bound is the rank itself.
        bounds = jnp.where(num_seen < batch.size, jnp.minimum(known.bounds, ranks), ranks)
        return Known(bounds, num_seen, state._replace(redundancy=redundancy, ranks=ranks))

    def _refresh_sum(self, batch: GrowingBatch, points: Int32[Array, " n"], known: Known, details: Details) -> Known:
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

        def add(number: jax.Array, ranked: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            redundancy, ranks = ranked
            more = jnp.where(num_seen <= number, redundancy + pairs[:, number], redundancy)
            gains, lowered = (pool.gain(details.scores, shared) for shared in (redundancy, more))
            picked_ranks = jnp.broadcast_to(batch.ranks[number], ranks.shape)
            later = self.later_ranks(points, ranks, gains, lowered, picked_ranks)
            return more, jnp.where(num_seen <= number, later, ranks)

        num_turns = (ends[-1] + len(points) - 1) // len(points)
        pairs = jnp.zeros((len(points), pool.batch_size), pool.log_probs.dtype)
        pairs = jax.lax.fori_loop(0, num_turns, evaluate, pairs)
        # One by one, whenever a point was evaluated, so that exact copies keep the same rank.
        first = (known.state.redundancy, known.state.ranks)
        redundancy, ranks = jax.lax.fori_loop(jnp.min(num_seen), batch.size, add, first)
        seen = jnp.broadcast_to(batch.size, num_seen.shape)
        return Known(ranks, seen, Shared(redundancy, ranks, jnp.zeros_like(redundancy), seen))


def _enter(pool: SharedInformation, points: Int32[Array, " n"], known: Known) -> Details:
    """Details of points that join the front."""
    del known
    return Details(pool.scores[points], _columns(pool.moments_of(pool.log_probs[points])))


def _next_pick(
    pool: SharedInformation,
    batch: GrowingBatch,
    details: Details,
    num_seen: Int32[Array, " n"],
    least: Float[Array, " n"],
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
