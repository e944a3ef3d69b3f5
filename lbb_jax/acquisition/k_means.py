"""Clusters of embeddings by k-means, in arrays whose shapes do not depend on the number of clusters."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax.acquisition.sampling import pick_by_score
from lbb_jax.batching import map_chunks, rows_per_chunk

_HIGHEST = jax.lax.Precision.HIGHEST


class Clusters(NamedTuple):
    """Points by cluster.

    Attributes:
      centres: ``[k, D]``; those from the number of clusters on are meaningless.
      assignments: The cluster of each point, ``[N]`` int32; ``k`` for points that are left out.
    """

    centres: Float[Array, "k D"]
    assignments: Int32[Array, " N"]


def k_means(
    key: jax.Array,
    embeddings: Float[Array, "N D"],
    included: Bool[Array, " N"],
    num_clusters: Int32[Array, ""],
    *,
    most_clusters: int,
    num_iterations: int,
) -> Clusters:
    """Lloyd's iterations from a seeding by k-means++ (Arthur and Vassilvitskii, 2007).

    A cluster that loses all its points keeps its centre. Time grows with ``N D`` times the number of clusters; no more
    than about a million distances exist at a time.

    Args:
      key: Random key, consumed. Each point has its own variates, whatever is included.
      embeddings: ``[N, D]``, finite for the points that are included.
      included: ``[N]`` bool: which points count.
      num_clusters: ``[]`` int32, from 1 to ``most_clusters``. There are fewer clusters where fewer points are distinct.
      most_clusters: Static, at most ``N``.
      num_iterations: Static, at least 1.

    Returns:
      The clusters.
    """
    embeddings = jnp.where(included[:, None], embeddings, 0)
    centres, found = _seed(key, embeddings, included, num_clusters, most_clusters)

    def iterate(_: jax.Array, clusters: Clusters) -> Clusters:
        sums = jax.ops.segment_sum(embeddings, clusters.assignments, most_clusters)
        counts = jax.ops.segment_sum(included.astype(embeddings.dtype), clusters.assignments, most_clusters)
        means = sums / jnp.maximum(counts, 1)[:, None]
        centres = jnp.where((counts > 0)[:, None], means, clusters.centres)
        return Clusters(centres, _assign(embeddings, included, centres, found))

    first = Clusters(centres, _assign(embeddings, included, centres, found))
    return jax.lax.fori_loop(0, num_iterations, iterate, first)


def _seed(
    key: jax.Array,
    embeddings: Float[Array, "N D"],
    included: Bool[Array, " N"],
    num_clusters: Int32[Array, ""],
    most_clusters: int,
) -> tuple[Float[Array, "{most_clusters} D"], Int32[Array, ""]]:
    """Centres, drawn by their squared distance to the nearest centre before, and how many there are."""
    num_points = len(embeddings)

    def add(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        place, centres, nearest = state
        weights = jnp.where(place == 0, 1, nearest)
        drawn = pick_by_score(jax.random.fold_in(key, place), weights, included, batch_size=1, sampling="power")
        centre = embeddings[drawn.indices[0]]
        nearest = jnp.minimum(nearest, jnp.sum(jnp.square(embeddings - centre[None]), axis=1))
        return place + 1, centres.at[place].set(centre), jnp.where(included, nearest, 0)

    def has_more(state: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        place, _, nearest = state
        return (place < num_clusters) & ((place == 0) | jnp.any(nearest > 0))

    nothing = jnp.zeros((most_clusters, embeddings.shape[1]), embeddings.dtype)
    everywhere = jnp.full(num_points, jnp.inf, embeddings.dtype)
    found, centres, _ = jax.lax.while_loop(has_more, add, (jnp.int32(0), nothing, everywhere))
    return centres, found


def _assign(
    embeddings: Float[Array, "N D"],
    included: Bool[Array, " N"],
    centres: Float[Array, "k D"],
    num_clusters: Int32[Array, ""],
) -> Int32[Array, " N"]:
    """For each point the nearest of the first ``num_clusters`` centres, the lowest among equals."""
    most_clusters, num_points = len(centres), len(embeddings)
    exists = jnp.arange(most_clusters, dtype=jnp.int32) < num_clusters
    half_lengths = jnp.sum(jnp.square(centres), axis=1) / 2
    chunk_size = rows_per_chunk(most_clusters, num_points)

    def of_chunk(start: jax.Array) -> jax.Array:
        block = jax.lax.dynamic_slice_in_dim(embeddings, start, chunk_size)
        closeness = jnp.matmul(block, centres.T, precision=_HIGHEST) - half_lengths[None]
        return jnp.argmax(jnp.where(exists[None], closeness, -jnp.inf), axis=1).astype(jnp.int32)

    return jnp.where(included, map_chunks(of_chunk, num_points, chunk_size), most_clusters)
