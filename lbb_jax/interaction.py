"""Interaction information: what three labels share, by which the sum over pairs is wrong for three points.

The total correlation of a batch is a series by inclusion and exclusion (Rubashevskii, Kotova and Panov, SDM 2023,
Eq. 2.9): ``Σ_{i<j} I(y_i; y_j) - Σ_{i<j<k} I(y_i; y_j; y_k) + ...``, with ``I(y_i; y_j; y_k) = I(y_i; y_j) -
I(y_i; y_j | y_k)``. Cut off after the pairs it is the paper's approximation; after the triples it is exact for three
points. Conventions are those of `lbb_jax.entropy`. A triple can have either sign and is a difference: in float32 its
error is in proportion to the information of its pairs.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lbb_jax import arguments, information
from lbb_jax.batching import map_chunks, rows_per_chunk
from lbb_jax.relative_entropy import Centred, centre, psi

_HIGHEST = jax.lax.Precision.HIGHEST


def correlation_of_triples(points: Centred, second: Centred, third: Centred) -> Float[Array, " N"]:
    """Total correlation ``C(y_n, y, y')`` of each of some points together with the same two others.

    It is the relative entropy of the ``C³`` joint distribution to the product of its marginals.

    Args:
      points: ``N`` points, all at once.
      second: One point, the same draws and classes.
      third: One point, likewise.

    Returns:
      ``[N]``, nats.
    """
    num_points, num_draws, num_classes = points.ratios.shape

    def mean_of_products(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.einsum("kx,ky->xy", a, b, precision=_HIGHEST) / num_draws

    of_points = jnp.moveaxis(points.ratios, 1, 0).reshape(num_draws, -1)
    of_second, of_third = second.ratios[0], third.ratios[0]
    of_both = (of_second[:, :, None] * of_third[:, None]).reshape(num_draws, -1)
    # Axes: points, their classes, the classes of the second point, the classes of the third.
    excess = mean_of_products(of_points, of_both).reshape(num_points, num_classes, num_classes, num_classes)
    excess += mean_of_products(of_points, of_second).reshape(num_points, num_classes, num_classes, 1)
    excess += mean_of_products(of_points, of_third).reshape(num_points, num_classes, 1, num_classes)
    excess += mean_of_products(of_second, of_third)[None, None]
    weights = points.mean[:, :, None, None] * (second.mean[0][:, None] * third.mean[0][None])[None, None]
    return jnp.sum(weights * psi(excess), axis=(1, 2, 3))


def third_order_total_correlation(log_probs: Float[ArrayLike, "b K C"]) -> Float[Array, ""]:
    """The total correlation of a batch by pairs and triples, ``Σ I(y_i; y_j) - Σ I(y_i; y_j; y_k)`` (Eq. 2.9).

    It takes ``b³ C³ / 6`` joint probabilities.

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      ``[]``, nats: `information.total_correlation` for up to three points. Beyond it can be wrong on either side, and
      below 0.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    num_points, _, num_classes = log_probs.shape
    pairs = information.pairwise_mutual_information(log_probs, log_probs)
    points = centre(log_probs)
    size = rows_per_chunk(num_classes**3, num_points)
    second, third = jnp.triu_indices(num_points, k=1)

    def of_pair(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
        """The triples of all points before the pair."""
        second, third = (jax.tree.map(lambda leaf, row=row: leaf[row][None], points) for row in pair)

        def of_chunk(start: jax.Array) -> jax.Array:
            block = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), points)
            return correlation_of_triples(block, second, third)

        j, k = pair
        triples = pairs[:, j] + pairs[:, k] + pairs[j, k] - map_chunks(of_chunk, num_points, size)
        return jnp.sum(jnp.where(jnp.arange(num_points, dtype=j.dtype) < j, triples, 0))

    if num_points < 3:
        return jnp.sum(jnp.triu(pairs, k=1))
    triples = jax.lax.map(of_pair, (second.astype(jnp.int32), third.astype(jnp.int32)))
    return jnp.sum(jnp.triu(pairs, k=1)) - jnp.sum(triples)
