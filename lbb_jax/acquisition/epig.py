"""EPIG: how much a point's label tells about the labels of target points, for which predictions are wanted.

The expected predictive information gain (Bickford Smith, Kirsch, Farquhar, Gal, Foster and Rainforth, "Prediction-
oriented Bayesian active learning", AISTATS 2023) of a point ``x`` is ``mean_j I(y_x; y_j)`` over target points ``j``.
Unlike BALD it counts nothing for parameters that no target depends on. It is at most BALD.

Let ``V`` be a target drawn at random together with its label; the score is ``I(y_x; V)``. With similar values of ``V``
merged, ``G = g(V)``, the score is bounded from both sides at little cost (the chain rule, and
``I(y; V | G) ≤ I(θ; V | G)``):

    I(y_x; G) ≤ I(y_x; V) ≤ I(y_x; G) + I(θ; V) - I(θ; G).

So where the targets have many labels in all, only points that these bounds cannot rule out are evaluated
(`lbb_jax.acquisition.lazy_greedy`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import arguments, information, label_configurations
from lbb_jax.acquisition import lazy_greedy
from lbb_jax.acquisition.pointwise import mean_probs, random
from lbb_jax.acquisition.sampling import pick_by_score, rank
from lbb_jax.acquisition.selection import NO_POINT, Acquisition, Ranked
from lbb_jax.batching import map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import Centred, centre, psi

# Numbers of groups into which the labels of targets are merged: for the first bounds, and for the second ones.
_NUM_GROUPS, _NUM_SMALL_GROUPS = 64, 8192
# Fewer labels of targets than this are not worth bounds.
_MANY_LABELS = 2048
# Rounding must not lower a bound below what it bounds.
_MARGIN = 1e-5


def epig(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    targets: Float[ArrayLike, "T K C"] | None = None,
    num_targets: int = 500,
    target_weights: Float[ArrayLike, " C"] | None = None,
    sampling: str = "top",
    alpha: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks by ``mean_j I(y_x; y_j)`` over the targets.

    Targets drawn from the pool represent the whole pool. A drawn point is not its own target, so that no point gains
    from being drawn: its score is the mean over the other targets, and 0 if there are none. (If only one of two exact
    copies is drawn, their scores therefore differ.) Targets that are passed are used unchanged; a target that equals a
    point of the pool counts as another point, whose label is independent given the parameters.

    Args:
      key: Random key, consumed by the drawing of targets and by the sampling. Each point has its own variates for
        both, whatever is available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      targets: ``[T, K, C]``, every row a valid prediction, by the same draws as ``log_probs``; None to draw targets
        from the pool.
      num_targets: Static, at least 1: how many available points are drawn, uniformly and without replacement, where
        ``targets`` is None; all that are available if these are fewer. Time grows with it.
      target_weights: ``[C]``, at least 0: how much the classes count. A target weighs ``Σ_c target_weights(c) p_j(c)``
        in the mean. Where the classes of the targets are known to have the frequencies ``p*``, and those of the pool
        ``p``, ``p* / p`` makes the pool's points stand for the targets, by importance weights. None for equal weights.
      sampling: Static: how points are picked by their scores (`lbb_jax.acquisition.sampling`).
      alpha: At least 0, the coldness of the sampling; "top" has none.

    Returns:
      The picks; the scores are in nats.

    Raises:
      ValueError: If ``targets`` and ``log_probs`` differ in draws or classes, or ``target_weights`` are not as above.
    """
    key = arguments.check_key("key", key)
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    key, chosen = choose_targets(key, log_probs, available, targets, num_targets, target_weights)
    num_labels = chosen.log_probs.shape[0] * chosen.log_probs.shape[2]
    # Ranks are known only when every score is.
    if num_labels > _MANY_LABELS and 4 * batch_size <= len(log_probs) and sampling != "softrank":
        return pick_epig(
            key, log_probs, chosen, available, batch_size=batch_size, sampling=sampling, alpha=alpha
        ).acquisition
    scores = _mean_information_about_others(log_probs, chosen)
    return pick_by_score(key, scores, available, batch_size=batch_size, sampling=sampling, alpha=alpha)


class Targets(NamedTuple):
    """The points that predictions are wanted for.

    Attributes:
      log_probs: ``[T, K, C]``; ``-inf`` in places without a target.
      weights: The weight of each target in the mean, ``[T]``; 0 in places without a target.
      indices: Their indices in the pool, ``[T]`` int32; ``N`` for targets outside the pool.
    """

    log_probs: Float[Array, "T K C"]
    weights: Float[Array, " T"]
    indices: Int32[Array, " T"]


def choose_targets(
    key: jax.Array,
    log_probs: Float[Array, "N K C"],
    available: Bool[Array, " N"],
    targets: Float[ArrayLike, "T K C"] | None,
    num_targets: int,
    target_weights: Float[ArrayLike, " C"] | None,
) -> tuple[jax.Array, Targets]:
    """The targets that the arguments of `epig` ask for, and a key for what comes after."""
    num_targets = arguments.check_positive_integer("num_targets", num_targets)
    if targets is None:
        target_key, key = jax.random.split(key)
        indices = _draw_targets(target_key, log_probs, available, num_targets=num_targets)
        targets = log_probs.at[indices].get(mode="fill", fill_value=-jnp.inf)
    else:
        targets = arguments.as_predictions("targets", targets, axes="TKC")
        arguments.check_targets_agree(targets, log_probs.shape)
        indices = jnp.full(len(targets), len(log_probs), jnp.int32)
    return key, Targets(targets, _weights(targets, target_weights), indices)


def _weights(targets: Float[Array, "T K C"], target_weights: Float[ArrayLike, " C"] | None) -> Float[Array, " T"]:
    """The weight of each target, from the weights of the classes."""
    if target_weights is None:
        return jnp.any(targets > -jnp.inf, axis=(1, 2)).astype(targets.dtype)
    of_classes = jnp.asarray(arguments.as_class_weights("target_weights", target_weights, targets.shape[2]))
    return jnp.sum(mean_probs(targets) * of_classes.astype(targets.dtype)[None], axis=1)


def mean_information_about(
    log_probs: Float[Array, "N K C"],
    targets: Float[Array, "T K C"],
    target_weights: Float[ArrayLike, " C"] | None = None,
) -> Float[Array, " N"]:
    """``mean_j I(y_n; y_j)`` over the targets, in nats.

    Args:
      log_probs: ``[N, K, C]``.
      targets: ``[T, K, C]``.
      target_weights: ``[C]``, as `epig` takes them.

    Returns:
      ``[N]``.
    """
    not_of_the_pool = jnp.full(len(targets), len(log_probs), jnp.int32)
    chosen = Targets(jnp.asarray(targets), _weights(targets, target_weights), not_of_the_pool)
    return _mean_information_about_others(log_probs, chosen)


def _mean_information_about_others(log_probs: Float[Array, "N K C"], targets: Targets) -> Float[Array, " N"]:
    """``mean_j I(y_n; y_j)`` over the targets that are not the point itself; 0 where there is no other."""
    num_points = len(log_probs)
    chunk_size = rows_per_chunk(len(targets.weights), num_points)

    def of_chunk(start: jax.Array) -> jax.Array:
        return _scores_of(log_probs, start + jnp.arange(chunk_size, dtype=jnp.int32), targets)

    return map_chunks(of_chunk, num_points, chunk_size)


def _scores_of(log_probs: Float[Array, "N K C"], points: Int32[Array, " n"], targets: Targets) -> Float[Array, " n"]:
    """`_mean_information_about_others` of some points, by index."""
    pairs = information.pairwise_mutual_information(log_probs[points], targets.log_probs)
    return mean_over_others(pairs, points, targets)


def mean_over_others(pairs: Float[Array, "n T"], points: Int32[Array, " n"], targets: Targets) -> Float[Array, " n"]:
    """Mean of ``pairs[n, T]`` over the targets that are not the point itself, by index ``points[n]``: ``[n]``."""
    is_itself = targets.indices[None] == points[:, None]
    # The point's own term is subtracted from the sum, not left out of it, so that exact copies have equal sums.
    terms = targets.weights[None] * pairs
    about_others = jnp.sum(terms, axis=1) - jnp.sum(jnp.where(is_itself, terms, 0), axis=1)
    weight = jnp.sum(jnp.where(is_itself, 0, targets.weights[None]), axis=1)
    return jnp.where(weight > 0, about_others / jnp.where(weight > 0, weight, 1), 0)


class _Merged(NamedTuple):
    """The labels of all targets, merged into groups.

    Attributes:
      groups: One point, whose classes are the groups.
      lost: How much of the labels' information about the parameters the merging loses, nats.
    """

    groups: Centred
    lost: Float[Array, ""]


def _merge(targets: Targets, num_groups: int) -> _Merged:
    """Merges labels of targets that favour the same draw about as much."""
    points, num_draws = centre(targets.log_probs), targets.log_probs.shape[1]
    ratios = jnp.moveaxis(points.ratios, 2, 1).reshape(-1, num_draws)
    probs = (points.mean * _shares(targets.weights)[:, None]).reshape(-1)

    share = (1 + jnp.max(ratios, axis=1)) / num_draws
    favourites = jnp.argmax(ratios, axis=1)
    group = label_configurations.similar_groups(favourites, jnp.maximum(1 - share, 1e-3), probs, num_groups)
    mean = jax.ops.segment_sum(probs, group, num_groups)
    sums = jax.ops.segment_sum(probs[:, None] * ratios, group, num_groups)
    merged = sums / jnp.where(mean > 0, mean, 1)[:, None]

    everything = jnp.sum(probs * jnp.mean(psi(ratios), axis=1))
    kept = jnp.sum(mean * jnp.mean(psi(merged), axis=1))
    lost = jnp.maximum(everything - kept, 0) + _MARGIN * everything
    return _Merged(Centred(mean[None], merged.T[None]), lost)


def _shares(weights: Float[Array, " T"]) -> Float[Array, " T"]:
    """The share of each weight in their sum."""
    total = jnp.sum(weights)
    return weights / jnp.where(total > 0, total, 1)


def _upper_bounds(
    log_probs: Float[Array, "N K C"], points: Int32[Array, " n"], targets: Targets, merged: _Merged
) -> Float[Array, " n"]:
    """Upper bounds of the scores of some points, by index."""
    block = log_probs[points]
    about_groups = information.information_of_pairs(centre(block), merged.groups)[:, 0]
    most = jnp.minimum(about_groups + merged.lost, information.mutual_information(block)) * (1 + _MARGIN)
    # A target's information about itself is not part of its score, which is a mean over one target fewer.
    is_itself = targets.indices[None] == points[:, None]
    others = jnp.sum(jnp.where(is_itself, 0, _shares(targets.weights)[None]), axis=1)
    return jnp.where(others > 0, most / jnp.where(others > 0, others, 1), 0) * (1 + _MARGIN)


def pick_epig(
    key: jax.Array,
    log_probs: Float[Array, "N K C"],
    targets: Targets,
    available: Bool[Array, " N"],
    *,
    batch_size: int,
    sampling: str,
    alpha: Float[Array, ""] | float,
) -> Ranked:
    """The picks of `pick_by_score`, found by scoring only points that can be among them; not for "softrank"."""
    num_points, _, num_classes = log_probs.shape
    points = jnp.arange(num_points, dtype=jnp.int32)
    block_size = rows_per_chunk(len(targets.weights) * num_classes**2, num_points)
    # Bounds with small groups pay where one point takes long.
    num_levels = 2 if block_size == 1 else 1
    groups, small_groups = _merge(targets, _NUM_GROUPS), _merge(targets, _NUM_SMALL_GROUPS)

    def rank_by(scores: jax.Array, points: jax.Array) -> jax.Array:
        return rank(key, points, scores, available, sampling, alpha)

    def bounds_of_chunk(start: jax.Array) -> jax.Array:
        return _upper_bounds(log_probs, start + jnp.arange(chunk_size, dtype=jnp.int32), targets, groups)

    def refresh(points: jax.Array, known: lazy_greedy.Known, details: lazy_greedy.PerPoint) -> lazy_greedy.Known:
        del details
        if num_levels == 1:
            scores = _scores_of(log_probs, points, targets)
        else:
            scores = jax.lax.cond(
                known.num_seen[0] == 0,
                lambda: jnp.minimum(known.state, _upper_bounds(log_probs, points, targets, small_groups)),
                lambda: _scores_of(log_probs, points, targets),
            )
        return lazy_greedy.Known(rank_by(scores, points), known.num_seen + 1, scores)

    def pick(search: lazy_greedy.Search, _: object) -> tuple[lazy_greedy.Search, tuple[Acquisition, jax.Array]]:
        search = lazy_greedy.settle(search, rules, num_levels, block_size=block_size)
        index, worth, score, _, search = lazy_greedy.take_best(search)
        return search, (Acquisition(index, jnp.where(index != NO_POINT, score, -jnp.inf)), worth)

    chunk_size = rows_per_chunk(num_classes * _NUM_GROUPS, num_points)
    scores = map_chunks(bounds_of_chunk, num_points, chunk_size)
    rules = lazy_greedy.Rules(refresh, count=lambda new, old: (new.num_seen == num_levels).astype(jnp.int32))
    search = lazy_greedy.begin(jnp.where(available, rank_by(scores, points), -jnp.inf), scores, rules)
    search, (acquisition, worth) = jax.lax.scan(pick, search, length=batch_size)
    return Ranked(acquisition, worth, num_evaluations=search.num_evaluations)


def _draw_targets(
    key: jax.Array, log_probs: Float[Array, "N K C"], available: Bool[Array, " N"], *, num_targets: int
) -> Int32[Array, " T"]:
    """Draws available points uniformly without replacement.

    Returns:
      Their indices in ascending order, ``[min(num_targets, N)]`` int32, and after them ``N`` in places without one.
    """
    num_points = len(log_probs)
    drawn = random(key, log_probs, available, batch_size=min(num_targets, num_points)).indices
    # The order of the terms of a sum is then that of the pool, whatever the key.
    return jnp.sort(jnp.where(drawn >= 0, drawn, num_points))
