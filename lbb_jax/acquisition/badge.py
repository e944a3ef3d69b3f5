"""BADGE: a batch of large and different gradients.

"Deep batch active learning by diverse, uncertain gradient lower bounds" (Ash, Zhang, Krishnamurthy, Langford and
Agarwal, ICLR 2020): the gradient of the loss in the network's last layer, computed as if the likeliest class were the
label, is large where the network is uncertain. k-means++ (Arthur and Vassilvitskii, 2007) picks gradients that are far
apart.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from lbb_jax import arguments, entropy
from lbb_jax.acquisition.k_center import pick_centres
from lbb_jax.acquisition.pointwise import mean_probs
from lbb_jax.acquisition.sampling import pick_by_score
from lbb_jax.acquisition.selection import Acquisition, highest


def badge(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    embeddings: Float[ArrayLike, "N D"],
) -> Acquisition:
    """Picks points by k-means++ seeding on ``g = (p - onehot(argmax_c p)) ⊗ h``.

    Here ``p`` is the predictive mean and ``h`` the embedding. The first pick is the point with the largest gradient, as
    in the authors' code; each one after it is drawn with probability proportional to its squared distance to the
    nearest pick, and uniformly from what is available once all distances are 0. The gradients, ``[N, C D]``, are never
    formed: each distance is a sum of products of one factor from the classes and one from the embeddings.

    Args:
      key: Random key, consumed. Each point has its own variates for each pick, whatever is available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``. Time grows with ``N (C + D)`` times this.
      embeddings: Inputs of the network's last layer, ``[N, D]``.

    Returns:
      The picks in order. A pick's score is its squared distance to the nearest earlier pick; the score of the first
      pick is the squared length of its gradient. The score of an exact copy of an earlier pick is exactly 0.
    """
    key = arguments.check_key("key", key)
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    embeddings = jnp.asarray(arguments.as_embeddings("embeddings", embeddings, len(log_probs)))
    residuals = _residuals(log_probs)

    def squared_distances(index: jax.Array) -> jax.Array:
        return _squared_distances(residuals, embeddings, index)

    lengths = entropy.sum_of_terms(jnp.square(residuals)) * entropy.sum_of_terms(jnp.square(embeddings))
    return pick_centres(
        key,
        highest(lengths, available, batch_size=1),
        jnp.full(len(lengths), jnp.inf, lengths.dtype),
        available,
        batch_size=batch_size,
        squared_distances=squared_distances,
        choose=lambda key, nearest, available: pick_by_score(key, nearest, available, batch_size=1, sampling="power"),
    )


def _residuals(log_probs: Float[Array, "N K C"]) -> Float[Array, "N C"]:
    """``p - onehot(argmax_c p)`` of the predictive means."""
    mean = mean_probs(log_probs)
    return mean - jax.nn.one_hot(jnp.argmax(mean, axis=-1), mean.shape[-1], dtype=mean.dtype)


def _squared_distances(
    residuals: Float[Array, "N C"], embeddings: Float[Array, "N D"], index: Int[Array, ""]
) -> Float[Array, " N"]:
    """Squared distances ``|r_n ⊗ h_n - r_i ⊗ h_i|²`` of all points to the point ``index``.

    With differences Δ and midpoints the two gradients differ by ``Δr ⊗ h̄ + r̄ ⊗ Δh``. This does not cancel where the
    points are close, as the expanded square would, and it is exactly 0 for copies.
    """
    of_class, of_class_mid, class_product = _differences_and_midpoints(residuals, index)
    of_embedding, of_embedding_mid, embedding_product = _differences_and_midpoints(embeddings, index)
    squared = of_class * of_embedding_mid + of_class_mid * of_embedding + 2 * class_product * embedding_product
    return jnp.maximum(squared, 0)


def _differences_and_midpoints(
    rows: Float[Array, "N d"], index: Int[Array, ""]
) -> tuple[Float[Array, " N"], Float[Array, " N"], Float[Array, " N"]]:
    """Squares of the difference and the midpoint of each of ``rows`` with row ``index``, and their product."""
    row = rows[index][None]
    differences, midpoints = rows - row, (rows + row) / 2
    return (
        entropy.sum_of_terms(jnp.square(differences)),
        entropy.sum_of_terms(jnp.square(midpoints)),
        entropy.sum_of_terms(differences * midpoints),
    )
