"""A last layer's Gaussian posterior: Laplace's approximation with the generalised Gauss-Newton matrix, in closed form.

A linear layer maps features ``φ_n[D]`` to the outputs ``θ φ_n``, ``θ[C, D]`` (with a feature that is always 1 in place
of a bias). Where ``S_n[C, C]`` is the second derivative of a point's loss with respect to its outputs,
``diag(p_n) - p_n p_nᵀ`` for cross-entropy, the generalised Gauss-Newton matrix is ``H = Σ_n S_n ⊗ φ_n φ_nᵀ``, which for
a linear layer is the Hessian. With a Gaussian prior of precision ``λ`` the posterior's precision is ``H + λ I``
(MacKay, 1992; Daxberger et al., "Laplace redux", NeurIPS 2021). Everything else follows from the eigenvectors of ``H``,
or of the factors of its Kronecker approximation ``(Σ_n S_n) ⊗ (mean_n φ_n φ_nᵀ)`` (Martens and Grosse, 2015): draws,
for any ``λ``, and the marginal likelihood as a function of ``λ``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_HIGHEST = jax.lax.Precision.HIGHEST
# Prior precisions that are compared by their marginal likelihood.
_LOWEST_LOG_PRECISION, _HIGHEST_LOG_PRECISION, _NUM_PRECISIONS = -6 * 2.302585, 6 * 2.302585, 1201


class Curvature(NamedTuple):
    """Eigenvalues and eigenvectors of ``H``, which has ``C D`` rows and columns, or of its Kronecker approximation.

    Attributes:
      eigenvalues: The eigenvalues, at least 0: ``[C D]``, or ``[C, D]`` in the Kronecker form.
      vectors: The eigenvectors, in columns: one matrix ``[C D, C D]``, or two, ``[C, C]`` and ``[D, D]``, in the
        Kronecker form.
    """

    eigenvalues: Float[Array, "..."]
    vectors: tuple[Float[Array, "n n"], ...]


def softmax_hessians(logits: Float[Array, "n C"]) -> Float[Array, "n C C"]:
    """``diag(p) - p pᵀ`` of ``logits[n, C]``: ``[n, C, C]``."""
    probs = jax.nn.softmax(logits, axis=-1)
    return probs[:, :, None] * (jnp.eye(probs.shape[1], dtype=probs.dtype)[None] - probs[:, None, :])


def full(features: Float[Array, "n D"], hessians: Float[Array, "n C C"]) -> Curvature:
    """The curvature of ``features[n, D]`` and ``hessians[n, C, C]``, with ``C D`` eigenvalues."""
    num_classes, num_features = hessians.shape[1], features.shape[1]

    def row(of_class: jax.Array) -> jax.Array:
        """The rows of ``H`` of one class, from ``[n, C]``: ``[D, C, D]``."""
        weighted = of_class[:, :, None] * features[:, None]
        return jnp.einsum("nd,nce->dce", features, weighted, precision=_HIGHEST)

    matrix = jax.lax.map(row, jnp.moveaxis(hessians, 1, 0)).reshape(num_classes * num_features, -1)
    eigenvalues, vectors = jnp.linalg.eigh((matrix + matrix.T) / 2)
    return Curvature(jnp.maximum(eigenvalues, 0), (vectors,))


def kronecker(
    features: Float[Array, "n D"], hessians: Float[Array, "n C C"], num_points: Float[Array, ""]
) -> Curvature:
    """The Kronecker approximation of ``features[n, D]`` and ``hessians[n, C, C]``.

    Args:
      features: ``[n, D]``, 0 in rows that do not count.
      hessians: ``[n, C, C]``, 0 in rows that do not count.
      num_points: How many rows count, ``[]``.
    """
    products = jnp.einsum("nd,ne->de", features, features, precision=_HIGHEST)
    of_features, feature_vectors = jnp.linalg.eigh(products / jnp.maximum(num_points, 1))
    of_classes, class_vectors = jnp.linalg.eigh(jnp.sum(hessians, axis=0))
    eigenvalues = jnp.maximum(of_classes, 0)[:, None] * jnp.maximum(of_features, 0)[None]
    return Curvature(eigenvalues, (class_vectors, feature_vectors))


def rotate(curvature: Curvature, coordinates: Float[Array, "K ..."]) -> Float[Array, "K CD"]:
    """Maps coordinates along the eigenvectors, ``[K, *eigenvalues.shape]``, to parameters ``[K, C D]``."""
    if len(curvature.vectors) == 1:
        return jnp.matmul(coordinates, curvature.vectors[0].T, precision=_HIGHEST)
    class_vectors, feature_vectors = curvature.vectors
    half = jnp.einsum("kcd,ed->kce", coordinates, feature_vectors, precision=_HIGHEST)
    return jnp.einsum("kce,fc->kfe", half, class_vectors, precision=_HIGHEST).reshape(len(coordinates), -1)


def to_coordinates(curvature: Curvature, parameters: Float[Array, "K CD"]) -> Float[Array, "K ..."]:
    """Maps parameters ``[K, C D]`` to coordinates along the eigenvectors, ``[K, *eigenvalues.shape]``."""
    # The eigenvectors are orthonormal: their transpose rotates back.
    back = curvature._replace(vectors=tuple(vectors.T for vectors in curvature.vectors))
    shape = (len(parameters), *curvature.eigenvalues.shape)
    return rotate(back, parameters.reshape(shape)).reshape(shape)


def draw(
    key: jax.Array,
    mean: Float[Array, "C D"],
    curvature: Curvature,
    prior_precision: Float[Array, ""] | float,
    *,
    num_draws: int,
) -> Float[Array, "K C D"]:
    """Draws from the Gaussian of the mean ``[C, D]`` and the precision ``H + λ I``: ``[K, C, D]``.

    They are ``θ + (H + λ I)^(-1/2) ε`` with the symmetric root. It does not depend on the signs of eigenvectors, nor on
    their choice where eigenvalues are equal, which differ from device to device.
    """
    normal = jax.random.normal(key, (num_draws, mean.size), mean.dtype)
    scaled = to_coordinates(curvature, normal) / jnp.sqrt(curvature.eigenvalues + prior_precision)[None]
    return mean[None] + rotate(curvature, scaled).reshape(num_draws, *mean.shape)


def log_evidence(
    log_likelihood: Float[Array, ""],
    mean: Float[Array, "C D"],
    curvature: Curvature,
    prior_precision: Float[Array, ""] | float,
) -> Float[Array, ""]:
    """Laplace's approximation of the log marginal likelihood, ``[]``, nats.

    It is ``log p(y | θ) - ½ λ |θ|² - ½ log det(H + λ I) + ½ C D log λ``.

    Args:
      log_likelihood: The log-likelihood of the labels at ``θ``, ``[]``.
      mean: ``θ``, ``[C, D]``.
      curvature: The curvature at ``θ``.
      prior_precision: ``λ``, above 0.
    """
    log_ratios = jnp.sum(jnp.log1p(curvature.eigenvalues / prior_precision))
    return log_likelihood - (prior_precision * jnp.sum(jnp.square(mean)) + log_ratios) / 2


def best_prior_precision(mean: Float[Array, "C D"], curvature: Curvature) -> Float[Array, ""]:
    """The ``λ`` between 1e-6 and 1e6 with the highest marginal likelihood, to 1.2 %: ``[]``."""
    logs = jnp.linspace(_LOWEST_LOG_PRECISION, _HIGHEST_LOG_PRECISION, _NUM_PRECISIONS, dtype=mean.dtype)
    zero = jnp.zeros((), mean.dtype)
    evidence = jax.lax.map(lambda log: log_evidence(zero, mean, curvature, jnp.exp(log)), logs)
    return jnp.exp(logs[jnp.argmax(evidence)])
