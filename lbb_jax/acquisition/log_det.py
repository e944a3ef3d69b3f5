"""Log-det: the joint information of a batch in closed form, with the draws taken as Gaussian.

With ``Z_x(k,c) = (p_k(c) - p̄(c)) / √(K p̄(c))`` a batch ``S`` is worth ``½ log det M``, ``M = I + Σ_{x∈S} Z_x Z_xᵀ``
with the identity matrix ``I``, and the gain of a point is ``½ log det(I + Z_xᵀ M⁻¹ Z_x)`` (matrix determinant lemma), a
determinant of ``min(K - 1, C)`` rows, as ``K - 1`` coordinates hold deviations from the mean
(`lbb_jax.chi_squared.coordinates`). The sum is monotone and submodular: gains are never negative and only fall as the
batch grows. It needs no sampling, and it does not end at ``log K`` as joint information does.

Points are evaluated lazily. The ``r = min(K, C) - 1`` eigenvalues of ``Z_xᵀ M⁻¹ Z_x`` that can differ from 0 have the
mean ``t / r`` with ``t = tr(M⁻¹ Z_x Z_xᵀ)``, and the logarithm is concave, so

    gain ≤ ½ r log(1 + t / r) ≤ ½ t.

``t`` is an inner product of ``M⁻¹`` with the second moments of `lbb_jax.chi_squared`, which are ``Z_x Z_xᵀ``: bounds of
the whole pool are a matrix-vector product, and determinants are computed only where these leave the winner open.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import arguments, chi_squared
from lbb_jax.acquisition import dense_greedy, lazy_greedy
from lbb_jax.acquisition.greedy import greedy
from lbb_jax.acquisition.selection import NO_POINT, Acquisition, Ranked
from lbb_jax.batching import map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import centre

_HIGHEST = jax.lax.Precision.HIGHEST
# Numbers in the determinants evaluated at a time: few enough to waste little.
_NUMBERS_AT_A_TIME = 2**9
_FEWEST_AT_A_TIME = 16
_LARGEST_CHUNK = 2**23
_LARGEST_CHUNK_OF_ALL = 2**28
# Rounding must not lower a bound below what it bounds. The second is relative to the trace without a batch, of which
# little may be left.
_MARGIN, _MARGIN_OF_TRACE = 1e-5, 1e-6

# Gains that differ by less than this share are equal: rounding depends on the place of a point in its block.
_RESOLUTION = 1e-6


def log_det(
    key: jax.Array, log_probs: Float[ArrayLike, "N K C"], available: Bool[ArrayLike, " N"], *, batch_size: int
) -> Acquisition:
    """Picks the point of the highest gain in ``½ log det(I + Σ_x Z_x Z_xᵀ)``, again and again.

    Args:
      key: Ignored: the method is deterministic.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.

    Returns:
      The picks; the scores are their gains in nats.
    """
    del key
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    return pick_log_det(log_probs, available, batch_size=batch_size).acquisition


def gains_by_themselves(log_probs: Float[Array, "N K C"]) -> Float[Array, " N"]:
    """``½ log det(I + Z_x Z_xᵀ)`` of each point of ``log_probs[N, K, C]``, in nats, ``[N]``."""
    pool = _Pool(log_probs)
    identity = pool.empty_batch()

    def of_chunk(start: jax.Array) -> jax.Array:
        points = start + jnp.arange(size, dtype=jnp.int32)
        return pool.gains(identity, points, pool.moments_of(points))

    num_points, num_draws, num_classes = log_probs.shape
    size = rows_per_chunk(num_draws * max(num_draws, num_classes), num_points)
    return map_chunks(of_chunk, num_points, size)


def pick_log_det(
    log_probs: Float[Array, "N K C"],
    available: Bool[Array, " N"],
    *,
    batch_size: int,
    front_size: int = lazy_greedy.FRONT_SIZE,
    form: str = "auto",
) -> Ranked:
    """The picks of `log_det`, whose arguments these are, with what they took.

    ``form`` is that of `lbb_jax.acquisition.dense_greedy.is_chosen`.
    """
    pool = _Pool(log_probs)
    if dense_greedy.is_chosen(form, pool.numbers_per_step):
        return _pick_evaluating_all(pool, available, batch_size)
    bounds = jnp.where(available, pool.bounds(pool.traces, pool.traces), -jnp.inf)
    batch = pool.empty_batch()
    search = lazy_greedy.begin(bounds, (), _rules(pool, _whitening(batch), jnp.int32(0)), front_size=front_size)

    def pick(
        carry: tuple[lazy_greedy.Search, jax.Array], num_picked: jax.Array
    ) -> tuple[tuple[lazy_greedy.Search, jax.Array], Acquisition]:
        search, batch = carry
        # What is known before the first evaluation are bounds, so evaluations are numbered from 1 on.
        whitening, num_seen = _whitening(batch), num_picked + 1
        search = _lower_front(pool, whitening, search)
        search = lazy_greedy.settle(search, _rules(pool, whitening, num_seen), num_seen, block_size=pool.block_size)
        index, gain, _, moments, search = lazy_greedy.take_best(search, num_seen, resolution=_RESOLUTION)
        batch = batch + jnp.where(index != NO_POINT, pool.products(index, moments), 0)
        return (search, batch), Acquisition(index, gain)

    (search, _), acquisition = jax.lax.scan(pick, (search, batch), jnp.arange(batch_size, dtype=jnp.int32))
    return Ranked(acquisition, acquisition.scores, num_evaluations=search.num_evaluations)


class _Pool:
    """The pool's predictions, and the arithmetic of gains over them.

    Attributes:
      moments: ``Z_x Z_xᵀ`` of each point, as `chi_squared.second_moments` hold it, ``[D, N]``; ``[0, N]`` where that is
        more than the predictions, of many draws and few classes.
      traces: ``tr Z_x Z_xᵀ``, ``[N]``.
    """

    def __init__(self, log_probs: Float[Array, "N K C"]):
        self.log_probs = log_probs
        num_points, num_draws, num_classes = log_probs.shape
        self.has_moments = chi_squared.costs_less_than_pairs(num_draws, num_classes)
        self.rank = max(1, min(num_draws, num_classes) - 1)
        self.num_coordinates = chi_squared.num_coordinates(num_draws)
        self.rows, self.columns = np.tril_indices(self.num_coordinates)
        if self.has_moments:
            self.moments = chi_squared.second_moments(log_probs)
            self.traces = jnp.sum(self.moments[self.rows == self.columns], axis=0)
        else:
            size = rows_per_chunk(num_draws * num_classes, num_points, _LARGEST_CHUNK)

            def traces_of_chunk(start: jax.Array) -> jax.Array:
                points = centre(jax.lax.dynamic_slice_in_dim(log_probs, start, size))
                return jnp.sum(jnp.square(points.ratios) * points.mean[:, None], axis=(1, 2)) / num_draws

            self.moments = jnp.zeros((0, num_points), log_probs.dtype)
            self.traces = map_chunks(traces_of_chunk, num_points, size)
        size = self.num_coordinates if self.has_moments else num_classes
        self.numbers_per_step = num_points * size**3
        self.block_size = max(_FEWEST_AT_A_TIME, rows_per_chunk(size**2, num_points, _NUMBERS_AT_A_TIME))

    def empty_batch(self) -> Float[Array, "L L"]:
        """``M`` of the empty batch."""
        return jnp.eye(self.num_coordinates, dtype=self.log_probs.dtype)

    def moments_of(self, points: Int32[Array, " m"]) -> Float[Array, "m D"]:
        """The moments of ``points[m]``, a row for each, ``[m, D]``."""
        return self.moments[:, points].T

    def bounds(self, traces: Float[Array, " n"], traces_alone: Float[Array, " n"]) -> Float[Array, " n"]:
        """Upper bounds of gains from ``tr(M⁻¹ Z Zᵀ)``, and from ``tr(Z Zᵀ)``, in proportion to which it is rounded."""
        most = jnp.maximum(traces, 0) * (1 + _MARGIN) + traces_alone * _MARGIN_OF_TRACE
        return self.rank / 2 * jnp.log1p(most / self.rank)

    def lower(
        self,
        whitening: Float[Array, "L L"],
        bounds: Float[Array, " n"],
        moments: Float[Array, "D n"],
        traces: Float[Array, " n"],
    ) -> Float[Array, " n"]:
        """Lowers the ``bounds[n]`` of points of ``moments[D, n]`` that the batch has left behind."""
        # A point that the batch tells nothing of may gain as much as before, and rounding makes that more or less.
        most = bounds * (1 + _MARGIN)
        if self.has_moments:
            inverse = jnp.matmul(whitening.T, whitening, precision=_HIGHEST)
            left = jnp.matmul(self._pack(inverse), moments, precision=_HIGHEST)
            most = jnp.minimum(most, self.bounds(left, traces))
        return jnp.where(bounds > -jnp.inf, most, -jnp.inf)

    def gains(
        self,
        whitening: Float[Array, "L L"],
        points: Int32[Array, " m"],
        moments: Float[Array, "m D"],
        *,
        unroll: bool = False,
    ) -> Float[Array, " m"]:
        """The gains ``[m]`` of ``points[m]``, whose moments are ``[m, D]``."""
        if self.has_moments:
            products = self._unpack(moments)
            half = jnp.einsum("ik,nkl->nil", whitening, products, precision=_HIGHEST)
            return _half_log_det(jnp.einsum("nil,jl->nij", half, whitening, precision=_HIGHEST), unroll)
        deviations = jnp.einsum("ik,nkc->nic", whitening, _deviations(self.log_probs[points]), precision=_HIGHEST)
        return _half_log_det(jnp.einsum("nkc,nkd->ncd", deviations, deviations, precision=_HIGHEST), unroll)

    def products(self, point: Int32[Array, ""], moments: Float[Array, " D"]) -> Float[Array, "L L"]:
        """``Z Zᵀ`` of one point, whose moments are ``[D]``."""
        if self.has_moments:
            return self._unpack(moments[None])[0]
        deviations = _deviations(self.log_probs[point][None])[0]
        return jnp.matmul(deviations, deviations.T, precision=_HIGHEST)

    def _pack(self, matrix: Float[Array, "L L"]) -> Float[Array, " D"]:
        """The numbers ``[D]`` whose inner products with moments are those of the symmetric ``matrix``."""
        scale = np.where(self.rows == self.columns, 1, np.sqrt(2))
        return matrix[self.rows, self.columns] * jnp.asarray(scale, matrix.dtype)

    def _unpack(self, moments: Float[Array, "m D"]) -> Float[Array, "m L L"]:
        """The symmetric matrices ``[m, L, L]`` of ``moments[m, D]``."""
        size = self.num_coordinates
        places = np.zeros((size, size), int)
        places[self.rows, self.columns] = places[self.columns, self.rows] = np.arange(len(self.rows))
        scale = np.where(np.eye(size) > 0, 1, np.sqrt(0.5))
        return moments[:, places] * jnp.asarray(scale, moments.dtype)[None]


def _pick_evaluating_all(pool: _Pool, available: Bool[Array, " N"], batch_size: int) -> Ranked:
    """Picks the point of the highest gain, again and again, with the determinants of all points at every step."""
    num_points, num_draws, num_classes = pool.log_probs.shape
    size = rows_per_chunk(num_draws * max(num_draws, num_classes), num_points, _LARGEST_CHUNK_OF_ALL)

    def gains(batch: jax.Array) -> jax.Array:
        whitening = _whitening(batch)

        def of_chunk(start: jax.Array) -> jax.Array:
            points = start + jnp.arange(size, dtype=jnp.int32)
            moments = jax.lax.dynamic_slice_in_dim(pool.moments, start, size, axis=1).T
            return pool.gains(whitening, points, moments, unroll=True)

        return map_chunks(of_chunk, num_points, size)

    def add(batch: jax.Array, index: jax.Array) -> jax.Array:
        return batch + pool.products(index, pool.moments[:, index])

    acquisition = greedy(gains, add, pool.empty_batch(), available, batch_size=batch_size, resolution=_RESOLUTION)
    num_evaluations = jnp.int32(min(batch_size * num_points, jnp.iinfo(jnp.int32).max))
    return Ranked(acquisition, acquisition.scores, num_evaluations=num_evaluations)


def _rules(pool: _Pool, whitening: Float[Array, "L L"], num_seen: Int32[Array, ""]) -> lazy_greedy.Rules:
    """How points are evaluated, given the batch."""

    def refresh(points: jax.Array, known: lazy_greedy.Known, moments: jax.Array) -> lazy_greedy.Known:
        gains = pool.gains(whitening, points, moments)
        return known._replace(bounds=gains, num_seen=jnp.full_like(known.num_seen, num_seen))

    def enter(points: jax.Array, known: lazy_greedy.Known) -> jax.Array:
        del known
        return pool.moments_of(points)

    def lower(known: lazy_greedy.Known, kept: lazy_greedy.PerPoint) -> tuple[lazy_greedy.Known, lazy_greedy.PerPoint]:
        lowered = pool.lower(whitening, known.bounds, pool.moments, pool.traces)
        return known._replace(bounds=jnp.where(known.num_seen < num_seen, lowered, known.bounds)), kept

    return lazy_greedy.Rules(refresh, enter, lower)


def _lower_front(pool: _Pool, whitening: Float[Array, "L L"], search: lazy_greedy.Search) -> lazy_greedy.Search:
    """The search with the bounds of its front lowered by the batch."""
    lowered = pool.lower(whitening, search.front.bounds, search.details.T, pool.traces[search.points])
    return search._replace(front=search.front._replace(bounds=lowered), rest_bound=search.rest_bound * (1 + _MARGIN))


def _whitening(batch: Float[Array, "L L"]) -> Float[Array, "L L"]:
    """The inverse Cholesky factor ``L⁻¹`` of ``M``."""
    factor = jnp.linalg.cholesky(batch)
    return jax.scipy.linalg.solve_triangular(factor, jnp.eye(len(batch), dtype=batch.dtype), lower=True)


def _deviations(log_probs: Float[Array, "N K C"]) -> Float[Array, "N L C"]:
    """``Z``, whose draws are held by coordinates, ``[N, L, C]``."""
    points = centre(log_probs)
    return chi_squared.coordinates(points.ratios) * jnp.sqrt(points.mean / log_probs.shape[1])[:, None]


def _half_log_det(excess: Float[Array, "n r r"], unroll: bool) -> Float[Array, " n"]:
    """``½ log det(I + E)`` of symmetric positive semidefinite ``excess[n, r, r]``, in proportion to its value, ``[n]``.

    Elimination, side by side for all matrices: small factorisations one by one are slow on CPUs. The pivots are kept
    without their 1, so that small ones are not lost.
    """
    size = excess.shape[1]
    excess = jnp.moveaxis(excess, 0, -1)

    def eliminate(row: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        left, total = carry
        pivot = jnp.maximum(left[row, row], 0)
        left = left - left[row][:, None] * (left[row] / (1 + pivot)[None])[None]
        return left, total + jnp.log1p(pivot)

    total = jnp.zeros(excess.shape[-1], excess.dtype)
    return jax.lax.fori_loop(0, size, eliminate, (excess, total), unroll=unroll)[1] / 2
