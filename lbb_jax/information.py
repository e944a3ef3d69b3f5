"""Mutual information and total correlation of a Bayesian model's predictions, in nats.

Conventions are those of `lbb_jax.entropy`. Every quantity is computed as a relative entropy, a sum of non-negative
terms (`lbb_jax.relative_entropy`). So, whatever the number of classes, its error is relative for all but tiny values:
in float32, BALD and pairs are within ``5e-5 I + 4e-7 √I`` of the value ``I`` of the same inputs. Draws that all agree
give exactly 0. Equation numbers refer to Rubashevskii, Kotova and Panov (SDM 2023).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lbb_jax import arguments, label_configurations
from lbb_jax.batching import map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import Centred, centre, divergence_terms, mean_over_draws, psi

_DRAWS_AT_A_TIME = 16
# From this many classes on, the joint distribution of one pair is a matrix product large enough to be fast on CPUs. It
# is computed some rows at a time, so that it stays in the cache.
_MANY_CLASSES = 32
_CACHED_PROBABILITIES = 2**15
# On CPUs, BALD is computed of about so many numbers at a time, and of a multiple of 16 points: the widest vector
# registers hold 16 float32 numbers.
_CACHED_PREDICTIONS = 2**19
_VECTOR = 16
_HIGHEST = jax.lax.Precision.HIGHEST


def mutual_information(log_probs: Float[ArrayLike, "N K C"]) -> Float[Array, " N"]:
    """Mutual information ``I(y_n; θ)`` of each point's label and the parameters: BALD (section 2.2.2).

    It is ``mean_k KL(p_k ‖ p̄)``, the mean relative entropy of the draws to their mean.

    Args:
      log_probs: ``[N, K, C]``.

    Returns:
      ``[N]``, nats, between 0 and ``min(log K, log C)``.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    return jax.lax.platform_dependent(log_probs, cpu=_divergence_by_chunks, default=_divergence_from_mean)


def _divergence_from_mean(log_probs: Float[Array, "N K C"]) -> Float[Array, " N"]:
    """``mean_k KL(p_k ‖ p̄)`` of each point, ``[N]``."""
    probs = jnp.exp(log_probs)
    terms = divergence_terms(probs, log_probs, mean_over_draws(probs)[:, None])
    return jnp.sum(terms, axis=(1, 2)) / log_probs.shape[1]


# Compiled once, also where it is called outside of a compiled function.
@jax.jit
def _divergence_by_chunks(log_probs: Float[Array, "N K C"]) -> Float[Array, " N"]:
    """`_divergence_from_mean` of a few points at a time, so that intermediates stay in a CPU's cache."""
    num_points, num_draws, num_classes = log_probs.shape
    size = _VECTOR * rows_per_chunk(_VECTOR * num_draws * num_classes, num_points, _CACHED_PREDICTIONS)

    def of_chunk(start: jax.Array) -> jax.Array:
        chunk = jax.lax.dynamic_slice_in_dim(log_probs, start, size)
        # Unless the chunk is copied, it is cut out of the pool again in each of the sums.
        return _divergence_from_mean(jax.lax.optimization_barrier(chunk))

    return map_chunks(of_chunk, num_points, size) if size < num_points else _divergence_from_mean(log_probs)


def pairwise_mutual_information(a: Float[ArrayLike, "N K C"], b: Float[ArrayLike, "M K C"]) -> Float[Array, "N M"]:
    """Mutual information ``I(y_i; y_j)`` of the labels of every point of ``a`` and every point of ``b``.

    It is ``Σ_cd p̄_i(c) p̄_j(d) ψ(D_cd)`` with ``D_cd = mean_k x_ik(c) x_jk(d)``: the relative entropy of the full
    ``C × C`` joint ``mean_k p(y_i | θ_k) p(y_j | θ_k)`` to the product of its marginals (appendix A.2). Pairs are taken
    in blocks, so that no more than about a million joint probabilities, or those of one pair, exist at a time. A point
    paired with itself counts as two points with independent labels given the parameters.

    Args:
      a: ``[N, K, C]``.
      b: ``[M, K, C]``, the same draws and classes.

    Returns:
      ``[N, M]``, nats.

    Raises:
      ValueError: If ``a`` and ``b`` differ in draws or classes.
    """
    a, b = arguments.as_predictions("a", a), arguments.as_predictions("b", b)
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(f"a{list(a.shape)} and b{list(b.shape)}: must agree in draws K and classes C")
    num_rows, num_columns, num_classes = a.shape[0], b.shape[0], a.shape[2]
    column_chunk = rows_per_chunk(num_classes**2, num_columns)
    row_chunk = rows_per_chunk(column_chunk * num_classes**2, num_rows)

    def columns(column: jax.Array) -> jax.Array:
        block_b = centre(jax.lax.dynamic_slice_in_dim(b, column, column_chunk))

        def rows(row: jax.Array) -> jax.Array:
            return information_of_pairs(centre(jax.lax.dynamic_slice_in_dim(a, row, row_chunk)), block_b)

        return map_chunks(rows, num_rows, row_chunk).T

    return map_chunks(columns, num_columns, column_chunk).T


def information_of_pairs(a: Centred, b: Centred) -> Float[Array, "n m"]:
    """`pairwise_mutual_information` of points relative to their means, all pairs at once.

    Args:
      a: ``n`` points.
      b: ``m`` points, the same draws; their classes may be others.

    Returns:
      ``[n, m]``, nats.
    """

    def together(a: Centred, b: Centred) -> jax.Array:
        # This order of axes is that of a matrix product, so that no axis is moved.
        products = jnp.einsum("nkc,mkd->ncmd", a.ratios, b.ratios, precision=_HIGHEST)
        terms = psi(products / a.ratios.shape[1])
        return jnp.einsum("ncmd,nc,md->nm", terms, a.mean, b.mean, precision=_HIGHEST)

    def one_by_one(a: Centred, b: Centred) -> jax.Array:
        return jax.lax.map(lambda point: jax.lax.map(lambda other: _weighted_pair(point, other, psi), b), a)

    if a.mean.shape[1] < _MANY_CLASSES:
        return together(a, b)
    return jax.lax.platform_dependent(a, b, cpu=one_by_one, default=together)


def paired_mutual_information(a: Float[ArrayLike, "M K C"], b: Float[ArrayLike, "M K C"]) -> Float[Array, " M"]:
    """Mutual information ``I(y_i; y'_i)`` of the labels of each point of ``a`` and its counterpart in ``b``.

    Args:
      a: ``[M, K, C]``.
      b: ``[M, K, C]``.

    Returns:
      ``[M]``, nats: the diagonal of `pairwise_mutual_information`.

    Raises:
      ValueError: If ``a`` and ``b`` differ in shape.
    """
    a, b = arguments.as_predictions("a", a), arguments.as_predictions("b", b)
    if a.shape != b.shape:
        raise ValueError(f"a{list(a.shape)} and b{list(b.shape)}: must have the same shape")
    return weighted_pairs(centre(a), centre(b), psi)


def weighted_pairs(a: Centred, b: Centred, function: Callable[[Array], Array]) -> Float[Array, " M"]:
    """``Σ_cd p̄_i(c) p̄'_i(d) f(D_cd)`` of each point of ``a`` and its counterpart in ``b``.

    Args:
      a: ``M`` points.
      b: ``M`` points.
      function: ``f``, elementwise: ``ψ`` for mutual information.

    Returns:
      ``[M]``.
    """

    def together(a: Centred, b: Centred) -> jax.Array:
        return _weighted_pairs_in_chunks(a, b, function)

    def one_by_one(a: Centred, b: Centred) -> jax.Array:
        return jax.lax.map(lambda pair: _weighted_pair(pair[0], pair[1], function), (a, b))

    if a.mean.shape[1] < _MANY_CLASSES:
        return together(a, b)
    return jax.lax.platform_dependent(a, b, cpu=one_by_one, default=together)


def _weighted_pairs_in_chunks(a: Centred, b: Centred, function: Callable[[Array], Array]) -> Float[Array, " M"]:
    """`weighted_pairs`, many at a time."""
    num_points, num_draws, num_classes = a.ratios.shape

    def of_chunk(start: jax.Array) -> jax.Array:
        block_a, block_b = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), (a, b))

        # Small matrix products, one for each pair, are slow on CPUs; sums over draws are not.
        def add_draw(joint: jax.Array, ratios: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            return joint + ratios[0][:, :, None] * ratios[1][:, None, :], None

        products = jnp.zeros((size, num_classes, num_classes), a.mean.dtype)
        draws = (jnp.moveaxis(block_a.ratios, 1, 0), jnp.moveaxis(block_b.ratios, 1, 0))
        products, _ = jax.lax.scan(add_draw, products, draws, unroll=min(num_draws, _DRAWS_AT_A_TIME))
        terms = block_a.mean[:, :, None] * block_b.mean[:, None, :] * function(products / num_draws)
        return jnp.sum(terms, axis=(1, 2))

    size = rows_per_chunk(num_classes**2, num_points)
    return map_chunks(of_chunk, num_points, size)


def _weighted_pair(a: Centred, b: Centred, function: Callable[[Array], Array]) -> Float[Array, ""]:
    """``Σ_cd p̄(c) p̄'(d) f(D_cd)`` of one pair of points of many classes, ``[]``."""
    num_draws, num_classes = a.ratios.shape
    size = rows_per_chunk(len(b.mean), num_classes, _CACHED_PROBABILITIES)

    def of_rows(start: jax.Array) -> jax.Array:
        mean = jax.lax.dynamic_slice_in_dim(a.mean, start, size)
        ratios = jax.lax.dynamic_slice_in_dim(a.ratios, start, size, axis=1)
        products = jnp.matmul(ratios.T, b.ratios, precision=_HIGHEST) / num_draws
        return mean * jnp.matmul(function(products), b.mean, precision=_HIGHEST)

    return jnp.sum(map_chunks(of_rows, num_classes, size))


def joint_mutual_information(log_probs: Float[ArrayLike, "b K C"]) -> Float[Array, ""]:
    """Mutual information ``I(y_1..y_b; θ)`` of a batch's labels and the parameters: BatchBALD, exact (section 2.2.3).

    It is the BALD of the batch as one point, whose classes are its label configurations.

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      ``[]``, nats, at most ``log K``.

    Raises:
      ValueError: If the batch has more than ``10**7`` label configurations.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    first, second = label_configurations.enumerate_halves(log_probs)

    def of_row(start: jax.Array) -> jax.Array:
        rows = jax.lax.dynamic_slice_in_dim(first, start, chunk_size)
        joint = rows[:, :, None] + second.T[None]
        return mutual_information(joint)

    chunk_size = rows_per_chunk(second.size, len(first))
    return jnp.sum(map_chunks(of_row, len(first), chunk_size))


def total_correlation(log_probs: Float[ArrayLike, "b K C"]) -> Float[Array, ""]:
    """Total correlation ``Σ_i H[y_i] - H[y_1..y_b]`` of a batch's labels, exact (Eq. 2.7).

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      ``[]``, nats: the sum of the batch's BALD scores minus its BatchBALD (Eq. 2.8). It is computed as the relative
      entropy of the joint distribution to the product of its marginals.

    Raises:
      ValueError: If the batch has more than ``10**7`` label configurations.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    label_configurations.check_can_enumerate(log_probs.shape)
    points, middle = centre(log_probs), len(log_probs) // 2
    first, second = _excess(points, 0, middle), _excess(points, middle, len(log_probs))
    chunk_size = rows_per_chunk(len(second.weights), len(first.weights))

    def of_rows(start: jax.Array) -> jax.Array:
        rows = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, chunk_size), first)
        together = jnp.matmul(rows.linear + rows.excess, (second.linear + second.excess).T, precision=_HIGHEST)
        apart = jnp.sum(rows.excess, axis=1)[:, None] + jnp.sum(second.excess, axis=1)[None]
        terms = psi((apart + together) / log_probs.shape[1])
        return rows.weights * jnp.matmul(terms, second.weights, precision=_HIGHEST)

    return jnp.sum(map_chunks(of_rows, len(first.weights), chunk_size))


class _Excess(NamedTuple):
    """By how much each draw exceeds independence on the label configurations of some points.

    ``Π_i (1 + x_ik)`` of a configuration is ``1 + linear + excess``. The linear part has mean 0 over the draws, so the
    mean of the excess alone is what the joint distribution adds to the product of its marginals.

    Attributes:
      weights: Product of the marginals, ``[M]``.
      linear: ``Σ_i x_ik``, ``[M, K]``.
      excess: ``[M, K]``.
    """

    weights: Float[Array, " M"]
    linear: Float[Array, "M K"]
    excess: Float[Array, "M K"]


def _excess(points: Centred, start: int, stop: int) -> _Excess:
    """The excess of all configurations of the points from ``start`` to before ``stop``."""
    num_draws, dtype = points.ratios.shape[1], points.mean.dtype
    weights = jnp.ones(1, dtype)
    linear = excess = jnp.zeros((1, num_draws), dtype)
    for point in range(start, stop):
        ratios = points.ratios[point].T[None]
        linear, excess = linear[:, None], excess[:, None]
        excess = (excess + ratios * (linear + excess)).reshape(-1, num_draws)
        linear = (linear + ratios).reshape(-1, num_draws)
        weights = (weights[:, None] * points.mean[point][None]).reshape(-1)
    return _Excess(weights, linear, excess)


def pairwise_total_correlation(log_probs: Float[ArrayLike, "b K C"], *, pair_weight: float = 1.0) -> Float[Array, ""]:
    """The paper's approximation ``Σ_{i<j} I(y_i; y_j)`` of the total correlation (Eq. 2.10).

    Args:
      log_probs: The batch, ``[b, K, C]``.
      pair_weight: What each pair counts. 1 agrees with `total_correlation` for two points; 2 is Eq. 2.10 as printed,
        which sums over ordered pairs.

    Returns:
      ``[]``, nats. It grows with ``b**2`` and can exceed the sum of BALD scores.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    if arguments.are_known(pair_weight):
        arguments.check_finite_and_not_negative("pair_weight", pair_weight)
    pairs = pairwise_mutual_information(log_probs, log_probs)
    return pair_weight * jnp.sum(jnp.triu(pairs, k=1))


def tree_total_correlation(log_probs: Float[ArrayLike, "b K C"]) -> Float[Array, ""]:
    """Total correlation of the batch's best dependence tree (Chow and Liu, 1968): the maximum spanning tree of the
    pairwise mutual information.

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      ``[]``, nats: at most `total_correlation`, equal to it for up to two points.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    pairs = pairwise_mutual_information(log_probs, log_probs)

    def attach(_: int, state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        total, in_tree, strongest_link = state
        candidates = jnp.where(in_tree, -jnp.inf, strongest_link)
        added = jnp.argmax(candidates)
        return (
            total + candidates[added],
            in_tree.at[added].set(True),
            jnp.maximum(strongest_link, pairs[added]),
        )

    first = (jnp.zeros((), pairs.dtype), jnp.arange(len(pairs)) == 0, pairs[0])
    return jax.lax.fori_loop(0, len(pairs) - 1, attach, first)[0]
