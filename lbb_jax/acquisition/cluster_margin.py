"""Cluster-Margin: uncertain points from many clusters.

"Batch active learning at scale" (Citovsky et al., NeurIPS 2021) takes the points with the smallest margins in turn from
the clusters that they fall into, small clusters first. It is made for batches of thousands.

The paper clusters the whole pool once, by average linkage. Here the candidates of the batch, those with the smallest
margins, are clustered by average linkage in every round: no array of ``N × N`` distances exists, the embeddings may be
those of the round, and points that cannot be picked have no part in the clusters.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int32

from lbb_jax import arguments
from lbb_jax.acquisition import exponential_race
from lbb_jax.acquisition.pointwise import embeddings_or_mean_probs, margin_score
from lbb_jax.acquisition.selection import NO_POINT, Acquisition, highest


def cluster_margin(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    embeddings: Float[ArrayLike, "N D"] | None = None,
    candidates_per_pick: int = 10,
    mean_cluster_size: int = 10,
) -> Acquisition:
    """Picks in turn from the clusters of the points with the smallest margins, small clusters first.

    In each turn every cluster gives one point, drawn at random, while it has any.

    Args:
      key: Random key, consumed. Each point has its own variate, whatever is available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      embeddings: ``[N, D]``, finite for available points. None takes the predictive means.
      candidates_per_pick: Static, at least 1: there are ``m = candidates_per_pick * batch_size`` candidates, or as many
        as are available. Memory grows with ``m²``, and so does time for most embeddings (at worst with ``m³``).
      mean_cluster_size: Static, at least 1: candidates are joined until their clusters have this many points on
        average.

    Returns:
      The picks in order; each one's score is 1 minus the margin, as for the method "margin".
    """
    key = arguments.check_key("key", key)
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    embeddings = embeddings_or_mean_probs(embeddings, log_probs)
    candidates_per_pick = arguments.check_positive_integer("candidates_per_pick", candidates_per_pick)
    mean_cluster_size = arguments.check_positive_integer("mean_cluster_size", mean_cluster_size)

    candidates = highest(
        margin_score(log_probs), available, batch_size=min(candidates_per_pick * batch_size, len(log_probs))
    )
    is_candidate = candidates.indices != NO_POINT
    num_candidates = jnp.sum(is_candidate, dtype=jnp.int32)
    mean_cluster_size = min(mean_cluster_size, len(is_candidate))
    clusters = average_linkage(embeddings[candidates.indices], is_candidate, -(-num_candidates // mean_cluster_size))
    order = exponential_race.variates(key, candidates.indices, log_probs.dtype).gumbel
    is_together = (clusters[:, None] == clusters[None]) & is_candidate[None]
    turns = jnp.sum(is_together & (order[None] < order[:, None]), axis=1)
    sizes = jnp.sum(is_together, axis=1)
    first = jnp.lexsort((clusters, sizes, turns, ~is_candidate))[:batch_size]
    return jax.tree.map(lambda leaf: leaf[first], candidates)


def average_linkage(
    rows: Float[Array, "m D"], included: Bool[Array, " m"], num_clusters: Int32[Array, ""]
) -> Int32[Array, " m"]:
    """Repeatedly joins the two clusters with the least mean distance (Sokal and Michener, 1958).

    Args:
      rows: ``[m, D]``.
      included: ``[m]`` bool: which rows count; the others may hold anything.
      num_clusters: ``[]`` int32: how many clusters are left at the end.

    Returns:
      The cluster of each row, named by the lowest place among its members, ``[m]`` int32; a row that does not count has
      its own place.
    """
    num_rows = len(rows)
    places = jnp.arange(num_rows, dtype=jnp.int32)
    rows = jnp.where(included[:, None], rows, 0)
    distances = jax.lax.map(lambda row: jnp.sqrt(jnp.sum(jnp.square(rows - row[None]), axis=1)), rows)
    is_apart = included[:, None] & included[None] & (places[:, None] != places[None])
    distances = jnp.where(is_apart, distances, jnp.inf)

    def join(state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        distances, bounds, sizes, clusters, count = state

        def is_too_low(bounds: jax.Array) -> jax.Array:
            return jnp.min(distances[jnp.argmin(bounds)]) > jnp.min(bounds)

        def raise_lowest(bounds: jax.Array) -> jax.Array:
            row = jnp.argmin(bounds)
            return bounds.at[row].set(jnp.min(distances[row]))

        # Each row has a lower bound of its least distance. The lowest is raised until it is exact: the least of all.
        bounds = jax.lax.while_loop(is_too_low, raise_lowest, bounds)
        one = jnp.argmin(bounds).astype(jnp.int32)
        other = jnp.argmin(distances[one]).astype(jnp.int32)
        one, other = jnp.minimum(one, other), jnp.maximum(one, other)
        # The mean over all pairs of members, from the means before (Lance and Williams, 1967).
        size = sizes[one] + sizes[other]
        joined = (sizes[one] * distances[one] + sizes[other] * distances[other]) / size
        joined = joined.at[one].set(jnp.inf).at[other].set(jnp.inf)
        distances = distances.at[one].set(joined).at[:, one].set(joined)
        distances = distances.at[other].set(jnp.inf).at[:, other].set(jnp.inf)
        # A mean is below neither of its terms, but for rounding.
        bounds = jnp.minimum(bounds, joined).at[one].set(jnp.min(joined)).at[other].set(jnp.inf)
        sizes = sizes.at[one].set(size).at[other].set(0)
        return distances, bounds, sizes, jnp.where(clusters == other, one, clusters), count - 1

    count = jnp.sum(included, dtype=jnp.int32)
    state = (distances, jnp.min(distances, axis=1), included.astype(rows.dtype), places, count)
    return jax.lax.while_loop(lambda state: state[4] > jnp.maximum(num_clusters, 1), join, state)[3]
