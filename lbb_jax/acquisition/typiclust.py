"""TypiClust: typical points of the clusters that no label covers, for the start, when there are few labels.

"Active learning on a budget: opposite strategies suit high and low budgets" (Hacohen, Dekel and Weinshall, ICML 2022).
Given embeddings, it looks at no prediction.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Int32

from lbb_jax import arguments
from lbb_jax.acquisition.k_means import Clusters, k_means
from lbb_jax.acquisition.pointwise import embeddings_or_mean_probs
from lbb_jax.acquisition.selection import NO_POINT, Acquisition, remove

# As in the paper: number of neighbours in typicality, most clusters, least size of a cluster that is not small.
_NUM_NEIGHBOURS, _MOST_CLUSTERS, _SMALLEST_CLUSTER = 20, 500, 5
_NUM_ITERATIONS = 30
# What keeps the typicality of exact copies finite.
_LEAST_DISTANCE = 1e-5
# Points of a cluster that are compared with as many others at a time.
_BLOCK_SIZE = 256


def typiclust(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    embeddings: Float[ArrayLike, "N D"] | None = None,
) -> Acquisition:
    """Picks the most typical point of the largest cluster among those with the fewest labelled points, repeatedly.

    Points that are not available count as labelled, except those whose embedding holds NaN or infinity, which are left
    out. The number of clusters, found by k-means, is that of the labelled points plus ``batch_size``, at most 500.
    Clusters of fewer than 5 points come last. The typicality of a point is the inverse of its mean distance to its 20
    nearest neighbours in its cluster, or to all other points of a smaller cluster. Neighbours are found block by block
    within the cluster at hand.

    Args:
      key: Random key, consumed by the seeding of the clusters.
      log_probs: ``[N, K, C]``, ignored with embeddings.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      embeddings: ``[N, D]``, finite for available points; the paper's come from self-supervised learning. None
        takes the predictive means.

    Returns:
      The picks in order; each one's score is its typicality, the inverse of a distance; 0 for the only point of a
      cluster.
    """
    key = arguments.check_key("key", key)
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    embeddings = embeddings_or_mean_probs(embeddings, log_probs)
    num_points = len(log_probs)
    included = available | jnp.all(jnp.isfinite(embeddings), axis=1)
    embeddings = jnp.where(included[:, None], embeddings, 0)
    labelled = included & ~available
    most_clusters = min(_MOST_CLUSTERS, num_points)
    num_clusters = jnp.minimum(jnp.sum(labelled, dtype=jnp.int32) + batch_size, most_clusters)
    clusters = k_means(
        key, embeddings, included, num_clusters, most_clusters=most_clusters, num_iterations=_NUM_ITERATIONS
    )
    members = _Members(embeddings, clusters)

    def count(mask: jax.Array) -> jax.Array:
        return jax.ops.segment_sum(mask.astype(jnp.int32), clusters.assignments, most_clusters)

    sizes = count(included)

    def pick(state: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], Acquisition]:
        available, covered = state
        cluster = _least_covered(sizes, covered, count(available & included))
        picked = members.most_typical(cluster, available)
        index = picked.indices
        covered = covered.at[cluster].add(jnp.where(index == NO_POINT, 0, 1))
        return (remove(available, index), covered), picked

    _, picked = jax.lax.scan(pick, (available, count(labelled)), None, length=batch_size)
    return picked


def _least_covered(
    sizes: Int32[Array, " k"], covered: Int32[Array, " k"], num_available: Int32[Array, " k"]
) -> Int[Array, ""]:
    """The cluster to pick from: one with available points; not a small one if possible; then the one with the
    fewest labels, then the largest, then the first.

    Args:
      sizes: Points in each cluster.
      covered: How many of them are labelled or picked.
      num_available: How many may be picked.
    """
    order = jnp.lexsort((-sizes, covered, sizes < _SMALLEST_CLUSTER, num_available == 0))
    return order[0]


class _Members:
    """The points of each cluster, one cluster after the other."""

    def __init__(self, embeddings: Float[Array, "N D"], clusters: Clusters):
        self.embeddings = embeddings
        self.order = jnp.argsort(clusters.assignments, stable=True).astype(jnp.int32)
        most_clusters = len(clusters.centres)
        counts = jax.ops.segment_sum(jnp.ones_like(clusters.assignments), clusters.assignments, most_clusters)
        self.ends = jnp.cumsum(counts, dtype=jnp.int32)
        self.starts = self.ends - counts
        self.block_size = min(_BLOCK_SIZE, len(embeddings))

    def most_typical(self, cluster: Int[Array, ""], available: Bool[Array, " N"]) -> Acquisition:
        """The available point of a cluster that has the highest typicality, the lowest index among equals."""
        start, end = self.starts[cluster], self.ends[cluster]

        def search(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
            place, best, score = state
            points, is_member = self._block(place, end)
            distances = self._mean_distances(points, start, end)
            typicality = jnp.where(jnp.isfinite(distances), 1 / (distances + _LEAST_DISTANCE), 0)
            typicality = jnp.where(is_member & available[points], typicality, -jnp.inf)
            leader = jnp.argmax(typicality)
            wins = typicality[leader] > score
            best = jnp.where(wins, points[leader], best)
            return place + self.block_size, best, jnp.where(wins, typicality[leader], score)

        nothing = (start, jnp.int32(NO_POINT), jnp.full((), -jnp.inf, self.embeddings.dtype))
        _, index, score = jax.lax.while_loop(lambda state: state[0] < end, search, nothing)
        return Acquisition(index, score)

    def _block(self, place: Int32[Array, ""], end: Int32[Array, ""]) -> tuple[Int32[Array, " n"], Bool[Array, " n"]]:
        """The points from ``place`` on in the order of clusters, and whether they come before ``end``."""
        places = place + jnp.arange(self.block_size, dtype=jnp.int32)
        return self.order[jnp.minimum(places, len(self.order) - 1)], places < end

    def _mean_distances(
        self, points: Int32[Array, " n"], start: Int32[Array, ""], end: Int32[Array, ""]
    ) -> Float[Array, " n"]:
        """Mean distance of each of ``points`` to the nearest others of the cluster from ``start`` to ``end``."""
        num_neighbours = min(_NUM_NEIGHBOURS, len(self.order))
        rows = self.embeddings[points]

        def add(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            place, nearest = state
            others, is_member = self._block(place, end)
            # The squares are not expanded, so that copies have the distance 0.
            squared = jax.lax.map(lambda row: jnp.sum(jnp.square(self.embeddings[others] - row[None]), axis=1), rows)
            counts = is_member[None] & (others[None] != points[:, None])
            squared = jnp.where(counts, squared, jnp.inf)
            negated, _ = jax.lax.top_k(-jnp.concatenate([nearest, squared], axis=1), num_neighbours)
            return place + self.block_size, -negated

        everywhere = jnp.full((len(points), num_neighbours), jnp.inf, self.embeddings.dtype)
        _, nearest = jax.lax.while_loop(lambda state: state[0] < end, add, (start, everywhere))
        found = jnp.isfinite(nearest)
        total = jnp.sum(jnp.where(found, jnp.sqrt(jnp.where(found, nearest, 0)), 0), axis=1)
        count = jnp.sum(found, axis=1)
        return jnp.where(count > 0, total / jnp.maximum(count, 1).astype(total.dtype), jnp.inf)
