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

Both redundancies equal BatchBALD for batches of two, and with ``order=2`` their gains only fall as the batch grows;
gains with ``order=3`` can grow. Equation numbers refer to
Rubashevskii, Kotova and Panov (SDM 2023), which counts every pair twice; that is ``pair_weight=2``.

Pairs are evaluated lazily (`lbb_jax.acquisition.lbb_rankings`). After each pick a matrix-vector product gives a lower
bound of the information of each point that could be next with it (`lbb_jax.chi_squared`), and a pair is evaluated
exactly only where these bounds leave the winner open. With many draws of few classes there are no such bounds, and on
small pools the pairwise form evaluates every pair (`lbb_jax.acquisition.dense_greedy`). ``pairs="chi2"`` takes ``χ²/2``
for the information itself.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import arguments
from lbb_jax.acquisition import dense_greedy, exponential_race, lazy_greedy
from lbb_jax.acquisition.lbb_rankings import Ranking
from lbb_jax.acquisition.selection import Acquisition, Ranked, best, remove
from lbb_jax.acquisition.shared_information import GrowingBatch, SharedInformation
from lbb_jax.acquisition.third_order import pick_third_order


def large_batch_bald(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    pair_weight: Float[Array, ""] | float = 1.0,
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
        bounds). On the digits and MNIST, with ensembles and MC dropout, the batches of 10 and of 50 points that it
        picks hold at most 0.02 nats less than those by exact pairs (joint information; the page Theory has the table).
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
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    alpha: Float[Array, ""] | float = 1.0,
    pair_weight: Float[Array, ""] | float = 1.0,
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


def pick_lbb(
    log_probs: Float[Array, "N K C"],
    available: Bool[Array, " N"],
    *,
    batch_size: int,
    pair_weight: Float[Array, ""] | float = 1.0,
    redundancy: str = "pairwise",
    pairs: str = "exact",
    front_size: int = lazy_greedy.FRONT_SIZE,
    form: str = "auto",
) -> Ranked:
    """The picks of `large_batch_bald`, whose arguments these are, with what they took.

    ``form`` is that of `lbb_jax.acquisition.dense_greedy.is_chosen`.
    """
    pool = SharedInformation(log_probs, redundancy, pair_weight, pairs, batch_size)

    ranking = Ranking(
        pool, pool.scores, lambda points, ranks, gains, lowered_gains, picked_rank: lowered_gains, has_memory=False
    )
    return _pick(pool, available, ranking, front_size, form)


def pick_power_lbb(
    variates: exponential_race.Variates,
    log_probs: Float[Array, "N K C"],
    available: Bool[Array, " N"],
    *,
    batch_size: int,
    alpha: Float[Array, ""] | float = 1.0,
    pair_weight: Float[Array, ""] | float = 1.0,
    redundancy: str = "pairwise",
    pairs: str = "exact",
    front_size: int = lazy_greedy.FRONT_SIZE,
    form: str = "auto",
) -> Ranked:
    """The picks of `power_large_batch_bald`, whose arguments these are, for the given ``variates[N]``.

    ``form`` is that of `lbb_jax.acquisition.dense_greedy.is_chosen`.
    """
    pool = SharedInformation(log_probs, redundancy, pair_weight, pairs, batch_size)

    def later_keys(
        points: Int32[Array, " n"],
        keys: Float[Array, " n"],
        gains: Float[Array, " n"],
        lowered: Float[Array, " n"],
        picked: Float[Array, " n"],
    ) -> Float[Array, " n"]:
        of_points = jax.tree.map(lambda leaf: leaf[points], variates)
        before, after = (exponential_race.log_rate(gain, alpha) for gain in (gains, lowered))
        return exponential_race.later_keys(keys, of_points, before, after, picked)

    keys = exponential_race.first_keys(variates, exponential_race.log_rate(pool.scores, alpha))
    return _pick(pool, available, Ranking(pool, keys, later_keys, has_memory=True), front_size, form)


def _pick(
    pool: SharedInformation, available: Bool[Array, " N"], ranking: Ranking, front_size: int, form: str
) -> Ranked:
    """Picks the point of the highest rank, again and again."""
    saves_little = not (pool.is_tree or pool.has_moments)
    if dense_greedy.is_chosen(form, len(available) * pool.numbers_of_a_pair, saves_little=saves_little):
        return _pick_evaluating_all(pool, available, ranking)
    batch = pool.empty_batch()
    search = ranking.begin(available, batch, front_size=front_size)

    def pick(
        carry: tuple[lazy_greedy.Search, GrowingBatch], _: None
    ) -> tuple[tuple[lazy_greedy.Search, GrowingBatch], Acquisition]:
        search, batch = carry
        search = lazy_greedy.settle(search, ranking.rules(batch), batch.size, block_size=pool.block_size)
        index, rank, state, details, search = lazy_greedy.take_best(search)
        gain = jnp.where(rank > -jnp.inf, pool.gain(details.scores, state.redundancy), -jnp.inf)
        batch = batch.with_point(index, rank, details.moments)
        return (ranking.after_pick(search, batch), batch), Acquisition(index, gain)

    (search, batch), acquisition = jax.lax.scan(pick, (search, batch), length=pool.batch_size)
    return Ranked(acquisition, batch.ranks, num_evaluations=search.num_evaluations)


def _pick_evaluating_all(pool: SharedInformation, available: Bool[Array, " N"], ranking: Ranking) -> Ranked:
    """Picks the point of the highest rank, again and again, evaluating every point with every pick."""
    points, pairs_with = jnp.arange(len(available), dtype=jnp.int32), pool.pairs_of_all()

    def step(state: tuple[jax.Array, ...], _: None) -> tuple[tuple[jax.Array, ...], tuple[Acquisition, jax.Array]]:
        redundancy, gains, ranks, available = state
        index, rank = best(ranks, available)
        picked = Acquisition(index, jnp.where(index >= 0, gains[index], -jnp.inf))
        redundancy = pool.add(redundancy, pairs_with(index))
        lowered = pool.gain(pool.scores, redundancy)
        ranks = ranking.later_ranks(points, ranks, gains, lowered, jnp.broadcast_to(rank, ranks.shape))
        return (redundancy, lowered, ranks, remove(available, index)), (picked, rank)

    nothing = jnp.zeros_like(pool.scores)
    first = (nothing, pool.gain(pool.scores, nothing), ranking.first_ranks, jnp.asarray(available))
    acquisition, ranks = jax.lax.scan(step, first, length=pool.batch_size)[1]
    num_pairs = min((pool.batch_size - 1) * len(points), jnp.iinfo(jnp.int32).max)
    return Ranked(acquisition, ranks, num_evaluations=jnp.int32(num_pairs))
