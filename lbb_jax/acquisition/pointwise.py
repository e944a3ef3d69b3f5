"""Methods that score each point by itself: random, least confident, margin, entropy, BALD and PowerBALD.

All take ``key`` (consumed by the methods that sample, ignored by the others), ``log_probs[N, K, C]``,
``available[N]`` (bool) and the static ``batch_size``, at most ``N``. Equation numbers refer to Rubashevskii, Kotova
and Panov (SDM 2023).
"""

import jax
import jax.numpy as jnp

from lbb_jax import arguments, entropy, information
from lbb_jax.acquisition import exponential_race
from lbb_jax.acquisition.selection import Acquisition, highest


def mean_probs(log_probs: jax.Array) -> jax.Array:
    """Predictive mean ``p_n(c)`` of ``log_probs[N, K, C]`` (Eq. 2.3): ``[N, C]``."""
    return jnp.mean(jnp.exp(log_probs), axis=1)


def least_confident_score(log_probs: jax.Array) -> jax.Array:
    """``1 - max_c p_n(c)`` of the predictive mean of ``log_probs[N, K, C]`` (Eq. 2.2): ``[N]``."""
    return 1 - jnp.max(mean_probs(log_probs), axis=-1)


def margin_score(log_probs: jax.Array) -> jax.Array:
    """1 less the difference of the two largest probabilities of the predictive mean of ``log_probs[N, K, C]``: ``[N]``.

    A single class has nothing to be mistaken for: 0.
    """
    mean = mean_probs(log_probs)
    is_likeliest = jnp.arange(mean.shape[-1])[None] == jnp.argmax(mean, axis=-1, keepdims=True)
    return 1 - (jnp.max(mean, axis=-1) - jnp.max(jnp.where(is_likeliest, 0, mean), axis=-1))


def random(key: jax.Array, log_probs: jax.Array, available: jax.Array, *, batch_size: int) -> Acquisition:
    """Picks available points uniformly without replacement; all scores are 0."""
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    order = exponential_race.variates(key, jnp.arange(len(log_probs)), log_probs.dtype).gumbel
    picked = highest(order, available, batch_size=batch_size)
    return picked._replace(scores=jnp.where(picked.indices >= 0, 0, -jnp.inf).astype(order.dtype))


def least_confident(key: jax.Array, log_probs: jax.Array, available: jax.Array, *, batch_size: int) -> Acquisition:
    """Picks the points with the highest ``1 - max_c p_n(c)`` of the predictive mean (Eq. 2.2)."""
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    del key
    return highest(least_confident_score(log_probs), available, batch_size=batch_size)


def margin(key: jax.Array, log_probs: jax.Array, available: jax.Array, *, batch_size: int) -> Acquisition:
    """Picks the points whose two likeliest classes are closest in the predictive mean (Scheffer et al., 2001).

    The score is 1 less the difference of their probabilities, so that the highest is picked, as everywhere.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    del key
    return highest(margin_score(log_probs), available, batch_size=batch_size)


def max_entropy(key: jax.Array, log_probs: jax.Array, available: jax.Array, *, batch_size: int) -> Acquisition:
    """Picks the points whose predictive mean has the highest entropy, in nats (section 2.2.1)."""
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    del key
    return highest(entropy.marginal_entropy(log_probs), available, batch_size=batch_size)


def bald(key: jax.Array, log_probs: jax.Array, available: jax.Array, *, batch_size: int) -> Acquisition:
    """Picks the points with the highest ``I(y_n; θ)``, in nats (Houlsby et al., 2011; section 2.2.2)."""
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    del key
    return highest(information.mutual_information(log_probs), available, batch_size=batch_size)


def power_bald(
    key: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    alpha: jax.Array | float = 1.0,
) -> Acquisition:
    """Samples points without replacement with probability proportional to ``BALD**alpha`` (Eq. 2.13).

    Points whose BALD is 0 have probability 0; when only such points are left, they are picked uniformly.

    Args:
      key: Random key, consumed. Each point has its own variates, whatever is available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      alpha: At least 0. At 0 every point, informative or not, is equally likely.

    Returns:
      The picks in the order drawn; the scores are their BALD in nats.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    return exponential_race.first_arrivals(
        key, information.mutual_information(log_probs), available, batch_size=batch_size, alpha=alpha
    )
