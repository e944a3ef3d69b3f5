"""Pairs of points as inner products: χ², and the bounds on mutual information that it gives.

With the centred ratios ``x`` of `lbb_jax.relative_entropy` and ``D_cd = mean_k x_ik(c) x_jk(d)``,

    χ²_ij = Σ_cd p̄_i(c) p̄_j(d) D_cd² = Σ_kl B_i(k,l) B_j(k,l),    B_i(k,l) = Σ_c p̄_i(c) x_ik(c) x_il(c) / K,

an inner product of ``K (K + 1) / 2`` numbers for each point, whatever the number of classes: all pairs with one point
are a matrix-vector product over the pool. It is twice the mutual information where the draws differ little, and bounds
it:

    I(y_i; y_j) ≤ log(1 + χ²_ij).

From below, let ``F(u) = ψ(u) / u²``, which falls from 1/2 as ``u`` grows. ``D_cd`` is at most ``σ_i(c) σ_j(d)`` with
``σ(c)² = mean_k x_k(c)²``, so ``ψ(D_cd) ≥ D_cd² F(σ_i(c) σ_j(d))``; and ``log F`` is concave in ``log u``, so that
``F(st) ≥ √F(s²) √F(t²)``. So weighting each class by ``√F(σ(c)²)`` turns the inner product into a lower bound of
``I(y_i; y_j)``, tighter than ``F(K - 1) χ²``, which is the same with every class at its worst.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lbb_jax.relative_entropy import Centred, psi

# Rounding must not raise a bound above what it bounds.
_MARGIN = 1e-5


def costs_less_than_pairs(num_draws: int, num_classes: int) -> bool:
    """Whether a point has no more features than probabilities; with more draws, pairs cost less than features."""
    return num_draws + 1 <= 2 * num_classes


def features(points: Centred) -> Float[Array, "N F"]:
    """Features whose inner product for two points is their χ².

    Args:
      points: ``N`` points.

    Returns:
      ``[N, K (K + 1) / 2]``.
    """
    return _draw_products(points, points.mean)


def lower_bound_features(points: Centred) -> Float[Array, "N F"]:
    """Features whose inner product for two points is a lower bound of their mutual information, in nats.

    Args:
      points: ``N`` points.

    Returns:
      ``[N, K (K + 1) / 2]``.
    """
    largest = jnp.mean(jnp.square(points.ratios), axis=1)
    return _draw_products(points, points.mean * jnp.sqrt(_psi_over_square(largest))) * (1 - _MARGIN) ** 0.5


def upper_bound(lower_bound: Float[Array, "*shape"], num_draws: int) -> Float[Array, "*shape"]:
    """An upper bound of mutual information from the lower bound of `lower_bound_features`, in nats, elementwise.

    No weight is below ``F(K - 1)``, so χ² is at most the lower bound divided by it.
    """
    return jnp.log1p(jnp.maximum(lower_bound, 0) * (1 + 2 * _MARGIN) / _psi_over_square(jnp.float32(num_draws - 1)))


def _psi_over_square(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``F(u) = ψ(u) / u²`` for ``u`` from 0 on."""
    u = jnp.maximum(u, 1e-4)
    return psi(u) / jnp.square(u)


def _draw_products(points: Centred, weights: Float[Array, "N C"]) -> Float[Array, "N F"]:
    """``Σ_c weights(c) x_k(c) x_l(c) / K`` for ``k ≥ l``, off the diagonal times √2, ``[N, K (K + 1) / 2]``."""
    num_draws = points.ratios.shape[1]
    scaled = points.ratios * jnp.sqrt(weights)[:, None]
    products = jnp.einsum("nkc,nlc->nkl", scaled, scaled, precision=jax.lax.Precision.HIGHEST)
    rows, columns = np.tril_indices(num_draws)
    scale = np.where(rows == columns, 1, np.sqrt(2)) / num_draws
    return products[:, rows, columns] * jnp.asarray(scale, products.dtype)[None]
