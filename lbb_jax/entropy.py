"""Entropies of a Bayesian model's predictions, in nats.

Predictions enter as log-probabilities ``log_probs[N, K, C]`` with normalised rows; ``-inf`` (probability exactly 0) is
legal and contributes nothing. The functions are pure and hold no ``jit``; they check shapes and dtypes, also under
``jit``, but not values (`lbb_jax.acquisition.acquire` does). Equation numbers refer to Rubashevskii, Kotova and Panov,
"Scalable Batch Acquisition for Deep Bayesian Active Learning" (SDM 2023).
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lbb_jax import arguments, label_configurations
from lbb_jax.batching import map_chunks, rows_per_chunk


def p_log_p(probs: Float[Array, "*shape"], log_probs: Float[Array, "*shape"] | None = None) -> Float[Array, "*shape"]:
    """``p log p`` elementwise, with value and gradient 0 where ``p`` is 0.

    Args:
      probs: Probabilities, any shape.
      log_probs: Their logarithms, same shape, where they are at hand; computed otherwise.

    Returns:
      ``p log p`` in nats, same shape.
    """
    positive = probs > 0
    # The inner `where` keeps the infinite derivative of log at 0 out of the gradient.
    logs = jnp.log(jnp.where(positive, probs, 1)) if log_probs is None else jnp.where(positive, log_probs, 0)
    return probs * logs


def sum_of_terms(terms: Float[Array, "*shape n"]) -> Float[Array, "*shape"]:
    """Sum over the last axis of computed terms ``[..., n]``: ``[...]``.

    On CPUs it is a product with ones: a sum would keep XLA from vectorising the exponentials and logarithms in the
    terms.
    """
    return jax.lax.platform_dependent(terms, cpu=_product_with_ones, default=_sum)


def _product_with_ones(terms: Float[Array, "*shape n"]) -> Float[Array, "*shape"]:
    return jnp.matmul(terms, jnp.ones(terms.shape[-1], terms.dtype), precision=jax.lax.Precision.HIGHEST)


def _sum(terms: Float[Array, "*shape n"]) -> Float[Array, "*shape"]:
    return jnp.sum(terms, axis=-1)


def marginal_entropy(log_probs: Float[ArrayLike, "N K C"]) -> Float[Array, " N"]:
    """Entropy ``H[y_n]`` of the predictive mean of each point (section 2.2.1).

    Args:
      log_probs: ``[N, K, C]``.

    Returns:
      ``[N]``, nats.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    return -sum_of_terms(p_log_p(jnp.mean(jnp.exp(log_probs), axis=1)))


def conditional_entropy(log_probs: Float[ArrayLike, "N K C"]) -> Float[Array, " N"]:
    """Entropy of each point given the parameters, ``mean_k H[y_n | θ_k]`` (section 2.2.2).

    Args:
      log_probs: ``[N, K, C]``.

    Returns:
      ``[N]``, nats.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    num_points, num_draws, num_classes = log_probs.shape
    terms = p_log_p(jnp.exp(log_probs), log_probs).reshape(num_points, num_draws * num_classes)
    return -sum_of_terms(terms) / num_draws


def joint_entropy(log_probs: Float[ArrayLike, "b K C"]) -> Float[Array, ""]:
    """Exact entropy of the joint distribution ``mean_k Π_i p(y_i | θ_k)`` of a batch (section 2.2.3).

    The ``C**b`` configurations are the products of those of the batch's two halves, so that the joint distribution is
    one matrix product, taken a block of rows at a time.

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      ``[]``, nats.

    Raises:
      ValueError: If the batch has more than ``10**7`` label configurations.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    num_draws = log_probs.shape[1]
    first, second = map(jnp.exp, label_configurations.enumerate_halves(log_probs))
    chunk_size = rows_per_chunk(len(second), len(first))

    def row_entropy(start: jax.Array) -> jax.Array:
        rows = jax.lax.dynamic_slice_in_dim(first, start, chunk_size)
        joint = jnp.matmul(rows, second.T, precision=jax.lax.Precision.HIGHEST) / num_draws
        return -jnp.sum(p_log_p(joint), axis=-1)

    return jnp.sum(map_chunks(row_entropy, len(first), chunk_size))


def sampled_joint_entropy(
    key: jax.Array, log_probs: Float[ArrayLike, "b K C"], *, num_samples: int
) -> Float[Array, ""]:
    """Unbiased estimate of `joint_entropy` from sampled label configurations, for batches of any size.

    Averages ``-log p(y_1..y_b)`` over configurations whose labels all come from one draw, the draws stratified.

    Args:
      key: Random key, consumed.
      log_probs: The batch, ``[b, K, C]``.
      num_samples: Number of configurations, at least 1.

    Returns:
      ``[]``, nats. The standard error falls as ``1 / sqrt(num_samples)``.

    Raises:
      ValueError: If ``num_samples`` is below 1.
    """
    key = arguments.check_key("key", key)
    log_probs = arguments.as_predictions("log_probs", log_probs)
    num_samples = arguments.check_positive_integer("num_samples", num_samples)
    num_draws = log_probs.shape[1]
    draw_key, label_key = jax.random.split(key)
    draws = label_configurations.stratified_draws(draw_key, num_samples, num_draws)
    log_likelihoods = label_configurations.sample_all(label_key, log_probs, draws)
    log_joint = jax.nn.logsumexp(log_likelihoods, axis=-1) - jnp.log(num_draws)
    return -jnp.mean(log_joint)
