"""The score that the paper's released code computes, for comparison with that code.

It is not Eq. 2.12, and does not reproduce the paper's Figure 1b (page Findings). The code that was released with
"Scalable Batch Acquisition for Deep Bayesian Active Learning" (Rubashevskii, Kotova and Panov, SDM 2023) adds to BALD a
term that rewards a point for agreeing with the points that happen to lie near it in the pool, and picks all points at
once. `large_batch_bald` is the method of the paper.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from lbb_jax import arguments, information
from lbb_jax.acquisition.sampling import pick_by_score
from lbb_jax.acquisition.selection import Acquisition
from lbb_jax.relative_entropy import mean_over_draws

CHUNK_SIZE = 1024


def large_batch_bald_released(
    key: jax.Array,
    log_probs: Float[ArrayLike, "N K C"],
    available: Bool[ArrayLike, " N"],
    *,
    batch_size: int,
    sampling: str = "top",
    alpha: Float[Array, ""] | float = 1.0,
) -> Acquisition:
    """Picks by the score of the released code.

    The available points, in the order of the pool, are cut into chunks of 1,024. With ``G`` the chunk of point ``i``,

        a_ic = Σ_{j∈G, j≠i} mean_k p_ik(c) p_jk(c),    e_ic = Σ_{j∈G, j≠i} p_i(c) p_j(c),

    where ``p_i = mean_k p_ik``, the score is ``I(y_i; θ) + Σ_c a_ic (log(1 + a_ic) - log(1 + e_ic))``. The score
    depends on the order of the pool, so that exact copies in different chunks have different scores. It can be negative
    and grows with the chunk, so it is not an amount of information.

    Args:
      key: Random key, consumed by the sampling, ignored without it. Each point has its own variates, whatever is
        available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      sampling: Static: how points are picked by their scores (`lbb_jax.acquisition.sampling`).
      alpha: At least 0, the coldness of the sampling; "top" has none.

    Returns:
      The picks; the scores are those above.
    """
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    scores = information.mutual_information(log_probs) + agreement(log_probs, available)
    return pick_by_score(key, scores, available, batch_size=batch_size, sampling=sampling, alpha=alpha)


def agreement(log_probs: Float[Array, "N K C"], available: Bool[Array, " N"]) -> Float[Array, " N"]:
    """What the released code adds to BALD, ``Σ_c a_ic (log(1 + a_ic) - log(1 + e_ic))``.

    Args:
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.

    Returns:
      ``[N]``, 0 for points that are not available.
    """
    num_points = len(log_probs)
    chunk_size = min(CHUNK_SIZE, num_points)
    num_chunks = -(-num_points // chunk_size)
    # The available points in order, and after them indices past the end: these read as probability 0.
    points = jnp.flatnonzero(available, size=num_chunks * chunk_size, fill_value=num_points)

    def of_chunk(members: jax.Array) -> jax.Array:
        return _agreement_in_chunk(jnp.exp(log_probs.at[members].get(mode="fill", fill_value=-jnp.inf)))

    terms = jax.lax.map(of_chunk, points.reshape(num_chunks, chunk_size))
    return jnp.zeros(num_points, log_probs.dtype).at[points].set(terms.reshape(-1), mode="drop")


def _agreement_in_chunk(probs: Float[Array, "n K C"]) -> Float[Array, " n"]:
    """``Σ_c a_ic (log(1 + a_ic) - log(1 + e_ic))`` among the points of a chunk.

    Points whose probabilities are all 0 change nothing.
    """
    means = mean_over_draws(probs)
    deviations = probs - means[:, None]
    expected = means * _sum_over_others(means)
    together = jnp.mean(probs * _sum_over_others(probs), axis=1)
    # `together - expected` is the covariance over draws; computed as that, it does not cancel.
    covariance = jnp.mean(deviations * _sum_over_others(deviations), axis=1)
    return jnp.sum(together * jnp.log1p(covariance / (1 + expected)), axis=-1)


def _sum_over_others(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """For each point, along the first axis, the sum of the others, exactly 0 where all others are 0."""
    return jnp.sum(values, axis=0, keepdims=True) - values
