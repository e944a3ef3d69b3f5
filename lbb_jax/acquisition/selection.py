"""What an acquisition returns, and the steps that all methods share.

Every method masks points out by their score alone, ties go to the lowest index, and a pick for which no available
point is left has index -1 and score ``-inf`` (`acquire` refuses such a request beforehand).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

NO_POINT = -1
INFORMATION_RESOLUTION = 1e-6


class Acquisition(NamedTuple):
    """The points picked, in the order picked.

    Attributes:
      indices: Rows of ``log_probs``, ``[b]`` int32.
      scores: What each pick was worth to its method when it was picked, ``[b]`` float32.
    """

    indices: jax.Array
    scores: jax.Array


def without_rounding(information: jax.Array) -> jax.Array:
    """Replaces information within 1e-6 nats of 0, which float32 cannot tell from none, by exactly 0."""
    return jnp.where(jnp.abs(information) < INFORMATION_RESOLUTION, 0, information)


def gumbel_variates(key: jax.Array, log_probs: jax.Array) -> jax.Array:
    """One standard Gumbel variate for each point of ``log_probs[N, K, C]``, tied to the point's index: ``[N]``.

    Of the finer kind, whose tail reaches far enough for large pools.
    """
    return jax.random.gumbel(key, log_probs.shape[:1], log_probs.dtype, mode="high")


def log_rate(gain: jax.Array, alpha: jax.Array | float) -> jax.Array:
    """Logarithm of the rate ``gain**alpha`` at which power sampling picks a point (Eq. 2.13).

    Gains of 0 and below have rate 0. With ``alpha`` 0 every point has rate 1, whatever its gain.
    """
    positive = gain > 0
    log_gain = jnp.log(jnp.where(positive, gain, 1))
    return jnp.where(jnp.equal(alpha, 0), 0, jnp.where(positive, alpha * log_gain, -jnp.inf))


def best(scores: jax.Array, available: jax.Array) -> jax.Array:
    """Index ``[]`` of the highest available score, the lowest index among equals, or -1 if nothing is available."""
    index = jnp.argmax(jnp.where(available, scores, -jnp.inf)).astype(jnp.int32)
    return jnp.where(available[index], index, NO_POINT)


def take(index: jax.Array, gains: jax.Array, remaining: jax.Array) -> tuple[Acquisition, jax.Array]:
    """The pick of ``index`` with its gain, and ``remaining`` without it; -1 takes nothing."""
    taken = index != NO_POINT
    # A negative index would count from the end; one past the end is dropped.
    remaining = remaining.at[jnp.where(taken, index, len(remaining))].set(False, mode="drop")
    return Acquisition(index, jnp.where(taken, gains[index], -jnp.inf)), remaining


def highest(scores: jax.Array, available: jax.Array, *, batch_size: int) -> Acquisition:
    """The ``batch_size`` highest available scores, the lowest index first among equals."""
    top_scores, indices = jax.lax.top_k(jnp.where(available, scores, -jnp.inf), batch_size)
    return Acquisition(jnp.where(available[indices], indices, NO_POINT).astype(jnp.int32), top_scores)
