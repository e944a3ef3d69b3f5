"""Core-set: a batch that leaves no point of the pool far from a labelled one.

The greedy k-centre method of Sener and Savarese, "Active learning for convolutional neural networks: a core-set
approach" (ICLR 2018), on the inputs of a network's last layer. It looks at no prediction.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from lbb_jax import arguments, entropy
from lbb_jax.acquisition.k_center import SquaredDistances, add_centre, pick_centres
from lbb_jax.acquisition.selection import Acquisition, highest


def core_set(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    embeddings: Float[ArrayLike, "N D"],
) -> Acquisition:
    """Picks, one after the other, the point farthest from its nearest centre; each pick becomes a centre.

    Points that are not available count as labelled and are the initial centres, except those whose embedding holds NaN
    or infinity. If there is no initial centre, the first pick is the available point that is farthest from the mean of
    the available points.

    Args:
      key: Ignored.
      log_probs: Ignored, ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      embeddings: ``[N, D]``, finite for available points. Time grows with ``N D`` times the number of centres.

    Returns:
      The picks; each one's score is its Euclidean distance to the nearest centre when it was picked, exactly 0 for a
      copy of a centre. The score of a first pick without any centre is its distance to the mean.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    embeddings = jnp.asarray(arguments.as_embeddings("embeddings", embeddings, len(log_probs)))
    del log_probs

    def squared_distances(index: jax.Array) -> jax.Array:
        return _squared_distances(embeddings, embeddings[index])

    nearest = _to_labelled_points(embeddings, available, squared_distances)
    from_mean = _squared_distances(embeddings, _mean(embeddings, available))
    first = highest(jnp.where(jnp.isposinf(nearest), from_mean, nearest), available, batch_size=1)
    picked = pick_centres(
        key,
        first,
        nearest,
        available,
        batch_size=batch_size,
        squared_distances=squared_distances,
        choose=lambda _, nearest, available: highest(nearest, available, batch_size=1),
    )
    distances = jnp.sqrt(jnp.maximum(picked.scores, 0))
    return picked._replace(scores=jnp.where(picked.indices >= 0, distances, -jnp.inf))


def _squared_distances(embeddings: Float[Array, "N D"], centre: Float[Array, " D"]) -> Float[Array, " N"]:
    """Squared distances of ``embeddings`` to ``centre``, not expanded and so exactly 0 for copies."""
    return entropy.sum_of_terms(jnp.square(embeddings - centre[None]))


def _to_labelled_points(
    embeddings: Float[Array, "N D"], available: Bool[Array, " N"], squared_distances: SquaredDistances
) -> Float[Array, " N"]:
    """Squared distance of each point to the nearest point that is not available; infinite if all are."""
    num_points = len(embeddings)
    labelled = jnp.flatnonzero(~available, size=num_points)
    return jax.lax.fori_loop(
        0,
        jnp.sum(~available),
        lambda place, nearest: add_centre(nearest, squared_distances, labelled[place]),
        jnp.full(num_points, jnp.inf, embeddings.dtype),
    )


def _mean(embeddings: Float[Array, "N D"], available: Bool[Array, " N"]) -> Float[Array, " D"]:
    """Mean of the available rows of ``embeddings``."""
    count = jnp.maximum(jnp.sum(available), 1).astype(embeddings.dtype)
    return jnp.sum(jnp.where(available[:, None], embeddings, 0), axis=0) / count
