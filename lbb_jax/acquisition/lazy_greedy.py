"""Picking one point after the other while evaluating only those that can still win (lazy greedy; Minoux, 1978).

What a point is worth to a batch only falls as the batch grows. So what it was worth to an earlier, smaller batch is an
upper bound of what it is worth now, and a point whose bound is below another's present worth need not be evaluated.
The picks are those of evaluating every point at every step. What a point is worth is what the method picks by: its gain
in nats, or its rank where that is another number, such as a key in a race.

Bounds are kept for the whole pool. The highest of them are worked on apart, as the front, in small arrays; only when
a point outside the front could win is the front chosen anew. A few points are evaluated at a time, as most of them tell
that others need not be; where very many could still win, many at a time. All shapes are static.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PyTree, Shaped

from lbb_jax.acquisition.selection import NO_POINT

FRONT_SIZE = 2048
# Starting one more block costs about as much as computing this many numbers.
_NUMBERS_OF_A_BLOCK = 2**14

# What a method keeps of each of some points: arrays with a row for each.
PerPoint = PyTree[Shaped[Array, "..."]]


class Known(NamedTuple):
    """What is known of ``n`` points.

    Attributes:
      bounds: Upper bound of each point's worth, ``[n]``; its worth where all picks are seen, ``-inf`` where it is out.
      num_seen: How many picks, from the first on, each bound takes account of; ``[n]`` int32.
      state: What else a method keeps of each point, a pytree of arrays ``[n, ...]``.
    """

    bounds: Float[Array, " n"]
    num_seen: Int32[Array, " n"]
    state: PerPoint


class Search(NamedTuple):
    """A search for the best of ``N`` points, ``F`` of which are the front.

    Attributes:
      pool: All points; for those of the front, as they were when they joined it. ``[N]``.
      points: Indices of the front's points in the pool, ascending, ``[F]`` int32.
      front: What is known of the front's points, ``[F]``.
      details: What a method keeps of the front's points alone and never changes, a pytree of arrays ``[F, ...]``.
      rest_bound: Highest bound outside the front, ``[]``.
      rest_point: The lowest index with that bound, ``[]`` int32.
      num_evaluations: How many evaluations there were so far, ``[]`` int32.
      kept: What a method keeps of the pool to lower its bounds, a pytree.
    """

    pool: Known
    points: Int32[Array, " F"]
    front: Known
    details: PerPoint
    rest_bound: Float[Array, ""]
    rest_point: Int32[Array, ""]
    num_evaluations: Int32[Array, ""]
    kept: PerPoint


class Rules(NamedTuple):
    """How a method evaluates points.

    Attributes:
      refresh: Maps the indices ``[m]`` of points, what is known of them and their details to what is known once their
        evaluation has made ``num_seen`` grow.
      enter: Maps the indices ``[m]`` of points that join the front, and what is known of them, to their details.
      lower: Maps the whole pool, and what the method keeps of it, to the pool with bounds that are lower where that is
        cheap to know, and to what is kept from then on. Called whenever the front is chosen anew.
      count: Maps what is known of points after and before a refresh to how many evaluations each took, ``[m]``; one
        each if not given.
      numbers: Static: how many numbers an evaluation computes. Where many points could win, the whole front is
        evaluated at once if this count says that it is faster. 0 forbids this. Use 0 if rounding depends on how many
        points are evaluated together; exact copies would otherwise get different values.
    """

    refresh: Callable[[Int32[Array, " m"], Known, PerPoint], Known]
    enter: Callable[[Int32[Array, " m"], Known], PerPoint] = lambda points, known: ()
    lower: Callable[[Known, PerPoint], tuple[Known, PerPoint]] = lambda pool, kept: (pool, kept)
    count: Callable[[Known, Known], Int32[Array, " m"]] = lambda new, old: jnp.ones_like(new.num_seen)
    numbers: int = 0


def begin(
    bounds: Float[Array, " N"], state: PerPoint, rules: Rules, *, kept: PerPoint = (), front_size: int = FRONT_SIZE
) -> Search:
    """A search before the first pick.

    Args:
      bounds: Upper bound of what each point is worth, ``[N]``; ``-inf`` for those that are not available.
      state: A pytree of arrays ``[N, ...]``.
      rules: How points are evaluated.
      kept: What ``rules.lower`` keeps of the pool, before its first call.
      front_size: Static: points in the front, at most.
    """
    pool = Known(bounds, jnp.zeros(len(bounds), jnp.int32), state)
    return _choose_front(pool, rules, min(front_size, len(bounds)), jnp.int32(0), kept)


def settle(search: Search, rules: Rules, num_picks: Int32[Array, ""] | int, *, block_size: int) -> Search:
    """Evaluates points until the front's highest bound is the present worth of a point, and no other is worth more.

    Args:
      search: The search.
      rules: How points are evaluated.
      num_picks: How many picks have been made, ``[]``.
      block_size: Static: points evaluated at a time, at most.

    Returns:
      The search, ready for `take_best`.
    """
    front_size = len(search.points)
    size = min(block_size, front_size)
    # With this many open points, blocks take as long as the whole front.
    crowd_size = max(size, size * front_size * rules.numbers // (_NUMBERS_OF_A_BLOCK + size * rules.numbers))

    def is_stale(known: Known) -> jax.Array:
        return (known.num_seen < num_picks) & (known.bounds > -jnp.inf)

    def count(new: Known, old: Known, is_counted: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(is_counted, rules.count(new, old), 0), dtype=jnp.int32)

    def is_open(known: Known) -> jax.Array:
        """Which points have a bound above the best worth that is known; none before any is known."""
        is_fresh = known.num_seen >= num_picks
        best = jnp.max(jnp.where(is_fresh, known.bounds, -jnp.inf))
        return is_stale(known) & (known.bounds > best) & (best > -jnp.inf)

    def has_crowd(search: Search) -> jax.Array:
        num_open = jnp.sum(is_open(search.front))
        return has_stale_leader(search) & (num_open > crowd_size)

    def refresh_crowd(search: Search) -> Search:
        # XLA would move what the loop does not change out of it, and compute it where no crowd is open.
        points, front, details = jax.lax.optimization_barrier((search.points, search.front, search.details))
        opened = is_open(front)
        # Points that cannot win count as fully seen, so no pairs are computed for them.
        num_seen = jnp.where(opened, front.num_seen, num_picks)
        fresh = rules.refresh(points, front._replace(num_seen=num_seen), details)
        num_evaluations = search.num_evaluations + count(fresh, front, opened)
        front = jax.tree.map(lambda old, new: _where(opened, new, old), front, fresh)
        return search._replace(front=front, num_evaluations=num_evaluations)

    def refresh_highest(search: Search) -> Search:
        urgency, places = jax.lax.top_k(jnp.where(is_stale(search.front), search.front.bounds, -jnp.inf), size)
        points, known, details = jax.tree.map(lambda leaf: leaf[places], (search.points, search.front, search.details))
        fresh = rules.refresh(points, known, details)
        # Where fewer points are stale than the block has rows, the other rows change nothing.
        targets = jnp.where(urgency > -jnp.inf, places, front_size)
        front = jax.tree.map(lambda leaf, rows: leaf.at[targets].set(rows, mode="drop"), search.front, fresh)
        num_evaluations = search.num_evaluations + count(fresh, known, urgency > -jnp.inf)
        return search._replace(front=front, num_evaluations=num_evaluations)

    def has_stale_leader(search: Search) -> jax.Array:
        return _front_leads(search) & is_stale(search.front)[jnp.argmax(search.front.bounds)]

    def refresh_some(search: Search) -> Search:
        if rules.numbers:
            search = jax.lax.while_loop(has_crowd, refresh_crowd, search)
        return refresh_highest(search)

    def refresh_front(search: Search) -> Search:
        return jax.lax.while_loop(has_stale_leader, refresh_some, search)

    if front_size == len(search.pool.bounds):
        return refresh_front(search)

    def change_front(search: Search) -> Search:
        pool, kept = rules.lower(_merge(search), search.kept)
        return refresh_front(_choose_front(pool, rules, front_size, search.num_evaluations, kept))

    return jax.lax.while_loop(lambda search: ~_front_leads(search), change_front, refresh_front(search))


def take_best(
    search: Search, num_picks: Int32[Array, ""] | int = 0, *, resolution: float = 0.0
) -> tuple[Int32[Array, ""], Float[Array, ""], PerPoint, PerPoint, Search]:
    """Takes the best point out of a settled search.

    Args:
      search: The search.
      num_picks: How many picks have been made, ``[]``; of no effect without a resolution.
      resolution: Points whose worth is within this share of the best count as equal, and the lowest index is taken.
        For methods whose rounding depends on where in a block a point is evaluated.

    Returns:
      Its index ``[]`` int32 (-1 if every point is out), its worth ``[]``, its state, its details, and the search
      without it.
    """
    front = search.front
    place = jnp.argmax(front.bounds)
    if resolution > 0:
        best = front.bounds[place]
        is_best = (front.bounds >= best - resolution * jnp.abs(best)) & (front.num_seen >= num_picks)
        place = jnp.where(jnp.any(is_best), jnp.argmax(is_best), place)
    worth = front.bounds[place]
    index = jnp.where(worth > -jnp.inf, search.points[place], NO_POINT)
    bounds = search.front.bounds.at[place].set(-jnp.inf)
    state, details = jax.tree.map(lambda leaf: leaf[place], (search.front.state, search.details))
    return index, worth, state, details, search._replace(front=search.front._replace(bounds=bounds))


def _front_leads(search: Search) -> Bool[Array, ""]:
    """Whether the front's highest bound comes before all outside it, the lowest index first among equals."""
    place = jnp.argmax(search.front.bounds)
    bound, point = search.front.bounds[place], search.points[place]
    return (bound > search.rest_bound) | ((bound == search.rest_bound) & (point < search.rest_point))


def _where(
    condition: Bool[Array, " n"], new: Shaped[Array, "n ..."], old: Shaped[Array, "n ..."]
) -> Shaped[Array, "n ..."]:
    """The rows of ``new[n, ...]`` where ``condition[n]``, those of ``old`` elsewhere."""
    return jnp.where(condition.reshape(-1, *(1,) * (new.ndim - 1)), new, old)


def _merge(search: Search) -> Known:
    """The pool with what the front has learned."""
    return jax.tree.map(lambda leaf, rows: leaf.at[search.points].set(rows), search.pool, search.front)


def _choose_front(
    pool: Known, rules: Rules, front_size: int, num_evaluations: Int32[Array, ""], kept: PerPoint
) -> Search:
    """A search whose front are the points of the highest bounds."""
    num_points = len(pool.bounds)
    if front_size == num_points:
        points = jnp.arange(num_points, dtype=jnp.int32)
        rest_bound, rest_point = jnp.full((), -jnp.inf, pool.bounds.dtype), jnp.int32(num_points)
    else:
        points = jnp.sort(jax.lax.top_k(pool.bounds, front_size)[1].astype(jnp.int32))
        outside = jnp.ones(num_points, bool).at[points].set(False)
        # Points that are out rank behind those in the front that are out.
        rest = jnp.where(outside, pool.bounds, -jnp.inf)
        rest_point = jnp.argmax(rest).astype(jnp.int32)
        rest_bound = rest[rest_point]
        rest_point = jnp.where(rest_bound > -jnp.inf, rest_point, num_points)
    front = jax.tree.map(lambda leaf: leaf[points], pool)
    return Search(pool, points, front, rules.enter(points, front), rest_bound, rest_point, num_evaluations, kept)
