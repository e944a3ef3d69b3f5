"""Mutual information and total correlation of a Bayesian model's predictions, in nats.

Conventions are those of `lbb_jax.entropy`. Every quantity here is at least 0; in float32 a value that is 0 comes out
of the sums as ±4e-7, and what falls below 0 is returned as 0. Equation numbers refer to Rubashevskii, Kotova and Panov
(SDM 2023).
"""

import jax
import jax.numpy as jnp

from lbb_jax import arguments, entropy
from lbb_jax.chunks import map_chunks, rows_per_chunk

_DRAWS_AT_A_TIME = 16


def mutual_information(log_probs: jax.Array) -> jax.Array:
    """Mutual information ``I(y_n; θ)`` of each point's label and the parameters: BALD (section 2.2.2).

    Args:
      log_probs: ``[N, K, C]``.

    Returns:
      ``[N]``, nats, between 0 and ``min(log K, log C)``.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    return jnp.maximum(entropy.marginal_entropy(log_probs) - entropy.conditional_entropy(log_probs), 0)


def pairwise_mutual_information(a: jax.Array, b: jax.Array) -> jax.Array:
    """Mutual information ``I(y_i; y_j)`` of the labels of every point of ``a`` and every point of ``b``.

    Taken from the full ``C × C`` joint ``mean_k p(y_i | θ_k) p(y_j | θ_k)`` (appendix A.2), in blocks, so that no more
    than about a million joint probabilities exist at a time. A point paired with itself counts as two points with
    independent labels given the parameters.

    Args:
      a: ``[N, K, C]``.
      b: ``[M, K, C]``, the same draws and classes.

    Returns:
      ``[N, M]``, nats.

    Raises:
      ValueError: If ``a`` and ``b`` differ in draws or classes.
    """
    a, b = arguments.as_predictions("a", a), arguments.as_predictions("b", b)
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(f"a{list(a.shape)} and b{list(b.shape)}: must agree in draws K and classes C")
    num_rows, num_columns, num_classes = a.shape[0], b.shape[0], a.shape[2]
    column_chunk = rows_per_chunk(num_classes**2, num_columns)
    row_chunk = rows_per_chunk(column_chunk * num_classes**2, num_rows)
    probs_a, probs_b = jnp.exp(a), jnp.exp(b)

    def columns(column: jax.Array) -> jax.Array:
        block_b = jax.lax.dynamic_slice_in_dim(probs_b, column, column_chunk)

        def rows(row: jax.Array) -> jax.Array:
            return _entropy_of_pairs(jax.lax.dynamic_slice_in_dim(probs_a, row, row_chunk), block_b)

        return map_chunks(rows, num_rows, row_chunk).T

    joint = map_chunks(columns, num_columns, column_chunk).T
    marginals = entropy.marginal_entropy(a)[:, None] + entropy.marginal_entropy(b)[None, :]
    return jnp.maximum(marginals - joint, 0)


def _entropy_of_pairs(probs_a: jax.Array, probs_b: jax.Array) -> jax.Array:
    """Joint entropy ``[n, m]`` of the label pairs of the points ``probs_a[n, K, C]`` and ``probs_b[m, K, C]``."""
    # The order of axes that a matrix product leaves them in, so that none are moved.
    joint = jnp.einsum("nkc,mkd->ncmd", probs_a, probs_b, precision=jax.lax.Precision.HIGHEST) / probs_a.shape[1]
    return -jnp.sum(entropy.sum_of_terms(entropy.p_log_p(joint)), axis=1)


def paired_mutual_information(a: jax.Array, b: jax.Array) -> jax.Array:
    """Mutual information ``I(y_i; y'_i)`` of the labels of each point of ``a`` and the same one of ``b``.

    Args:
      a: ``[M, K, C]``.
      b: ``[M, K, C]``.

    Returns:
      ``[M]``, nats: the diagonal of `pairwise_mutual_information`.

    Raises:
      ValueError: If ``a`` and ``b`` differ in shape.
    """
    a, b = arguments.as_predictions("a", a), arguments.as_predictions("b", b)
    if a.shape != b.shape:
        raise ValueError(f"a{list(a.shape)} and b{list(b.shape)}: must have the same shape")
    num_points, num_draws, num_classes = a.shape

    # Small matrix products, one for each pair, are slow on CPUs; sums over draws are not.
    def add_draw(joint: jax.Array, probs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        return joint + probs[0][:, :, None] * probs[1][:, None, :], None

    joint = jnp.zeros((num_points, num_classes, num_classes), a.dtype)
    draws = (jnp.moveaxis(jnp.exp(a), 1, 0), jnp.moveaxis(jnp.exp(b), 1, 0))
    joint, _ = jax.lax.scan(add_draw, joint, draws, unroll=min(num_draws, _DRAWS_AT_A_TIME))
    terms = entropy.p_log_p(joint / num_draws).reshape(num_points, -1)
    joint_entropy = -entropy.sum_of_terms(terms)
    return jnp.maximum(entropy.marginal_entropy(a) + entropy.marginal_entropy(b) - joint_entropy, 0)


def joint_mutual_information(log_probs: jax.Array) -> jax.Array:
    """Mutual information ``I(y_1..y_b; θ)`` of a batch's labels and the parameters: BatchBALD, exact (section 2.2.3).

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      ``[]``, nats, at most ``log K``.

    Raises:
      ValueError: If the batch has more than ``10**7`` label configurations.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    return jnp.maximum(entropy.joint_entropy(log_probs) - jnp.sum(entropy.conditional_entropy(log_probs)), 0)


def total_correlation(log_probs: jax.Array) -> jax.Array:
    """Total correlation ``Σ_i H[y_i] - H[y_1..y_b]`` of a batch's labels, exact (Eq. 2.7).

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      ``[]``, nats. It is what BALD, summed over the batch, exceeds BatchBALD by (Eq. 2.8).

    Raises:
      ValueError: If the batch has more than ``10**7`` label configurations.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    return jnp.maximum(jnp.sum(entropy.marginal_entropy(log_probs)) - entropy.joint_entropy(log_probs), 0)


def pairwise_total_correlation(log_probs: jax.Array, *, pair_weight: float = 1.0) -> jax.Array:
    """The paper's approximation ``Σ_{i<j} I(y_i; y_j)`` of the total correlation (Eq. 2.10).

    Args:
      log_probs: The batch, ``[b, K, C]``.
      pair_weight: What each pair counts. 1 agrees with `total_correlation` for two points; 2 is Eq. 2.10 as printed,
        which sums over ordered pairs.

    Returns:
      ``[]``, nats. It grows with ``b**2`` and can exceed the sum of BALD scores.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    if arguments.are_known(pair_weight):
        arguments.check_finite_and_not_negative("pair_weight", pair_weight)
    pairs = pairwise_mutual_information(log_probs, log_probs)
    return pair_weight * jnp.sum(jnp.triu(pairs, k=1))


def tree_total_correlation(log_probs: jax.Array) -> jax.Array:
    """Total correlation of the batch's best dependence tree (Chow and Liu, 1968): the maximum spanning tree of the
    pairwise mutual information.

    Args:
      log_probs: The batch, ``[b, K, C]``.

    Returns:
      ``[]``, nats: at most `total_correlation`, equal to it for up to two points.
    """
    log_probs = arguments.as_predictions("log_probs", log_probs)
    pairs = pairwise_mutual_information(log_probs, log_probs)

    def attach(_: int, state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        total, in_tree, strongest_link = state
        candidates = jnp.where(in_tree, -jnp.inf, strongest_link)
        added = jnp.argmax(candidates)
        return (
            total + candidates[added],
            in_tree.at[added].set(True),
            jnp.maximum(strongest_link, pairs[added]),
        )

    first = (jnp.zeros((), pairs.dtype), jnp.arange(len(pairs)) == 0, pairs[0])
    return jax.lax.fori_loop(0, len(pairs) - 1, attach, first)[0]
