"""Pairs of points as inner products: χ², and the bounds on mutual information that it gives.

With the centred ratios ``x`` of `lbb_jax.relative_entropy`, ``D_cd = mean_k x_ik(c) x_jk(d)`` and the weights
``w_cd = p̄_i(c) p̄_j(d)``, mutual information is ``I(y_i; y_j) = Σ_cd w_cd ψ(D_cd)``. The sums

    χ²_ij = Σ_cd w_cd D_cd² = Σ_kl B_i(k,l) B_j(k,l),      B_i(k,l)   = Σ_c p̄_i(c) x_ik(c) x_il(c) / K,
    T_ij  = Σ_cd w_cd D_cd³ = Σ_klm B_i(k,l,m) B_j(k,l,m),  B_i(k,l,m) = Σ_c p̄_i(c) x_ik(c) x_il(c) x_im(c) / K^1.5

are inner products of moments of each point, whatever the number of classes: those with one point are a matrix-vector
product over the pool. As the ratios add up to 0 over the draws, ``K - 1`` coordinates hold them, and the second moments
are ``K (K - 1) / 2`` numbers, the third ``(K - 1) K (K + 1) / 6``. χ² is twice the mutual information where the draws
differ little, and gives an upper bound of it: ``I ≤ log(1 + χ²)``.

From below, ``F(u) = ψ(u) / u² = ∫_0^1 (1 - t) / (1 + t u) dt`` is convex, as ``1 / (1 + t u)`` is. So by Jensen's
inequality, with ``w_cd D_cd² / χ²`` as probabilities,

    I = Σ_cd w_cd D_cd² F(D_cd) ≥ χ² F(T / χ²),

which leaves very little open. Without third moments, ``D_cd`` is at most ``σ_i(c) σ_j(d)`` with
``σ(c)² = mean_k x_k(c)²``, so ``F(D_cd) ≥ F(σ_i(c) σ_j(d)) ≥ √F(σ_i(c)²) √F(σ_j(d)²)``, as ``F`` falls and ``log F`` is
concave in ``log u``: with each class weighted by ``√F(σ(c)²)``, χ² itself turns into a lower bound.

Moments have the points along their last axis: sums over short last axes are slow on CPUs.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lbb_jax.batching import is_on_cpu, map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import centre, psi

# Rounding must not raise a lower bound above what it bounds: relative to the bound, and to the norms of both points,
# where what they add up to has cancelled.
_MARGIN, _MARGIN_OF_NORMS = 1e-5, 5e-7
# F is steep below this, so that rounding would matter. It falls, so that its value here is a lower bound there.
_LOWEST_SKEW = -0.9
# Third moments are used where all moments are at most this many times as many numbers as the predictions.
_MOST_NUMBERS_PER_PREDICTION = 2.5
# With more draws, moments are a matrix product large enough to be fast on CPUs.
_MANY_DRAWS = 16
# Points at a time for few draws on a CPU, so that their moments stay in the cache.
_CACHED_POINTS = 512
_HIGHEST = jax.lax.Precision.HIGHEST


class Moments(NamedTuple):
    """What the bounds on pairs of ``N`` points are inner products of.

    Attributes:
      second: Second moments, whose inner products are χ²; ``[D, N]``.
      third: Third moments, whose inner products are ``T``, ``[E, N]``; ``[0, N]`` where classes are weighted instead,
        and the inner products of the second moments are lower bounds themselves.
    """

    second: Float[Array, "D N"]
    third: Float[Array, "E N"]


def costs_less_than_pairs(num_draws: int, num_classes: int) -> bool:
    """Whether second moments are no more numbers than predictions; with more draws a pair costs less than these."""
    return num_draws + 1 <= 2 * num_classes


def has_third_moments(num_draws: int, num_classes: int) -> bool:
    """Whether third moments take little enough memory beside the predictions."""
    size = num_coordinates(num_draws)
    num_moments = size * (size + 1) * (size + 5) // 6
    return num_moments <= _MOST_NUMBERS_PER_PREDICTION * num_draws * num_classes


def second_moments(log_probs: Float[Array, "N K C"]) -> Float[Array, "D N"]:
    """Moments of ``log_probs[N, K, C]`` whose inner product for two points is their χ²."""
    return _in_chunks(log_probs, weighted=False, third=False).second


def bound_moments(log_probs: Float[Array, "N K C"]) -> Moments:
    """Moments of ``log_probs[N, K, C]`` for `lower_bounds` and `upper_bounds`."""
    third = has_third_moments(*log_probs.shape[1:])
    return _in_chunks(log_probs, weighted=not third, third=third)


def lower_bounds(points: Moments, others: Moments) -> Float[Array, "M N"]:
    """Lower bounds of the mutual information of each of ``M`` others with each of ``N`` points, in nats."""
    bounds = inner_products(points.second, others.second)
    if len(points.third) > 0:
        skew = _matmul(points.third, others.third) / jnp.where(bounds > 0, bounds, 1)
        bounds = bounds * _psi_over_square(jnp.maximum(skew, _LOWEST_SKEW))
    return jnp.maximum(bounds * (1 - _MARGIN) - _slack(points, others), 0)


def upper_bounds(points: Moments, others: Moments, num_draws: int) -> Float[Array, "M N"]:
    """Upper bounds of the mutual information of each of ``M`` others with each of ``N`` points, in nats."""
    products = most_of_products(points, others)
    if len(points.third) == 0:
        # No class has a weight below `F(K - 1)`.
        products = products / _psi_over_square(jnp.float32(num_draws - 1))
    return jnp.log1p(products)


def most_of_products(points: Moments, others: Moments) -> Float[Array, "M N"]:
    """Upper bounds of the inner products of second moments of each of ``M`` others with each of ``N`` points."""
    return inner_products(points.second, others.second) * (1 + _MARGIN) + _slack(points, others)


def inner_products(a: Float[Array, "D N"], b: Float[Array, "D M"]) -> Float[Array, "M N"]:
    """Inner products of the columns of ``b`` and ``a``, none below 0 by rounding."""
    return jnp.maximum(_matmul(a, b), 0)


def slack(second: Float[Array, "D N"]) -> Float[Array, " N"]:
    """A number for each point. Those of two points, multiplied, are the most that rounding adds to an inner product.

    The inner product is that of the moments of the two points.
    """
    num_terms = len(second) + 1
    return jnp.sqrt(jnp.sum(jnp.square(second), axis=0) * (_MARGIN_OF_NORMS * num_terms))


def _slack(points: Moments, others: Moments) -> Float[Array, "M N"]:
    return slack(others.second)[:, None] * slack(points.second)[None]


def _matmul(a: Float[Array, "D N"], b: Float[Array, "D M"]) -> Float[Array, "M N"]:
    return jnp.einsum("dm,dn->mn", b, a, precision=_HIGHEST)


def _psi_over_square(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``F(u) = ψ(u) / u²`` for ``u`` from -1 on; where ``u`` is tiny, its value beside it."""
    u = jnp.where(jnp.abs(u) < 1e-4, 1e-4, u)
    return psi(u) / jnp.square(u)


def _in_chunks(log_probs: Float[Array, "N K C"], *, weighted: bool, third: bool) -> Moments:
    """The moments of all points, some points at a time."""
    num_points, num_draws, num_classes = log_probs.shape
    size = rows_per_chunk(num_draws * max(num_draws, num_classes), num_points)
    if num_draws <= _MANY_DRAWS and is_on_cpu():
        size = min(num_points, _CACHED_POINTS)

    def of_chunk(start: jax.Array) -> Moments:
        chunk = jax.lax.dynamic_slice_in_dim(log_probs, start, size)
        return _moments(chunk, weighted=weighted, third=third)

    return map_chunks(of_chunk, num_points, size, axis=-1)


def _moments(log_probs: Float[Array, "N K C"], *, weighted: bool, third: bool) -> Moments:
    """The moments of points, all at once. Those of several draws are scaled by the root of the number of their orders.

    Classes are added one after another.
    """
    num_points, num_draws, num_classes = log_probs.shape
    # Centring goes along the axis of the draws, whatever the others are.
    mean, ratios = centre(jax.lax.optimization_barrier(jnp.transpose(log_probs, (2, 1, 0))))
    weights = mean
    if weighted:
        weights = mean * jnp.sqrt(_psi_over_square(jnp.mean(jnp.square(ratios), axis=1)))
    of_draws = coordinates(ratios)
    num_rows = of_draws.shape[1]
    rows, columns = np.tril_indices(num_rows)
    scale = jnp.asarray(np.where(rows == columns, 1, np.sqrt(2)) / num_draws, mean.dtype)[:, None]
    if num_draws > _MANY_DRAWS:
        scaled = of_draws * jnp.sqrt(weights)[:, None]
        products = jnp.einsum("ckn,cln->nkl", scaled, scaled, precision=_HIGHEST)
        return Moments(products[:, rows, columns].T * scale, jnp.zeros((0, num_points), mean.dtype))
    pairs, lowest = _triples(num_rows) if third else np.zeros((2, 0), int)
    of_draws, weights = jax.lax.optimization_barrier((of_draws, weights))

    def add_class(label: jax.Array, moments: Moments) -> Moments:
        of_class = of_draws[label]
        products = jax.lax.optimization_barrier(weights[label][None] * of_class[rows] * of_class[columns])
        return Moments(moments.second + products, moments.third + products[pairs] * of_class[lowest])

    nothing = Moments(*(jnp.zeros((len(index), num_points), mean.dtype) for index in (rows, pairs)))
    second, moments = jax.lax.fori_loop(0, num_classes, add_class, nothing)
    num_orders = [(1, 3, 6)[len({*three}) - 1] for three in zip(rows[pairs], columns[pairs], lowest, strict=True)]
    return Moments(second * scale, moments * jnp.asarray(np.sqrt(num_orders) / num_draws**1.5, mean.dtype)[:, None])


def coordinates(ratios: Float[Array, "A K B"]) -> Float[Array, "A L B"]:
    """The coordinates of numbers that add up to 0 over the draws: fewer by one, with the same inner products.

    They are those of Helmert's basis, each of whose vectors compares one draw with all before it. A single draw, whose
    number is 0, stays as it is.
    """
    num_draws = ratios.shape[1]
    if num_draws == 1:
        return ratios
    number = np.arange(1, num_draws)
    scale = 1 / np.sqrt(number * (number + 1))
    if num_draws > _MANY_DRAWS:
        basis = np.tri(num_draws - 1, num_draws) - np.eye(num_draws - 1, num_draws, 1) * number[:, None]
        basis = basis * scale[:, None]
        return jnp.einsum("lk,akb->alb", jnp.asarray(basis, ratios.dtype), ratios, precision=_HIGHEST)
    before = jnp.cumsum(ratios, axis=1)[:, :-1]
    compared = before - ratios[:, 1:] * jnp.asarray(number, ratios.dtype)[None, :, None]
    return compared * jnp.asarray(scale, ratios.dtype)[None, :, None]


def num_coordinates(num_draws: int) -> int:
    """How many `coordinates` there are."""
    return max(1, num_draws - 1)


def _triples(size: int) -> tuple[np.ndarray, np.ndarray]:
    """All ``k ≥ l ≥ m`` below ``size``: the number of ``(k, l)`` in the lower triangle, and ``m``."""
    columns = np.tril_indices(size)[1]
    triples = [(pair, lowest) for pair, column in enumerate(columns) for lowest in range(column + 1)]
    pairs, lowest = np.array(triples, int).reshape(-1, 2).T
    return pairs, lowest
