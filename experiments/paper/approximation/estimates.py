"""The total correlation of one batch, exact or sampled, beside its approximations."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax import information, interaction, label_configurations

EXACT_UP_TO = 6


class Estimates(NamedTuple):
    """What is known about one batch; all ``[]``, in nats.

    Attributes:
      total_correlation: ``C(y_1..y_b)``; sampled estimates of small ones can be below 0.
      joint_information: ``I(y_1..y_b; θ)``, BatchBALD.
      standard_error: The standard error of both; 0 where they are exact.
      sum_of_bald: ``Σ_i I(y_i; θ)``, the sum of total correlation and joint information.
      pairs_once: ``Σ_{i<j} I(y_i; y_j)``.
      pairs_and_triples: ``Σ_{i<j} I(y_i; y_j) - Σ_{i<j<k} I(y_i; y_j; y_k)``.
      tree: The total correlation of the best dependence tree.
    """

    total_correlation: jax.Array
    joint_information: jax.Array
    standard_error: jax.Array
    sum_of_bald: jax.Array
    pairs_once: jax.Array
    pairs_and_triples: jax.Array
    tree: jax.Array


def is_exact(batch_size: int, num_classes: int) -> bool:
    """Whether the joint distribution of a batch's labels is enumerated."""
    return batch_size <= EXACT_UP_TO and num_classes**batch_size <= label_configurations.MAX_CONFIGURATIONS


def estimate(key: jax.Array, log_probs: jax.Array, *, num_samples: int) -> Estimates:
    """Total correlation and joint information of a batch, by enumeration or sampling, and the approximations.

    Args:
      key: Random key, consumed by the sampling.
      log_probs: The batch, ``[b, K, C]``.
      num_samples: Label configurations where not all are enumerated (`is_exact`).

    Returns:
      All estimates; the total correlation is the sum of BALD less the joint information (Eq. 2.8).
    """
    num_points, _, num_classes = log_probs.shape
    sum_of_bald = jnp.sum(information.mutual_information(log_probs))
    if is_exact(num_points, num_classes):
        joint_information = information.joint_mutual_information(log_probs)
        standard_error = jnp.zeros((), log_probs.dtype)
    else:
        joint_information, standard_error = sampled_joint_information(key, log_probs, num_samples=num_samples)
    return Estimates(
        total_correlation=sum_of_bald - joint_information,
        joint_information=joint_information,
        standard_error=standard_error,
        sum_of_bald=sum_of_bald,
        pairs_once=information.pairwise_total_correlation(log_probs),
        pairs_and_triples=interaction.third_order_total_correlation(log_probs),
        tree=information.tree_total_correlation(log_probs),
    )


def sampled_joint_information(key: jax.Array, log_probs: jax.Array, *, num_samples: int) -> tuple[jax.Array, jax.Array]:
    """Unbiased estimate of ``I(y_1..y_b; θ)`` from sampled label configurations, and its standard error.

    Averages ``log p(y_1..y_b | θ_k) - log p(y_1..y_b)`` over configurations whose labels all come from one draw
    ``θ_k``, the draws stratified. No term exceeds ``log K``, so that the error does not grow with the batch as that of
    `entropy.sampled_joint_entropy` does.

    Args:
      key: Random key, consumed.
      log_probs: The batch, ``[b, K, C]``.
      num_samples: Number of configurations, at least 2.

    Returns:
      The estimate and its standard error, both ``[]``, nats. The error is that of draws taken at random; stratifying
      them makes it smaller.
    """
    num_draws = log_probs.shape[1]
    draw_key, label_key = jax.random.split(key)
    draws = label_configurations.stratified_draws(draw_key, num_samples, num_draws)
    log_likelihoods = label_configurations.sample_all(label_key, log_probs, draws)
    of_own_draw = jnp.take_along_axis(log_likelihoods, draws[:, None], axis=1)[:, 0]
    terms = of_own_draw - jax.nn.logsumexp(log_likelihoods, axis=1) + jnp.log(num_draws)
    return jnp.mean(terms), jnp.std(terms, ddof=1) / jnp.sqrt(num_samples)
