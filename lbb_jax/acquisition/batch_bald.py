"""BatchBALD as expected conditional information.

The labels of the batch picked so far, taken as one configuration ``m``, turn the uniform weights of the draws into
posterior weights ``w_mk ∝ Π_s p(y_s^m | θ_k)``. What a further point ``x`` would add to the batch's information about
the parameters is

    E_m [ H(Σ_k w_mk p_k(x)) - Σ_k w_mk H(p_k(x)) ],

This is an average of mutual informations, so it is never negative. It is exact while all configurations are enumerated.
The sum of the gains is ``I(y_1..y_b; θ)`` (Kirsch, van Amersfoort and Gal, 2019; section 2.2.3 of Rubashevskii et al.,
2023).

The more labels are known, the surer a configuration is of one draw ``f``, and the smaller is what can still be learned.
A difference of entropies loses it to rounding. So the same quantity is computed from relative entropies to the
prediction of that draw, which are as small as the information is:

    E_m [ Σ_{k≠f} w_mk KL(p_k(x) ‖ p_f(x)) - KL(Σ_k w_mk p_k(x) ‖ p_f(x)) ].

The first part is linear in the weights, so that ``K²`` numbers hold it for all configurations together.

Only points that can still win are evaluated (`lbb_jax.acquisition.lazy_greedy`). Once configurations are sampled,
earlier gains are bounds only on average, and they are loose. The bound used is the formula itself, with all
configurations that favour the same draw merged into one. The relative entropy is convex, so the bound is never below
the gain, whatever was sampled, and it costs ``K`` configurations instead of thousands. Where evaluating one point takes
millions of numbers, the points that this bound leaves open get a second bound, with small groups of similar
configurations merged, before one is evaluated.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Int32

from lbb_jax import arguments, entropy, information, label_configurations
from lbb_jax.acquisition import lazy_greedy
from lbb_jax.acquisition.selection import Acquisition, highest, remove
from lbb_jax.batching import map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import centre, psi

# Gains that differ by less than this share are equal: rounding depends on the place of a point in its block.
_RESOLUTION = 1e-5
# A draw's probability counts as no less than this in what others are divided by.
_LEAST_PROBABILITY = 1e-35
# From this many classes on, the predictions of many configurations are a matrix product large enough to be fast on
# CPUs. It is computed some rows at a time, so that it stays in the cache.
_MANY_CLASSES = 32
_CACHED_PREDICTIONS = 2**17
# Configurations merged into one for the second bounds: these are within a few percent, at a sixteenth of the cost.
_GROUP_SIZE = 16


def batch_bald(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    num_samples: int = 10_000,
) -> Acquisition:
    """Picks the point that adds most to the batch's joint information about the parameters, repeatedly.

    The gain of the pick after ``i`` others is exact while the ``C**i`` label configurations of those are no more than
    ``num_samples``; after that it is estimated from ``num_samples`` sampled configurations, each with all its labels
    from one draw, the draws stratified.

    Args:
      key: Random key, consumed by the sampling.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      num_samples: Static, at least 1: the largest number of configurations considered. Time and memory of a step grow
        with it.

    Returns:
      The picks; the scores are their gains in nats.
    """
    key = arguments.check_key("key", key)
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    num_samples = arguments.check_positive_integer("num_samples", num_samples)
    return pick_batch_bald(key, log_probs, available, batch_size=batch_size, num_samples=num_samples).acquisition


class BatchBaldPicks(NamedTuple):
    """Picks, and the work that they took.

    Attributes:
      acquisition: The picks and their gains, ``[b]``.
      num_configurations: Label configurations of the points before each pick that were considered, ``[b]`` int32.
      num_evaluated: Points evaluated at each pick, each with ``num_configurations`` configurations; 0 at the first
        pick, which is BALD's. Points that are only bounded do not count. ``[b]`` int32.
      most_per_bald: No point's gain exceeds its BALD times this: 1 for exact gains, a little more for sampled ones,
        whose configurations may favour one draw. ``[b]``.
    """

    acquisition: Acquisition
    num_configurations: Int32[Array, " b"]
    num_evaluated: Int32[Array, " b"]
    most_per_bald: Float[Array, " b"]


def pick_batch_bald(
    key: jax.Array,
    log_probs: Float[Array, "N K C"],
    available: Bool[Array, " N"],
    *,
    batch_size: int,
    num_samples: int = 10_000,
) -> BatchBaldPicks:
    """The picks of `batch_bald`, which has the same arguments, and the work that they took."""
    points = relative_to_mean(log_probs)
    scores = information.mutual_information(log_probs)
    first = jax.tree.map(lambda leaf: leaf[0], highest(scores, available, batch_size=1))
    return pick_given_labels(
        key,
        log_probs,
        available,
        BatchBaldPicks(first, jnp.int32(1), jnp.int32(0), jnp.ones((), scores.dtype)),
        functools.partial(_pick, points),
        lambda picked: picked.acquisition.indices,
        batch_size=batch_size,
        num_samples=num_samples,
    )


Picked = TypeVar("Picked")


def pick_given_labels(
    key: jax.Array,
    log_probs: Float[Array, "N K C"],
    available: Bool[Array, " N"],
    first: Picked,
    pick: Callable[[Bool[Array, " N"], Float[Array, "M K"], Float[Array, " M"]], Picked],
    index_of: Callable[[Picked], Int32[Array, ""]],
    *,
    batch_size: int,
    num_samples: int,
) -> Picked:
    """Picks points one after the other, each given the labels of those before, on average over their configurations.

    Args:
      key: Random key, consumed by the sampling.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      first: The first pick, a pytree of arrays.
      pick: ``(remaining, log_likelihoods, weights) -> Picked``: makes a later pick from the points that are left, the
        log-likelihoods of the configurations of the picks before, and the weights of these configurations.
      index_of: Maps a pick to its index.
      batch_size: Static, at most ``N``.
      num_samples: Static: configurations are enumerated while they are no more than this, then so many are sampled.

    Returns:
      The picks, stacked along a leading axis ``[b]``.
    """
    _, num_draws, num_classes = log_probs.shape
    draw_key, history_key, label_key = jax.random.split(key, 3)
    log_likelihoods = label_configurations.empty(num_draws, log_probs.dtype)
    picks, remaining = [first], available
    # With one class there is one configuration and nothing to learn; sampling it keeps the program small.
    while num_classes > 1 and len(picks) < batch_size and num_classes ** len(picks) <= num_samples:
        last = index_of(picks[-1])
        remaining = remove(remaining, last)
        log_likelihoods = label_configurations.enumerate_labels(log_likelihoods, log_probs[last])
        picks.append(pick(remaining, log_likelihoods, jnp.mean(jnp.exp(log_likelihoods), axis=-1)))
    enumerated = jax.tree.map(lambda *leaves: jnp.stack(leaves), *picks)
    if len(picks) == batch_size:
        return enumerated

    # Configurations of all points but the last are sampled at once; the scan adds the labels of the last pick.
    indices = index_of(enumerated)
    draws = label_configurations.stratified_draws(draw_key, num_samples, num_draws)
    log_likelihoods = label_configurations.sample_all(history_key, log_probs[indices[:-1]], draws)
    equal_weights = jnp.full(num_samples, 1 / num_samples, log_probs.dtype)

    def extend(carry: tuple, step_key: jax.Array) -> tuple[tuple, Picked]:
        log_likelihoods, remaining, last = carry
        remaining = remove(remaining, last)
        log_likelihoods = label_configurations.sample_labels(step_key, log_likelihoods, draws, log_probs[last])
        picked = pick(remaining, log_likelihoods, equal_weights)
        return (log_likelihoods, remaining, index_of(picked)), picked

    step_keys = jax.random.split(label_key, batch_size - len(picks))
    _, sampled = jax.lax.scan(extend, (log_likelihoods, remaining, indices[-1]), step_keys)
    return jax.tree.map(lambda exact, estimated: jnp.concatenate([exact, estimated]), enumerated, sampled)


def _pick(
    points: "Points",
    remaining: Bool[Array, " N"],
    log_likelihoods: Float[Array, "M K"],
    weights: Float[Array, " M"],
) -> BatchBaldPicks:
    """The point with the highest gain, given the configurations of the batch so far and their weights."""
    posterior = label_configurations.posterior(log_likelihoods)
    bounds = conditional_information(points, beliefs_of(*_merge_by_favourite(posterior, weights))) * (1 + _RESOLUTION)
    num_points, num_classes = points.mean.shape
    block_size = rows_per_chunk(len(weights) * num_classes, num_points)
    # At ``num_seen`` 0 a point has the first bound. With two levels, a point at ``num_seen`` 1 has the second bound.
    num_levels = 2 if block_size == 1 and len(weights) > _GROUP_SIZE * posterior.shape[1] else 1
    beliefs, groups = beliefs_of(posterior, weights), beliefs_of(*_merge_similar(posterior, weights))

    def refresh(places: jax.Array, known: lazy_greedy.Known, details: lazy_greedy.PerPoint) -> lazy_greedy.Known:
        del details
        block = jax.tree.map(lambda leaf: leaf[places], points)
        if num_levels == 1:
            gains = conditional_information(block, beliefs)
        else:
            gains = jax.lax.cond(
                known.num_seen[0] == 0,
                lambda: jnp.minimum(known.bounds, conditional_information(block, groups) * (1 + _RESOLUTION)),
                lambda: conditional_information(block, beliefs),
            )
        return known._replace(bounds=gains, num_seen=known.num_seen + 1)

    rules = lazy_greedy.Rules(refresh, count=lambda new, old: (new.num_seen == num_levels).astype(jnp.int32))
    search = lazy_greedy.begin(jnp.where(remaining, bounds, -jnp.inf), (), rules)
    search = lazy_greedy.settle(search, rules, num_levels, block_size=block_size)
    index, gain, _, _, search = lazy_greedy.take_best(search, num_levels, resolution=_RESOLUTION)
    # The gain is at most `Σ_k w̄_k KL(p_k ‖ q)`, and BALD is the same with the weights `1 / K`.
    most_per_bald = posterior.shape[1] * jnp.max(weights @ posterior)
    return BatchBaldPicks(Acquisition(index, gain), jnp.int32(len(weights)), search.num_evaluations, most_per_bald)


def _merge_by_favourite(
    posterior: Float[Array, "M K"], weights: Float[Array, " M"]
) -> tuple[Float[Array, "m K"], Float[Array, " m"]]:
    """Merges configurations that favour the same draw into one, with their average weights.

    Conditional information is a concave function of the posterior weights, so that merging never lowers it.

    Args:
      posterior: Weights of the draws under each configuration.
      weights: Probability of each configuration.

    Returns:
      The posterior and the weights of no more than ``K`` configurations.
    """
    num_configurations, num_draws = posterior.shape
    if num_configurations <= num_draws:
        return posterior, weights
    return _merge(posterior, weights, jnp.argmax(posterior, axis=-1), num_draws)


def _merge_similar(
    posterior: Float[Array, "M K"], weights: Float[Array, " M"]
) -> tuple[Float[Array, "m K"], Float[Array, " m"]]:
    """Merges groups of configurations that favour the same draw about as much.

    Returns:
      The posterior and the weights of ``M / 16`` configurations, rounded up.
    """
    num_groups = -(-len(weights) // _GROUP_SIZE)
    # The entropy of the draws under each configuration.
    uncertainty = jnp.maximum(-jnp.sum(entropy.p_log_p(posterior), axis=1), 0)
    groups = label_configurations.similar_groups(jnp.argmax(posterior, axis=-1), uncertainty, weights, num_groups)
    return _merge(posterior, weights, groups, num_groups)


def _merge(
    posterior: Float[Array, "M K"], weights: Float[Array, " M"], groups: Int[Array, " M"], num_groups: int
) -> tuple[Float[Array, "{num_groups} K"], Float[Array, " {num_groups}"]]:
    """The posterior and the weights of each group of configurations, merged into one."""
    merged_weights = jax.ops.segment_sum(weights, groups, num_groups)
    merged = jax.ops.segment_sum(weights[:, None] * posterior, groups, num_groups)
    return merged / jnp.where(merged_weights > 0, merged_weights, 1)[:, None], merged_weights


class Points(NamedTuple):
    """Predictions relative to each point's mean prediction ``q(x)``.

    Attributes:
      mean: ``q(x)``.
      ratios: Centred ratios ``x_k = p_k(x) / q(x) - 1``.
      excess: ``log(1 + x_k) - x_k``.
      divergences: ``KL(p_k(x) ‖ q(x))``, nats.
    """

    mean: Float[Array, "N C"]
    ratios: Float[Array, "N K C"]
    excess: Float[Array, "N K C"]
    divergences: Float[Array, "N K"]


class Beliefs(NamedTuple):
    """What the configurations of a batch's labels say of the draws.

    Attributes:
      favourites: The likeliest draw of each configuration.
      shifts: Weights of the draws less those of being sure of the favourite: each row adds up to 0, without rounding.
      weights: Probability of each configuration, sum 1.
      doubts: ``Σ_m weights_m w_mk`` over the configurations with each favourite, by favourite and other draw ``k``; 0
        on the diagonal.
    """

    favourites: Int[Array, " M"]
    shifts: Float[Array, "M K"]
    weights: Float[Array, " M"]
    doubts: Float[Array, "K K"]


def relative_to_mean(log_probs: Float[Array, "N K C"]) -> Points:
    """The predictions relative to their means."""
    mean, ratios = centre(log_probs)
    divergences = psi(ratios)
    # Near 0 from the series within ψ, elsewhere from the logarithms, of which very small ones count.
    near = (divergences - jnp.square(ratios)) / jnp.where(ratios > -1, 1 + ratios, 1)
    logs = jnp.maximum(log_probs, jnp.log(_LEAST_PROBABILITY)) - jnp.log(jnp.where(mean > 0, mean, 1))[:, None]
    excess = jnp.where(jnp.abs(ratios) < 0.5, near, logs - ratios)
    return Points(mean, ratios, excess, jnp.sum(mean[:, None] * divergences, axis=-1))


def beliefs_of(posterior: Float[Array, "M K"], weights: Float[Array, " M"]) -> Beliefs:
    """The beliefs of configurations with those posterior weights of the draws and those probabilities."""
    num_draws = posterior.shape[1]
    favourites = jnp.argmax(posterior, axis=1)
    is_favourite = favourites[:, None] == jnp.arange(num_draws)[None]
    others = jnp.where(is_favourite, 0, posterior)
    shifts = jnp.where(is_favourite, -jnp.sum(others, axis=1, keepdims=True), others)
    doubts = jax.ops.segment_sum(weights[:, None] * others, favourites, num_draws)
    return Beliefs(favourites, shifts, weights, doubts)


def conditional_information(points: Points, beliefs: Beliefs) -> Float[Array, " N"]:
    """What each point's label tells about the parameters once the batch's labels are known, on average, in nats.

    Args:
      points: ``N`` points.
      beliefs: Those of the configurations of the batch's labels.
    """
    most = _mean_divergence(points, beliefs.doubts)
    if points.mean.shape[1] < _MANY_CLASSES:
        less = _divergence_of_means(points, beliefs)
    else:
        less = jax.lax.platform_dependent(
            points, beliefs, cpu=_divergence_of_means_one_by_one, default=_divergence_of_means
        )
    return jnp.maximum(most - less, 0)


def _mean_divergence(points: Points, doubts: Float[Array, "K K"]) -> Float[Array, " N"]:
    """``Σ_fk doubts(f, k) KL(p_k ‖ p_f)``, as ``KL(p_k ‖ p_f) = KL(p_k ‖ q) - Σ q (p_k/q excess_f + x_k x_f)``."""
    num_points, num_draws, num_classes = points.ratios.shape
    size = rows_per_chunk(num_draws * num_classes, num_points)

    def of_chunk(start: jax.Array) -> jax.Array:
        mean, ratios, excess, divergences = (jax.lax.dynamic_slice_in_dim(leaf, start, size) for leaf in points)
        mixed = jnp.einsum("fk,nkc->nfc", doubts, ratios, precision=jax.lax.Precision.HIGHEST)
        terms = excess * (jnp.sum(doubts, axis=1)[None, :, None] + mixed) + ratios * mixed
        of_draws = jnp.matmul(divergences, jnp.sum(doubts, axis=0), precision=jax.lax.Precision.HIGHEST)
        return of_draws - jnp.sum(mean * jnp.sum(terms, axis=1), axis=1)

    return map_chunks(of_chunk, num_points, size)


def _divergence_of_means(points: Points, beliefs: Beliefs) -> Float[Array, " N"]:
    """``E_m KL(Σ_k w_mk p_k ‖ p_f)``, some points at a time with all configurations."""
    num_points, num_classes = points.mean.shape
    weights, draws = beliefs.weights, jnp.arange(points.ratios.shape[1])
    is_favourite = (beliefs.favourites[:, None] == draws[None]).astype(weights.dtype)

    def of_chunk(start: jax.Array) -> jax.Array:
        mean, ratios, excess, _ = (jax.lax.dynamic_slice_in_dim(leaf, start, chunk_size) for leaf in points)
        shifts = jnp.einsum("mk,nkc->mnc", beliefs.shifts, ratios, precision=jax.lax.Precision.HIGHEST)
        # A product with zeros and ones, which is faster on CPUs than taking rows.
        reference = jnp.einsum(
            "mk,nkc->mnc", is_favourite, jnp.exp(ratios + excess), precision=jax.lax.Precision.HIGHEST
        )
        terms = mean[None] * reference * psi(shifts / reference)
        return jnp.matmul(weights, jnp.sum(terms, axis=-1), precision=jax.lax.Precision.HIGHEST)

    chunk_size = rows_per_chunk(len(weights) * num_classes, num_points)
    return map_chunks(of_chunk, num_points, chunk_size)


def _divergence_of_means_one_by_one(points: Points, beliefs: Beliefs) -> Float[Array, " N"]:
    """`_divergence_of_means`, each point with some configurations at a time."""
    num_configurations, num_classes = len(beliefs.weights), points.mean.shape[1]
    size = rows_per_chunk(num_classes, num_configurations, _CACHED_PREDICTIONS)

    def of_point(point: Points) -> jax.Array:
        references = jax.lax.optimization_barrier(jnp.exp(point.ratios + point.excess))

        def of_configurations(start: jax.Array) -> jax.Array:
            favourites, rows, weights = (
                jax.lax.dynamic_slice_in_dim(leaf, start, size)
                for leaf in (beliefs.favourites, beliefs.shifts, beliefs.weights)
            )
            reference = references[favourites]
            shifts = jnp.matmul(rows, point.ratios, precision=jax.lax.Precision.HIGHEST)
            return weights * jnp.sum(point.mean[None] * reference * psi(shifts / reference), axis=1)

        return jnp.sum(map_chunks(of_configurations, num_configurations, size))

    return jax.lax.map(of_point, points)
