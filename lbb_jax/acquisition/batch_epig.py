"""Batch EPIG: a batch whose labels tell as much as possible about the labels of target points.

EPIG (`lbb_jax.acquisition.epig`) scores every point by itself, so that the points of a batch of its highest scores can
repeat one another's information. Here a point is worth what it tells about the targets once the batch's labels are
known,

    E_m mean_j I(y_x; y_j | m),

where the label configuration ``m`` of the batch turns the uniform weights of the draws into posterior weights
``w_mk ∝ Π_s p(y_s^m | θ_k)``, as in BatchBALD (`lbb_jax.acquisition.batch_bald`); no model is trained again. The gains
of a batch add up to ``mean_j I(y_1..y_b; y_j)`` (for targets outside the batch). The expected predictive information
gain of a batch is due to Bickford Smith et al. (AISTATS 2023); the estimate by posterior weights is this project's own.

With ``x_k(c) = (p_k(c) - p̄(c)) / p̄(c)`` relative to the weighted mean ``p̄ = Σ_k w_k p_k``, and
``D_cd = Σ_k w_k x_xk(c) x_jk(d)``, the information of a pair is ``Σ_cd p̄_x(c) p̄_j(d) ψ(D_cd)``, at most ``log(1 + χ²)``
with ``χ² = Σ_cd p̄_x(c) p̄_j(d) D_cd²``. The mean of χ² over all targets is a quadratic form in the draws and needs no
loop over targets. Only points that this bound cannot rule out are evaluated (`lbb_jax.acquisition.lazy_greedy`).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import arguments, label_configurations
from lbb_jax.acquisition import lazy_greedy
from lbb_jax.acquisition.batch_bald import pick_given_labels
from lbb_jax.acquisition.epig import Targets, choose_targets, mean_over_others
from lbb_jax.acquisition.selection import Acquisition
from lbb_jax.batching import map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import Centred, centre, psi

_HIGHEST = jax.lax.Precision.HIGHEST
# Rounding must not lower a bound below what it bounds.
_MARGIN = 1e-4
# Gains that differ by less than this share are equal: rounding depends on the place of a point in its block.
_RESOLUTION = 1e-5


def batch_epig(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    targets: Float[ArrayLike, "T K C"] | None = None,
    num_targets: int = 100,
    num_samples: int = 50,
    target_weights: Float[ArrayLike, " C"] | None = None,
) -> Acquisition:
    """Picks the point that tells most about the targets, given the labels of those picked before, repeatedly.

    A batch of one point is that of `epig` with the same key and targets. A point is not its own target.

    Args:
      key: Random key, consumed by the drawing of targets and the sampling.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      targets: ``[T, K, C]``, every row a valid prediction, by the same draws as ``log_probs``; None to draw targets
        from the pool.
      num_targets: Static, at least 1: how many available points are drawn, uniformly and without replacement, where
        ``targets`` is None; all that are available if these are fewer.
      num_samples: Static, at least 1: the largest number of label configurations of the batch that are considered. A
        gain is exact while the batch has no more configurations than this. Time grows with ``T`` times this.
      target_weights: ``[C]``, at least 0: how much the classes count, as for `epig`. None for equal weights.

    Returns:
      The picks; the scores are their gains in nats.

    Raises:
      ValueError: If ``targets`` and ``log_probs`` differ in draws or classes, or ``target_weights`` are not as above.
    """
    key = arguments.check_key("key", key)
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    num_samples = arguments.check_positive_integer("num_samples", num_samples)
    key, chosen = choose_targets(key, log_probs, available, targets, num_targets, target_weights)
    pick = functools.partial(_pick, centre(log_probs), _About(centre(chosen.log_probs), chosen))
    no_labels = label_configurations.empty(log_probs.shape[1], log_probs.dtype)
    return pick_given_labels(
        key,
        log_probs,
        available,
        pick(available, no_labels, jnp.ones(1, log_probs.dtype)),
        pick,
        lambda picked: picked.indices,
        batch_size=batch_size,
        num_samples=num_samples,
    )


class _About(NamedTuple):
    """The targets, and their predictions relative to their means."""

    points: Centred
    targets: Targets


def _pick(
    pool: Centred,
    about: _About,
    remaining: Bool[Array, " N"],
    log_likelihoods: Float[Array, "M K"],
    weights: Float[Array, " M"],
) -> Acquisition:
    """The point with the highest gain, given the configurations of the batch so far and their weights."""
    posterior = label_configurations.posterior(log_likelihoods)
    bounds = jnp.where(remaining, _bounds(pool, about, posterior, weights), -jnp.inf)

    def refresh(places: jax.Array, known: lazy_greedy.Known, details: lazy_greedy.PerPoint) -> lazy_greedy.Known:
        del details
        block = jax.tree.map(lambda leaf: leaf[places], pool)
        gains = _gains(block, places, about, posterior, weights)
        return known._replace(bounds=gains, num_seen=known.num_seen + 1)

    rules = lazy_greedy.Rules(refresh)
    search = lazy_greedy.begin(bounds, (), rules)
    num_targets, _, num_classes = about.points.ratios.shape
    block_size = rows_per_chunk(num_targets * num_classes**2, len(bounds))
    search = lazy_greedy.settle(search, rules, 1, block_size=block_size)
    index, gain, _, _, _ = lazy_greedy.take_best(search, 1, resolution=_RESOLUTION)
    return Acquisition(index, gain)


def _under(points: Centred, draw_weights: Float[Array, " K"]) -> Centred:
    """The predictions relative to their means under the weights of the draws."""
    shift = jnp.einsum("k,nkc->nc", draw_weights, points.ratios, precision=_HIGHEST)
    possible = shift > -1
    ratios = (points.ratios - shift[:, None]) / jnp.where(possible, 1 + shift, 1)[:, None]
    return Centred(points.mean * jnp.where(possible, 1 + shift, 0), jnp.where(possible[:, None], ratios, 0))


def _gains(
    block: Centred,
    places: Int32[Array, " n"],
    about: _About,
    posterior: Float[Array, "M K"],
    weights: Float[Array, " M"],
) -> Float[Array, " n"]:
    """``E_m mean_j I(y_x; y_j | m)`` of the points of ``block``, whose indices are ``places``, in nats."""
    num_targets, _, num_classes = about.points.ratios.shape
    chunk_size = rows_per_chunk(len(places) * num_classes**2, num_targets)

    def add(total: jax.Array, configuration: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        weight, draw_weights = configuration
        points = _under(block, draw_weights)
        weighted = points.ratios * draw_weights[None, :, None]

        def of_chunk(start: jax.Array) -> jax.Array:
            chunk = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, chunk_size), about.points)
            targets = _under(chunk, draw_weights)
            products = jnp.einsum("nkc,tkd->nctd", weighted, targets.ratios, precision=_HIGHEST)
            return jnp.einsum("nctd,nc,td->tn", psi(products), points.mean, targets.mean, precision=_HIGHEST)

        return total + weight * map_chunks(of_chunk, num_targets, chunk_size).T, None

    nothing = jnp.zeros((len(places), num_targets), posterior.dtype)
    pairs, _ = jax.lax.scan(add, nothing, (weights, posterior))
    return mean_over_others(pairs, places, about.targets)


def _bounds(
    pool: Centred, about: _About, posterior: Float[Array, "M K"], weights: Float[Array, " M"]
) -> Float[Array, " N"]:
    """``E_m log(1 + mean_j χ²_xj)``, which no gain exceeds, as the logarithm is concave."""
    num_points, num_draws, num_classes = pool.ratios.shape
    of_targets = about.targets.weights
    # The mean is over the other targets, whose weights add up to less.
    own = jnp.zeros(num_points, of_targets.dtype).at[about.targets.indices].add(of_targets, mode="drop")
    others = jnp.sum(of_targets) - own
    per_weight = 1 / jnp.where(others > 0, others, 1)

    def of_chunk(start: jax.Array) -> jax.Array:
        block = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, chunk_size), pool)
        scale = jax.lax.dynamic_slice_in_dim(per_weight, start, chunk_size)

        def add(total: jax.Array, configuration: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            weight, draw_weights, form = configuration
            points = _under(block, draw_weights)
            weighted = points.ratios * draw_weights[None, :, None]
            spread = jnp.einsum("nkc,kl->nlc", weighted, form, precision=_HIGHEST)
            chi_squared = jnp.sum(points.mean[:, None] * spread * weighted, axis=(1, 2))
            return total + weight * jnp.log1p(jnp.maximum(chi_squared, 0) * scale), None

        return jax.lax.scan(add, jnp.zeros(chunk_size, posterior.dtype), (weights, posterior, forms))[0]

    def form(draw_weights: jax.Array) -> jax.Array:
        """``Σ_j v_j Σ_d p̄_j(d) x_jk(d) x_jl(d)``, ``[K, K]``."""
        targets = _under(about.points, draw_weights)
        weighted = targets.ratios * (targets.mean * of_targets[:, None])[:, None]
        return jnp.einsum("tkd,tld->kl", weighted, targets.ratios, precision=_HIGHEST)

    forms = jax.lax.map(form, posterior)
    chunk_size = rows_per_chunk(num_draws * num_classes, num_points)
    return map_chunks(of_chunk, num_points, chunk_size) * (1 + _MARGIN)
