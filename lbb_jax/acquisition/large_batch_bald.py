"""Large BatchBALD and Power LBB: batches scored by BALD less what each pick shares with those before it.

The gain of a point ``x`` is ``I(y_x; θ)`` less its redundancy with the batch ``S`` picked so far:

* ``"pairwise"``: ``pair_weight * Σ_{s∈S} I(y_x; y_s)``, the greedy step of Eq. 2.12. The sum counts shared information
  many times over, so that after about ``log K`` nats of information every informative point has a negative gain, and
  points that the model is certain about, with gain 0, are picked next. The scores show it.
* ``"tree"``: ``max_{s∈S} I(y_x; y_s)``, the total correlation of a dependence tree (Chow and Liu, 1968) grown in the
  order of the picks. Its gains are never negative.

With every pair counted once, the pairwise form is the 2-BALD of Kirsch, "Speeding up BatchBALD: a k-BALD family of
approximations for active learning" (arXiv 2301.09490): BatchBALD by inclusion and exclusion, cut off after the pairs.
``order=3`` cuts it off after the triples.

Both equal BatchBALD for batches of two, and their gains only fall as the batch grows. Equation numbers refer to
Rubashevskii, Kotova and Panov (SDM 2023), which counts every pair twice; that is ``pair_weight=2``.

Pairs are evaluated lazily. After each pick one matrix-vector product over the front gives a lower bound of every
point's information with it (`lbb_jax.chi_squared`), and a pair is evaluated exactly only where these bounds leave the
winner open. ``pairs="chi2"`` takes ``χ²/2`` for the information itself, and evaluates no pair at all.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax import arguments, chi_squared, information
from lbb_jax.acquisition import dense_greedy, exponential_race, lazy
from lbb_jax.acquisition.selection import Acquisition
from lbb_jax.acquisition.third_order import pick_third_order
from lbb_jax.batching import map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import centre, psi

REDUNDANCIES = ("pairwise", "tree")
PAIRS = ("exact", "chi2")
# Pairs are evaluated in blocks of a multiple of 16: enough to keep the hardware busy, few enough to waste little.
_JOINT_PROBABILITIES_AT_A_TIME = 2**13
_LARGEST_BLOCK = 2**20


def large_batch_bald(
    key: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
    pairs: str = "exact",
    order: int = 2,
) -> Acquisition:
    """Picks the point of the highest gain, again and again (LBB, Eq. 2.12).

    Args:
      key: Ignored: the method is deterministic.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      pair_weight: What each pair counts with ``redundancy="pairwise"``: 1 counts it once, 2 is the printed formula.
      redundancy: Static, ``"pairwise"`` or ``"tree"``.
      pairs: Static, ``"exact"``, or ``"chi2"`` to take ``χ²/2`` for the information of every pair. That costs no
        more for many classes than for few, and is close where the draws differ little (`lbb_jax.chi_squared` has the
        bounds).
      order: Static, with ``redundancy="pairwise"``: 2, or 3 to add the triples of Eq. 2.9
        (`lbb_jax.acquisition.third_order`).

    Returns:
      The picks; the scores are their gains in nats.

    Raises:
      ValueError: For ``order=3`` with ``pairs="chi2"``.
    """
    del key
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    if order == 3 and redundancy == "pairwise":
        if pairs != "exact":
            raise ValueError(f"order=3: bounds triples by exact pairs; leave out pairs={pairs!r}")
        return pick_third_order(log_probs, available, batch_size=batch_size, pair_weight=pair_weight).acquisition
    return pick_lbb(
        log_probs, available, batch_size=batch_size, pair_weight=pair_weight, redundancy=redundancy, pairs=pairs
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
    pairs: str = "exact",
) -> Acquisition:
    """Samples points one after the other with probability proportional to ``gain**alpha`` (Power LBB, Eq. 2.13).

    The sampling is a race (`lbb_jax.acquisition.exponential_race`), with one pair of random numbers for each point.

    Args:
      key: Random key, consumed. Each point has its own variates, whatever is available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      alpha: At least 0. At 0 every point is equally likely.
      pair_weight: What each pair counts with ``redundancy="pairwise"``: 1 counts it once, 2 is the printed formula.
      redundancy: Static, ``"pairwise"`` or ``"tree"``.
      pairs: Static, ``"exact"`` or ``"chi2"``, as for `large_batch_bald`.

    Returns:
      The picks; the scores are their gains in nats. A gain of 0 or below has probability 0; when no other is left, the
      picks are uniform.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    variates = exponential_race.variates(key, jnp.arange(len(log_probs)), log_probs.dtype)
    return pick_power_lbb(
        variates,
        log_probs,
        available,
        batch_size=batch_size,
        alpha=alpha,
        pair_weight=pair_weight,
        redundancy=redundancy,
        pairs=pairs,
    ).acquisition


class LbbPicks(NamedTuple):
    """Picks, and what they took.

    Attributes:
      acquisition: The picks and their gains, ``[b]``.
      bounds: What each pick was ranked by when it was picked: its gain, or its key in the race; ``[b]``.
      num_pairs: Pairs of points whose mutual information was evaluated, ``[]`` int32.
    """

    acquisition: Acquisition
    bounds: jax.Array
    num_pairs: jax.Array


def pick_lbb(
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
    pairs: str = "exact",
    front_size: int = lazy.FRONT_SIZE,
    form: str = "auto",
) -> LbbPicks:
    """The picks of `large_batch_bald`, whose arguments these are, with what they took.

    ``form`` is that of `lbb_jax.acquisition.dense_greedy.is_chosen`.
    """
    pool = _Pool(log_probs, redundancy, pair_weight, pairs, batch_size)
    if dense_greedy.is_chosen(form, pool.numbers_per_step):
        return _pick_evaluating_all(pool, available, pool.scores, lambda ranks, gains, lowered, picked: lowered)
    return _pick_one_by_one(pool, available, pool.scores, _Greedy(pool), front_size)


def pick_power_lbb(
    variates: exponential_race.Variates,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    alpha: jax.Array | float = 1.0,
    pair_weight: jax.Array | float = 1.0,
    redundancy: str = "pairwise",
    pairs: str = "exact",
    front_size: int = lazy.FRONT_SIZE,
    form: str = "auto",
) -> LbbPicks:
    """The picks of `power_large_batch_bald`, whose arguments these are, for the given ``variates[N]``.

    ``form`` is that of `lbb_jax.acquisition.dense_greedy.is_chosen`.
    """
    pool = _Pool(log_probs, redundancy, pair_weight, pairs, batch_size)
    keys = exponential_race.first_keys(variates, exponential_race.log_rate(pool.scores, alpha))
    if dense_greedy.is_chosen(form, pool.numbers_per_step):

        def later_keys(keys: jax.Array, gains: jax.Array, lowered: jax.Array, picked: jax.Array) -> jax.Array:
            before, after = (exponential_race.log_rate(gain, alpha) for gain in (gains, lowered))
            return exponential_race.later_keys(keys, variates, before, after, jnp.broadcast_to(picked, keys.shape))

        return _pick_evaluating_all(pool, available, keys, later_keys)
    return _pick_one_by_one(pool, available, keys, _Race(pool, variates, alpha), front_size)


class _Picked(NamedTuple):
    """The batch so far, in places for ``b`` points.

    Attributes:
      indices: ``[b]`` int32.
      bounds: What each was ranked by, ``[b]``.
      features: Features of each for the bounds of its pairs, 0 in free places; ``[b, D]``.
      size: How many there are, ``[]`` int32.
    """

    indices: jax.Array
    bounds: jax.Array
    features: jax.Array
    size: jax.Array


class _Details(NamedTuple):
    """What is kept of the front's points.

    Attributes:
      features: For the bounds of their pairs, ``[n, D]``.
      pending: Lower bound of their redundancy with the picks that are not evaluated yet, ``[n]``.
    """

    features: jax.Array
    pending: jax.Array


class _Pool:
    """The pool's predictions, and the arithmetic of one form of redundancy over them."""

    def __init__(
        self, log_probs: jax.Array, redundancy: str, pair_weight: jax.Array | float, pairs: str, batch_size: int
    ):
        if redundancy not in REDUNDANCIES:
            raise ValueError(f"redundancy={redundancy!r}: must be one of {', '.join(map(repr, REDUNDANCIES))}")
        if pairs not in PAIRS:
            raise ValueError(f"pairs={pairs!r}: must be one of {', '.join(map(repr, PAIRS))}")
        self.log_probs, self.batch_size = log_probs, batch_size
        self.scores = information.mutual_information(log_probs)
        self.is_tree, self.pair_weight = redundancy == "tree", pair_weight
        num_points, self.num_draws, num_classes = log_probs.shape
        self.has_features = chi_squared.costs_less_than_pairs(self.num_draws, num_classes)
        self.is_chi2 = pairs == "chi2"
        self.num_features = self.num_draws * (self.num_draws + 1) // 2 if self.has_features else 0
        # With χ²/2 for the information, the inner product of features is no bound but the thing itself.
        self.features_are_pairs = self.is_chi2 and self.has_features
        rows = 16 * rows_per_chunk(16 * num_classes**2, num_points, _JOINT_PROBABILITIES_AT_A_TIME)
        self.block_size = min(rows, rows_per_chunk(num_classes**2, num_points, _LARGEST_BLOCK))

    @property
    def numbers_per_step(self) -> int:
        """How many numbers it takes to evaluate every point with one pick."""
        num_points, _, num_classes = self.log_probs.shape
        return num_points * (self.num_features if self.features_are_pairs else num_classes**2)

    def features_of(self, log_probs: jax.Array) -> jax.Array:
        """Features ``[n, D]`` whose inner product bounds the information of a pair from below, or is it."""
        if not self.has_features:
            return jnp.zeros((len(log_probs), 0), log_probs.dtype)
        if self.is_chi2:
            return chi_squared.features(centre(log_probs)) * 0.5**0.5
        return chi_squared.lower_bound_features(centre(log_probs))

    def pair_information(self, points: jax.Array, others: jax.Array) -> jax.Array:
        """The information of each of ``points[m]`` with the same one of ``others[m]``, ``[m]``."""
        a, b = centre(self.log_probs[points]), centre(self.log_probs[others])
        return information.weighted_pairs(a, b, _half_square if self.is_chi2 else psi)

    def add(self, redundancy: jax.Array, pair: jax.Array) -> jax.Array:
        """Redundancy with one more pick."""
        return jnp.maximum(redundancy, pair) if self.is_tree else redundancy + pair

    def gain(self, scores: jax.Array, redundancy: jax.Array) -> jax.Array:
        """What points are worth at that redundancy with the batch."""
        if self.is_tree:
            return jnp.maximum(scores - redundancy, 0)
        return scores - self.pair_weight * redundancy

    def pending(self, features: jax.Array, num_seen: jax.Array, picked: _Picked) -> jax.Array:
        """Lower bound of the redundancy of points with the picks from number ``num_seen[n]`` on, ``[n]``."""
        is_unseen = jnp.arange(self.batch_size, dtype=jnp.int32)[None] >= num_seen[:, None]
        pairs = jnp.where(is_unseen, _inner_products(features, picked.features), 0)
        return jnp.max(pairs, axis=1) if self.is_tree else jnp.sum(pairs, axis=1)

    def catch_up(self, features: jax.Array, num_seen: jax.Array, redundancy: jax.Array, picked: _Picked) -> jax.Array:
        """The redundancy of points once all picks are seen, where features are pairs; ``[n]``.

        Picks are added one by one, as they were for other points, so that exact copies keep the same gain.
        """

        def see(number: jax.Array, redundancy: jax.Array) -> jax.Array:
            pairs = _inner_products_with(features, picked.features[number])
            return jnp.where(num_seen <= number, self.add(redundancy, pairs), redundancy)

        return jax.lax.fori_loop(jnp.min(num_seen), picked.size, see, redundancy)


class _Greedy:
    """Ranks points by their gain. The state of a point is its redundancy with the picks that it was evaluated with."""

    def __init__(self, pool: _Pool):
        self.pool = pool

    def rules(self, picked: _Picked) -> lazy.Rules:
        """How points are evaluated, given the batch so far."""
        return lazy.Rules(
            functools.partial(self.refresh if self.pool.is_tree else self.refresh_fully, picked),
            functools.partial(self.enter, picked),
            functools.partial(self.lower, picked) if self.pool.has_features else lambda pool: pool,
            lazy.one_evaluation if self.pool.is_tree else _all_pairs,
            in_crowds=True,
        )

    def enter(self, picked: _Picked, points: jax.Array, known: lazy.Known) -> _Details:
        features = self.pool.features_of(self.pool.log_probs[points])
        return _Details(features, self.pool.pending(features, known.num_seen, picked))

    def lower(self, picked: _Picked, known: lazy.Known) -> lazy.Known:
        """Lowers the bounds of the whole pool by those of its pairs with all picks."""
        pool = self.pool
        num_points, num_draws, num_classes = pool.log_probs.shape
        chunk_size = rows_per_chunk(num_draws * max(num_classes, num_draws), num_points)

        def redundancy_of(start: jax.Array) -> jax.Array:
            log_probs, num_seen, redundancy = jax.tree.map(
                lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, chunk_size),
                (pool.log_probs, known.num_seen, known.state),
            )
            features = pool.features_of(log_probs)
            if pool.features_are_pairs:
                return pool.catch_up(features, num_seen, redundancy, picked)
            return pool.add(redundancy, pool.pending(features, num_seen, picked))

        redundancy = map_chunks(redundancy_of, num_points, chunk_size)
        bounds = jnp.where(known.bounds > -jnp.inf, pool.gain(pool.scores, redundancy), -jnp.inf)
        if pool.features_are_pairs:
            return lazy.Known(bounds, jnp.full_like(known.num_seen, picked.size), redundancy)
        return known._replace(bounds=jnp.minimum(known.bounds, bounds))

    def after_pick(self, search: lazy.Search, picked: _Picked) -> lazy.Search:
        """Lowers the bounds of the front by those of its pairs with the last pick."""
        pool, front, details = self.pool, search.front, search.details
        if not pool.has_features:
            return search
        scores, last = pool.scores[search.points], picked.size - 1
        pairs = _inner_products_with(details.features, picked.features[last])
        if pool.features_are_pairs:
            redundancy = pool.add(front.state, pairs)
            bounds = jnp.where(front.bounds > -jnp.inf, pool.gain(scores, redundancy), -jnp.inf)
            num_seen = jnp.full_like(front.num_seen, picked.size)
            return search._replace(front=lazy.Known(bounds, num_seen, redundancy))
        pending = pool.add(details.pending, pairs)
        bounds = jnp.minimum(front.bounds, pool.gain(scores, pool.add(front.state, pending)))
        if pool.is_tree:
            # A pick that shares less with a point than another one changes nothing for it.
            changes_nothing = (front.num_seen == last) & (self._most(pairs) <= front.state)
            front = front._replace(num_seen=jnp.where(changes_nothing, picked.size, front.num_seen))
            pending = jnp.where(changes_nothing, details.pending, pending)
        return search._replace(front=front._replace(bounds=bounds), details=details._replace(pending=pending))

    def refresh(
        self, picked: _Picked, points: jax.Array, known: lazy.Known, details: _Details
    ) -> tuple[lazy.Known, _Details]:
        pool = self.pool
        next_pick, is_needed = self._next_pick(picked, known, details)
        pairs = pool.pair_information(points, picked.indices[next_pick])
        redundancy = jnp.where(is_needed, pool.add(known.state, pairs), known.state)
        num_seen = jnp.where(is_needed, next_pick + 1, picked.size)
        pending = pool.pending(details.features, num_seen, picked)
        bounds = pool.gain(pool.scores[points], pool.add(redundancy, pending))
        return lazy.Known(bounds, num_seen, redundancy), details._replace(pending=pending)

    def refresh_fully(
        self, picked: _Picked, points: jax.Array, known: lazy.Known, details: _Details
    ) -> tuple[lazy.Known, _Details]:
        """Evaluates points with all picks: a sum over pairs is known only when every pair is."""

        def is_partial(progress: tuple[lazy.Known, _Details]) -> jax.Array:
            return jnp.any(progress[0].num_seen < picked.size)

        def see_next(progress: tuple[lazy.Known, _Details]) -> tuple[lazy.Known, _Details]:
            return self.refresh(picked, points, *progress)

        return jax.lax.while_loop(is_partial, see_next, (known, details))

    def _next_pick(self, picked: _Picked, known: lazy.Known, details: _Details) -> tuple[jax.Array, jax.Array]:
        """The next pick that each point must be evaluated with, and whether there is one."""
        pool = self.pool
        if not (pool.is_tree and pool.has_features):
            return known.num_seen, known.num_seen < picked.size
        pairs = _inner_products(details.features, picked.features)
        most_known = jnp.maximum(known.state, details.pending)
        return _first(self._most(pairs) > most_known[:, None], known.num_seen, picked.size)

    def _most(self, pairs: jax.Array) -> jax.Array:
        """Upper bounds of the information of pairs, from their lower bounds."""
        return chi_squared.upper_bound(pairs, self.pool.num_draws)


class _Race:
    """Ranks points by their keys in a race. The state of a point is its redundancy with the picks that it has seen."""

    def __init__(self, pool: _Pool, variates: exponential_race.Variates, alpha: jax.Array | float):
        self.pool, self.variates, self.alpha = pool, variates, alpha

    def rules(self, picked: _Picked) -> lazy.Rules:
        """How points are evaluated, given the batch so far."""
        return lazy.Rules(functools.partial(self.refresh, picked), self.enter)

    def enter(self, points: jax.Array, known: lazy.Known) -> _Details:
        del known
        features = self.pool.features_of(self.pool.log_probs[points])
        return _Details(features, jnp.zeros(len(points), features.dtype))

    def after_pick(self, search: lazy.Search, picked: _Picked) -> lazy.Search:
        """A pick lowers no key before its rate after the pick is known."""
        del picked
        return search

    def refresh(
        self, picked: _Picked, points: jax.Array, known: lazy.Known, details: _Details
    ) -> tuple[lazy.Known, _Details]:
        pool = self.pool
        next_pick, is_needed = known.num_seen, known.num_seen < picked.size
        if pool.is_tree and pool.has_features:
            most = _inner_products(details.features, picked.features)
            if not pool.is_chi2:
                most = chi_squared.upper_bound(most, pool.num_draws)
            next_pick, is_needed = _first(most > known.state[:, None], known.num_seen, picked.size)
        if pool.features_are_pairs:
            pairs = _inner_products_with(details.features, picked.features[next_pick])
        else:
            pairs = pool.pair_information(points, picked.indices[next_pick])
        redundancy = jnp.where(is_needed, pool.add(known.state, pairs), known.state)
        keys = exponential_race.later_keys(
            known.bounds,
            jax.tree.map(lambda leaf: leaf[points], self.variates),
            exponential_race.log_rate(pool.gain(pool.scores[points], known.state), self.alpha),
            exponential_race.log_rate(pool.gain(pool.scores[points], redundancy), self.alpha),
            picked.bounds[next_pick],
        )
        num_seen = jnp.where(is_needed, next_pick + 1, picked.size)
        return lazy.Known(jnp.where(is_needed, keys, known.bounds), num_seen, redundancy), details


def _pick_one_by_one(
    pool: _Pool, available: jax.Array, bounds: jax.Array, ranking: "_Greedy | _Race", front_size: int
) -> LbbPicks:
    """Picks the point of the highest bound, again and again, lowering the gains and with them the bounds."""
    batch_size, dtype = pool.batch_size, bounds.dtype
    picked = _Picked(
        jnp.zeros(batch_size, jnp.int32),
        jnp.zeros(batch_size, dtype),
        jnp.zeros((batch_size, pool.num_features), pool.log_probs.dtype),
        jnp.int32(0),
    )
    bounds = jnp.where(available, bounds, -jnp.inf)
    redundancy = jnp.zeros_like(pool.scores)
    search = lazy.begin(bounds, redundancy, ranking.rules(picked), front_size=front_size)

    def pick(carry: tuple[lazy.Search, _Picked], _: None) -> tuple[tuple[lazy.Search, _Picked], Acquisition]:
        search, picked = carry
        search = lazy.settle(search, ranking.rules(picked), picked.size, block_size=pool.block_size)
        index, bound, redundancy, details, search = lazy.take_best(search)
        gain = jnp.where(bound > -jnp.inf, pool.gain(pool.scores[index], redundancy), -jnp.inf)
        picked = _Picked(
            picked.indices.at[picked.size].set(index),
            picked.bounds.at[picked.size].set(bound),
            picked.features.at[picked.size].set(details.features),
            picked.size + 1,
        )
        return (ranking.after_pick(search, picked), picked), Acquisition(index, gain)

    (search, picked), acquisition = jax.lax.scan(pick, (search, picked), length=batch_size)
    return LbbPicks(acquisition, picked.bounds, search.num_evaluations)


def _pick_evaluating_all(
    pool: _Pool, available: jax.Array, ranks: jax.Array, later_ranks: Callable[..., jax.Array]
) -> LbbPicks:
    """Picks the point of the highest rank, again and again, evaluating every point with every pick."""
    features = pool.features_of(pool.log_probs) if pool.features_are_pairs else None

    def pairs_with(index: jax.Array) -> jax.Array:
        if features is not None:
            return _inner_products_with(features, features[index])
        return dense_greedy.weighted_pairs_with(pool.log_probs, index, _half_square if pool.is_chi2 else psi)

    redundancy = dense_greedy.Redundancy(pairs_with, pool.add, pool.gain)
    acquisition, bounds = dense_greedy.pick(
        pool.scores, available, redundancy, ranks, later_ranks, batch_size=pool.batch_size
    )
    num_pairs = min((pool.batch_size - 1) * len(pool.scores), jnp.iinfo(jnp.int32).max)
    return LbbPicks(acquisition, bounds, jnp.int32(0 if pool.features_are_pairs else num_pairs))


def _all_pairs(new: lazy.Known, old: lazy.Known) -> jax.Array:
    """The pairs that one evaluation of a point takes, where it goes on to the last pick; ``[m]``."""
    return new.num_seen - old.num_seen


def _first(is_wanted: jax.Array, start: jax.Array, stop: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The first column from ``start[n]`` on and before ``stop`` that each row of ``is_wanted[n, b]`` wants.

    Returns:
      The columns ``[n]`` int32, and whether there is one, ``[n]``.
    """
    columns = jnp.arange(is_wanted.shape[1], dtype=jnp.int32)[None]
    is_wanted = is_wanted & (columns >= start[:, None]) & (columns < stop)
    return jnp.argmax(is_wanted, axis=1).astype(jnp.int32), jnp.any(is_wanted, axis=1)


def _inner_products(a: jax.Array, b: jax.Array) -> jax.Array:
    """Inner products ``[n, m]`` of the rows of ``a[n, D]`` and ``b[m, D]``, none below 0 by rounding."""
    return jnp.maximum(jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST), 0)


def _inner_products_with(a: jax.Array, b: jax.Array) -> jax.Array:
    """Inner products ``[n]`` of the rows of ``a[n, D]`` with ``b[D]``, or with the same row of ``b[n, D]``."""
    return jnp.maximum(jnp.sum(a * jnp.broadcast_to(b, a.shape), axis=-1), 0)


def _half_square(x: jax.Array) -> jax.Array:
    """``x²/2``, what ``ψ(x)`` is near 0."""
    return jnp.square(x) / 2
