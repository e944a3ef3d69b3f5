"""Methods that score each point by itself: random, least confident, margin, entropy, BALD and PowerBALD.

All take ``key`` (consumed where points are sampled, ignored elsewhere), ``log_probs[N, K, C]``, ``available[N]`` (bool)
and the static ``batch_size``, at most ``N``. The static ``sampling`` and ``alpha`` say how points are picked by their
scores (`lbb_jax.acquisition.sampling`); "top" picks the highest. Equation numbers refer to Rubashevskii, Kotova and
Panov (SDM 2023).
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from lbb_jax import arguments, entropy, information
from lbb_jax.acquisition.sampling import pick_by_score
from lbb_jax.acquisition.selection import Acquisition


def mean_probs(log_probs: Float[Array, "N K C"]) -> Float[Array, "N C"]:
    """Predictive mean ``p_n(c)`` of ``log_probs[N, K, C]`` (Eq. 2.3): ``[N, C]``."""
    return jnp.mean(jnp.exp(log_probs), axis=1)


def embeddings_or_mean_probs(
    embeddings: Float[ArrayLike, "N D"] | None, log_probs: Float[Array, "N K C"]
) -> Float[Array, "N features"]:
    """``embeddings[N, D]``, checked; None stands for the predictive means ``[N, C]``."""
    if embeddings is None:
        return mean_probs(log_probs)
    return jnp.asarray(arguments.as_embeddings("embeddings", embeddings, len(log_probs)))


def least_confident_score(log_probs: Float[Array, "N K C"]) -> Float[Array, " N"]:
    """``1 - max_c p_n(c)`` of the predictive mean of ``log_probs[N, K, C]`` (Eq. 2.2): ``[N]``."""
    return 1 - jnp.max(mean_probs(log_probs), axis=-1)


def margin_score(log_probs: Float[Array, "N K C"]) -> Float[Array, " N"]:
    """1 minus the difference of the two largest mean probabilities of ``log_probs[N, K, C]``: ``[N]``.

    With a single class the score is 0.
    """
    mean = mean_probs(log_probs)
    is_likeliest = jnp.arange(mean.shape[-1])[None] == jnp.argmax(mean, axis=-1, keepdims=True)
    return 1 - (jnp.max(mean, axis=-1) - jnp.max(jnp.where(is_likeliest, 0, mean), axis=-1))


def random(
    key: jax.Array, log_probs: Float[ArrayLike, "N K C"], available: Bool[ArrayLike, " N"], *, batch_size: int
) -> Acquisition:
    """Picks available points uniformly without replacement; all scores are 0."""
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    # Equal scores are equally likely.
    scores = jnp.zeros(len(log_probs), log_probs.dtype)
    return pick_by_score(key, scores, available, batch_size=batch_size, sampling="softmax")


def least_confident(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    sampling: str = "top",
    alpha: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks by ``1 - max_c p_n(c)`` of the predictive mean (Eq. 2.2)."""
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    scores = least_confident_score(log_probs)
    return pick_by_score(key, scores, available, batch_size=batch_size, sampling=sampling, alpha=alpha)


def margin(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    sampling: str = "top",
    alpha: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks by how close the two likeliest classes are in the predictive mean (Scheffer et al., 2001).

    The score is 1 minus the difference of their probabilities, so that high scores are picked, as everywhere.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    scores = margin_score(log_probs)
    return pick_by_score(key, scores, available, batch_size=batch_size, sampling=sampling, alpha=alpha)


def max_entropy(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    sampling: str = "top",
    alpha: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks by the entropy of the predictive mean, in nats (section 2.2.1)."""
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    scores = entropy.marginal_entropy(log_probs)
    return pick_by_score(key, scores, available, batch_size=batch_size, sampling=sampling, alpha=alpha)


def bald(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    sampling: str = "top",
    alpha: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks by ``I(y_n; θ)``, in nats (Houlsby et al., 2011; section 2.2.2)."""
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    scores = information.mutual_information(log_probs)
    return pick_by_score(key, scores, available, batch_size=batch_size, sampling=sampling, alpha=alpha)


def power_bald(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    alpha: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Samples points with probability proportional to ``BALD**alpha`` (Eq. 2.13): `bald` with ``sampling="power"``."""
    return bald(key, log_probs, available, batch_size=batch_size, sampling="power", alpha=alpha)
