"""BAIT: a batch after which the last layer's parameters would be known where the pool's predictions depend on them.

"Gone fishing: neural active learning with Fisher embeddings" (Ash, Goel, Krishnamurthy and Kakade, NeurIPS 2021). The
Fisher information of a logistic last layer at a point with the predictive mean ``p`` and the embedding ``h`` is

    F_x = (diag(p) - p pᵀ) ⊗ h hᵀ = V_x V_xᵀ,    V_x[:, y] = √p(y) (onehot(y) - p) ⊗ h,

where ``V_x`` has ``C D`` rows and ``C`` columns. With ``M = λ I + (Σ_labelled F_x + Σ_batch F_x) / (|labelled| + b)`` a
batch is good if ``tr(M⁻¹ F)`` is small, ``F`` being the mean of ``F_x`` over labelled and unlabelled points. Points are
added greedily until there are twice as many as asked for. Half of them are then removed, each time the point whose
removal raises the trace least.

Neither adding nor removing a point needs a new inverse. For each point only the ``C × C`` matrices
``G_x = V_xᵀ M⁻¹ V_x`` and ``T_x = V_xᵀ M⁻¹ F M⁻¹ V_x`` are kept. A change of ``M⁻¹`` by ``∓ U Uᵀ``, of rank ``C``,
changes these matrices by products of ``V_xᵀ U`` and ``V_xᵀ M⁻¹ F U`` (Woodbury's identity). Adding a point lowers the
trace by ``tr((I + G_x)⁻¹ T_x)``, removing it raises it by ``tr((I - G_x)⁻¹ T_x)``.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import arguments
from lbb_jax.acquisition.pointwise import embeddings_or_mean_probs, mean_probs
from lbb_jax.acquisition.selection import NO_POINT, Acquisition, highest, remove
from lbb_jax.batching import map_chunks, rows_per_chunk

_HIGHEST = jax.lax.Precision.HIGHEST
# The most parameters that the last layer may have. Two square matrices of this size are kept, 0.5 GB in float32.
_MOST_PARAMETERS = 2**13
_LARGEST_CHUNK = 2**24
# The largest ratio of an embedding's squared length to the regularizer. At ten times this, rounding in float32 changes
# picks.
_MOST_SQUARE = 1e4
# Its square, by which gains fall, stays finite.
_MOST_REGULARIZER = 1e15
# How far the sum of the probabilities of a labelled point may be from 1.
_ROUNDING = 1e-2


def bait(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    embeddings: Float[ArrayLike, "N D"] | None = None,
    regularizer: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks a batch by forward greedy and backward removal on ``tr(M⁻¹ F)``.

    Points that are not available count as labelled, except those whose embedding or prediction is not finite, which are
    left out. The picks of a batch are not the first picks of a larger batch.

    Args:
      key: Ignored: the method is deterministic.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      embeddings: Inputs of the network's last layer, ``[N, D]``, finite for available points; ``C D`` is at most 8,192.
        Time grows with ``N (C D)²``, and with ``N C² D`` for each pick; memory with ``(C D)² + N C²``. None takes the
        predictive means.
      regularizer: ``λ``, above 0, in the units of ``F``. `acquire` refuses embeddings whose squared length is more than
        10,000 times as much, since float32 does not resolve them.

    Returns:
      The picks in the order added; each one's score is by how much it lowered the trace when it was added.

    Raises:
      ValueError: If ``C D`` is above 8,192.
    """
    del key
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    num_points, num_classes = log_probs.shape[0], log_probs.shape[2]
    embeddings = embeddings_or_mean_probs(embeddings, log_probs)
    if num_classes * embeddings.shape[1] > _MOST_PARAMETERS:
        raise ValueError(
            f"embeddings has shape {embeddings.shape}: with {num_classes} classes the last layer has "
            f"{num_classes * embeddings.shape[1]:,} parameters, more than the {_MOST_PARAMETERS:,} that bait takes; "
            "pass fewer features, such as the first principal components"
        )
    pool, labelled = _read(log_probs, available, embeddings)
    start = _start(pool, available, labelled, batch_size, regularizer)

    def add(carry: tuple[_State, jax.Array], _: None) -> tuple[tuple[_State, jax.Array], Acquisition]:
        state, remaining = carry
        picked = jax.tree.map(lambda leaf: leaf[0], highest(_by_change(state.points, 1.0), remaining, batch_size=1))
        return (_change(state, pool, picked.indices, 1.0), remove(remaining, picked.indices)), picked

    (state, _), added = jax.lax.scan(add, (start, available), None, length=min(2 * batch_size, num_points))

    def drop(_: jax.Array, carry: tuple[_State, jax.Array]) -> tuple[_State, jax.Array]:
        state, kept = carry
        points = jax.tree.map(lambda leaf: leaf[added.indices], state.points)
        raised = jnp.where(kept, _by_change(points, -1.0), jnp.inf)
        # Among points whose removal raises the trace equally little, the one added last is removed.
        place = len(raised) - 1 - jnp.argmin(raised[::-1])
        return _change(state, pool, added.indices[place], -1.0), kept.at[place].set(False)

    kept = added.indices != NO_POINT
    num_extra = jnp.maximum(jnp.sum(kept, dtype=jnp.int32) - batch_size, 0)
    _, kept = jax.lax.fori_loop(0, num_extra, drop, (state, kept))
    places = jnp.argsort(~kept, stable=True)[:batch_size]
    return jax.tree.map(lambda leaf: leaf[places], added)


def check_precision(options: Mapping[str, Any]) -> None:
    """Raises ValueError where float32 does not resolve what a pick changes.

    Args:
      options: Those of `bait`, with the embeddings of all points on the device.
    """
    embeddings, regularizer = options["embeddings"], float(options["regularizer"])
    # Predictive means are not longer than 1.
    square = 1.0 if embeddings is None else float(jax.device_get(_largest_square(embeddings)))
    if square > _MOST_SQUARE * regularizer:
        longest, remedy = "mean predictions", "pass a larger regularizer"
        if embeddings is not None:
            factor = (square / regularizer / _MOST_SQUARE) ** 0.5
            longest, remedy = "the embeddings", f"divide the embeddings by {factor:.3g} or more, or {remedy}"
        raise ValueError(
            f"regularizer={regularizer:g}: the largest squared length of {longest} is {square:.3g}, which is more than "
            f"{_MOST_SQUARE:,.0f} times the regularizer; {remedy}"
        )
    if regularizer > _MOST_REGULARIZER:
        raise ValueError(f"regularizer={regularizer:g}: must be at most {_MOST_REGULARIZER:g}")


@jax.jit
def _largest_square(embeddings: Float[Array, "N D"]) -> Float[Array, ""]:
    """The largest squared length of the embeddings that are finite."""
    squares = jnp.sum(jnp.square(embeddings), axis=1)
    return jnp.max(jnp.where(jnp.all(jnp.isfinite(embeddings), axis=1), squares, 0))


class _Pool(NamedTuple):
    """Predictive means and embeddings, both 0 for points that are left out."""

    probs: Float[Array, "N C"]
    embeddings: Float[Array, "N D"]


class _Points(NamedTuple):
    """``G_x`` and ``T_x``."""

    known: Float[Array, "N C C"]
    wanted: Float[Array, "N C C"]


class _State(NamedTuple):
    """What changes from pick to pick; ``CD`` stands for ``C D``.

    Attributes:
      points: All points.
      inverse: ``M⁻¹``.
      fisher: ``F``.
      scale: What ``V_x`` is multiplied by for ``M``: ``1 / √(|labelled| + b)``.
    """

    points: _Points
    inverse: Float[Array, "CD CD"]
    fisher: Float[Array, "CD CD"]
    scale: Float[Array, ""]


def _read(
    log_probs: Float[Array, "N K C"], available: Bool[Array, " N"], embeddings: Float[Array, "N D"]
) -> tuple[_Pool, Bool[Array, " N"]]:
    """The pool, and which of its points are labelled."""
    probs = mean_probs(log_probs)
    is_whole = jnp.all(jnp.isfinite(embeddings), axis=1) & (jnp.abs(jnp.sum(probs, axis=1) - 1) < _ROUNDING)
    included = available | is_whole
    pool = _Pool(jnp.where(included[:, None], probs, 0), jnp.where(included[:, None], embeddings, 0))
    return pool, included & ~available


def _start(
    pool: _Pool,
    available: Bool[Array, " N"],
    labelled: Bool[Array, " N"],
    batch_size: int,
    regularizer: Float[Array, ""] | float,
) -> _State:
    """The state before the first pick."""
    dtype = pool.probs.dtype
    num_labelled = jnp.sum(labelled).astype(dtype)
    scale = 1 / jnp.sqrt(num_labelled + batch_size)
    fisher = _fisher(pool, (available | labelled).astype(dtype))
    fisher = fisher / jnp.maximum(jnp.sum(available | labelled), 1).astype(dtype)
    identity = jnp.eye(len(fisher), dtype=dtype)
    matrix = regularizer * identity + jnp.square(scale) * _fisher(pool, labelled.astype(dtype))
    inverse = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix, lower=True), identity)
    wanted = jnp.matmul(inverse, jnp.matmul(fisher, inverse, precision=_HIGHEST), precision=_HIGHEST)
    points = _Points(_forms(pool, inverse) * jnp.square(scale), _forms(pool, wanted) * jnp.square(scale))
    return _State(points, inverse, fisher, scale)


def _fisher(pool: _Pool, weights: Float[Array, " N"]) -> Float[Array, "CD CD"]:
    """``Σ_x weight_x F_x``."""
    (num_points, num_classes), num_features = pool.probs.shape, pool.embeddings.shape[1]
    size = rows_per_chunk(num_classes**2 * num_features, num_points, _LARGEST_CHUNK)
    num_chunks = -(-num_points // size)

    def add(chunk: jax.Array, total: jax.Array) -> jax.Array:
        places = chunk * size + jnp.arange(size, dtype=jnp.int32)
        probs = pool.probs.at[places].get(mode="fill", fill_value=0)
        embeddings = pool.embeddings.at[places].get(mode="fill", fill_value=0)
        weight = weights.at[places].get(mode="fill", fill_value=0)
        spread = probs[:, :, None] * (jnp.eye(num_classes, dtype=probs.dtype)[None] - probs[:, None, :])
        left = (spread * weight[:, None, None])[:, :, :, None] * embeddings[:, None, None, :]
        return total + jnp.einsum("nCcd,ne->Cdce", left, embeddings, precision=_HIGHEST)

    nothing = jnp.zeros((num_classes, num_features, num_classes, num_features), pool.probs.dtype)
    total = jax.lax.fori_loop(0, num_chunks, add, nothing)
    return total.reshape(num_classes * num_features, -1)


def _forms(pool: _Pool, matrix: Float[Array, "CD CD"]) -> Float[Array, "N C C"]:
    """``V_xᵀ A V_x`` of every point, where ``A`` is the symmetric ``matrix``."""
    (num_points, num_classes), num_features = pool.probs.shape, pool.embeddings.shape[1]
    size = rows_per_chunk(num_classes**2 * num_features, num_points, _LARGEST_CHUNK)
    blocks = matrix.reshape(num_classes, num_features, num_classes, num_features)

    def of_chunk(start: jax.Array) -> jax.Array:
        probs, rows = (jax.lax.dynamic_slice_in_dim(leaf, start, size) for leaf in pool)
        half = jnp.einsum("nd,cdCe->ncCe", rows, blocks, precision=_HIGHEST)
        between = jnp.einsum("ncCe,ne->ncC", half, rows, precision=_HIGHEST)
        between = _residual_products(probs, between)
        return jnp.swapaxes(_residual_products(probs, jnp.swapaxes(between, 1, 2)), 1, 2)

    return map_chunks(of_chunk, num_points, size)


def _residual_products(probs: Float[Array, "n C"], columns: Float[Array, "n C r"]) -> Float[Array, "n C r"]:
    """``√p(y) (column_y - Σ_c p(c) column_c)``: the part of ``V_xᵀ`` that acts on classes."""
    mean = jnp.einsum("nc,ncr->nr", probs, columns, precision=_HIGHEST)
    return jnp.sqrt(probs)[:, :, None] * (columns - mean[:, None])


def _factor(pool: _Pool, point: Int32[Array, ""]) -> Float[Array, "CD C"]:
    """``V_x`` of the point with the index ``point``; 0 if the index is -1."""
    probs, row = pool.probs[point], pool.embeddings[point]
    residuals = (jnp.eye(len(probs), dtype=probs.dtype) - probs[:, None]) * jnp.sqrt(probs)[None]
    factor = (residuals[:, None, :] * row[None, :, None]).reshape(-1, len(probs))
    return jnp.where(point == NO_POINT, 0, factor)


def _project(pool: _Pool, columns: Float[Array, "CD r"]) -> Float[Array, "N C r"]:
    """``V_xᵀ U`` of every point, where ``U`` is ``columns``."""
    num_points, num_classes = pool.probs.shape
    blocks = columns.reshape(num_classes, -1, columns.shape[1])
    size = rows_per_chunk(num_classes * columns.shape[1], num_points, _LARGEST_CHUNK)

    def of_chunk(start: jax.Array) -> jax.Array:
        probs, rows = (jax.lax.dynamic_slice_in_dim(leaf, start, size) for leaf in pool)
        return _residual_products(probs, jnp.einsum("nd,cdr->ncr", rows, blocks, precision=_HIGHEST))

    return map_chunks(of_chunk, num_points, size)


def _change(state: _State, pool: _Pool, point: Int32[Array, ""], sign: float) -> _State:
    """The state after a point was added (``sign`` 1) or removed (-1)."""
    factor = _factor(pool, point) * state.scale
    solved = jnp.matmul(state.inverse, factor, precision=_HIGHEST)
    inner = jnp.eye(factor.shape[1], dtype=factor.dtype) + sign * jnp.matmul(factor.T, solved, precision=_HIGHEST)
    # M⁻¹ changes by -sign U Uᵀ.
    lower = jnp.linalg.cholesky(inner)
    columns = jax.scipy.linalg.solve_triangular(lower, solved.T, lower=True).T
    toward = jnp.matmul(state.fisher, columns, precision=_HIGHEST)
    within = jnp.matmul(columns.T, toward, precision=_HIGHEST)
    ahead = jnp.matmul(state.inverse, toward, precision=_HIGHEST)
    known = _project(pool, columns) * state.scale
    wanted = _project(pool, ahead) * state.scale
    cross = jnp.einsum("nyr,nzr->nyz", known, wanted, precision=_HIGHEST)
    within_points = jnp.einsum("nyr,rs,nzs->nyz", known, within, known, precision=_HIGHEST)
    points = _Points(
        state.points.known - sign * jnp.einsum("nyr,nzr->nyz", known, known, precision=_HIGHEST),
        state.points.wanted - sign * (cross + jnp.swapaxes(cross, 1, 2)) + within_points,
    )
    inverse = state.inverse - sign * jnp.matmul(columns, columns.T, precision=_HIGHEST)
    return state._replace(points=points, inverse=inverse)


def _by_change(points: _Points, sign: float) -> Float[Array, " n"]:
    """By how much adding each of ``points`` lowers the trace (``sign`` 1), or removing it raises it (-1)."""
    identity = jnp.eye(points.known.shape[1], dtype=points.known.dtype)
    lower = jnp.linalg.cholesky(identity[None] + sign * points.known)
    half = jax.scipy.linalg.solve_triangular(lower, points.wanted, lower=True)
    whole = jax.scipy.linalg.solve_triangular(lower, jnp.swapaxes(half, 1, 2), lower=True)
    return jnp.trace(whole, axis1=1, axis2=2)
