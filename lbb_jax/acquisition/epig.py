"""EPIG: how much a point's label tells about the labels of the points that predictions are wanted for.

The expected predictive information gain (Bickford Smith, Kirsch, Farquhar, Gal, Foster and Rainforth, "Prediction-
oriented Bayesian active learning", AISTATS 2023) of a point ``x`` is ``mean_j I(y_x; y_j)`` over target points ``j``.
Unlike BALD it counts nothing for parameters that no target depends on. It is at most BALD.
"""

import jax
import jax.numpy as jnp

from lbb_jax import arguments, information
from lbb_jax.acquisition import exponential_race
from lbb_jax.acquisition.pointwise import random
from lbb_jax.acquisition.selection import Acquisition
from lbb_jax.chunks import map_chunks, rows_per_chunk


def epig(
    key: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    *,
    batch_size: int,
    targets: jax.Array | None = None,
    num_targets: int = 500,
    power: bool = False,
    alpha: jax.Array | float = 1.0,
) -> Acquisition:
    """Picks the points with the highest ``mean_j I(y_x; y_j)`` over the targets, or samples by its powers.

    Targets drawn from the pool stand for all points like these. So that none gains from being drawn, a point is not
    its own target: its score is the mean over the others, and 0 where there are none. (Exact copies, of which one is
    drawn and one is not, then have different scores.) Given targets are taken as they are; one that equals a point of
    the pool is another point with independent labels given the parameters.

    Args:
      key: Random key, consumed by the drawing of targets and by the sampling. Each point has its own variates for
        both, whatever is available.
      log_probs: ``[N, K, C]``.
      available: ``[N]`` bool.
      batch_size: Static, at most ``N``.
      targets: ``[T, K, C]``, all of them available, by the same draws as ``log_probs``; None to draw them from the
        pool.
      num_targets: Static, at least 1: how many available points are drawn, uniformly and without replacement, where
        ``targets`` is None; all that are available if these are fewer. Time grows with it.
      power: Static: whether to sample without replacement with probability proportional to ``score**alpha``
        (Rubashevskii et al., 2023, Eq. 2.13) instead of picking the highest scores.
      alpha: At least 0, of no effect without ``power``.

    Returns:
      The picks; the scores are in nats.

    Raises:
      ValueError: If ``targets`` and ``log_probs`` differ in draws or classes.
    """
    key = arguments.check_key("key", key)
    log_probs, available = arguments.as_pool(log_probs, available, batch_size)
    num_targets = arguments.check_positive_integer("num_targets", num_targets)
    if targets is not None:
        targets = arguments.as_predictions("targets", targets, axes="TKC")
        arguments.check_targets_agree(targets, log_probs.shape)
    if targets is None:
        target_key, key = jax.random.split(key)
        scores = _mean_information_about_others(
            log_probs, _draw_targets(target_key, log_probs, available, num_targets=num_targets)
        )
    else:
        scores = mean_information_about(log_probs, targets)
    return exponential_race.highest_or_first_arrivals(
        key, scores, available, batch_size=batch_size, power=power, alpha=alpha
    )


def mean_information_about(log_probs: jax.Array, targets: jax.Array) -> jax.Array:
    """``mean_j I(y_n; y_j)`` over the targets, in nats.

    Args:
      log_probs: ``[N, K, C]``.
      targets: ``[T, K, C]``.

    Returns:
      ``[N]``.
    """
    chunk_size = rows_per_chunk(len(targets), len(log_probs))

    def of_chunk(start: jax.Array) -> jax.Array:
        block = jax.lax.dynamic_slice_in_dim(log_probs, start, chunk_size)
        return jnp.mean(information.pairwise_mutual_information(block, targets), axis=1)

    return map_chunks(of_chunk, len(log_probs), chunk_size)


def _mean_information_about_others(log_probs: jax.Array, targets: jax.Array) -> jax.Array:
    """As `mean_information_about`, over those targets that are not the point itself.

    Args:
      log_probs: ``[N, K, C]``.
      targets: Indices of the targets in the pool, ``[T]`` int32, ``N`` in places without a target.

    Returns:
      ``[N]``, 0 where there is no other target.
    """
    num_points = len(log_probs)
    chunk_size = rows_per_chunk(len(targets), num_points)
    is_target = targets < num_points
    target_log_probs = log_probs.at[targets].get(mode="fill", fill_value=-jnp.inf)

    def of_chunk(start: jax.Array) -> jax.Array:
        block = jax.lax.dynamic_slice_in_dim(log_probs, start, chunk_size)
        pairs = information.pairwise_mutual_information(block, target_log_probs)
        is_itself = targets[None] == start + jnp.arange(chunk_size, dtype=jnp.int32)[:, None]
        # The point's own term is taken off the sum, and not left out of it, so that exact copies have equal sums.
        about_all = jnp.sum(jnp.where(is_target[None], pairs, 0), axis=1)
        about_itself = jnp.sum(jnp.where(is_itself, pairs, 0), axis=1)
        num_others = jnp.sum(is_target) - jnp.sum(is_itself, axis=1)
        return (about_all - about_itself) / jnp.maximum(num_others, 1).astype(pairs.dtype)

    return map_chunks(of_chunk, num_points, chunk_size)


def _draw_targets(key: jax.Array, log_probs: jax.Array, available: jax.Array, *, num_targets: int) -> jax.Array:
    """Draws available points uniformly without replacement.

    Returns:
      Their indices in ascending order, ``[min(num_targets, N)]`` int32, and after them ``N`` in places without one.
    """
    num_points = len(log_probs)
    drawn = random(key, log_probs, available, batch_size=min(num_targets, num_points)).indices
    # The order of the terms of a sum is then that of the pool, whatever the key.
    return jnp.sort(jnp.where(drawn >= 0, drawn, num_points))
