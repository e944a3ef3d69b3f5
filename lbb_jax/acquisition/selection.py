"""What an acquisition returns, and the steps that all methods share.

Every method masks points out by their score alone, ties go to the lowest index, and a pick for which no available
point is left has index -1 and score ``-inf`` (`acquire` refuses such a request beforehand).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

NO_POINT = -1


class Acquisition(NamedTuple):
    """The points picked, in the order picked.

    Attributes:
      indices: Rows of ``log_probs``, ``[b]`` int32.
      scores: What each pick was worth to its method when it was picked, ``[b]`` float32.
    """

    indices: Int32[Array, " b"]
    scores: Float[Array, " b"]


class Ranked(NamedTuple):
    """Picks, and what they were ranked by.

    Attributes:
      acquisition: The picks, ``[b]``.
      worth: What each pick was ranked by when it was picked, ``[b]``.
      most: How many times its worth by itself a point can be worth to the batch, ``[b]`` or one number: 1 for exact
        gains, a little more for sampled ones.
      num_evaluations: How many pairs, triples, determinants or, for EPIG, points with all targets were evaluated,
        ``[]`` int32; 0 where nothing is counted.
    """

    acquisition: Acquisition
    worth: Float[Array, " b"]
    most: Float[Array, "..."] | float = 1.0
    num_evaluations: Int32[Array, ""] | int = 0

    @property
    def threshold(self) -> Float[Array, ""]:
        """A point that is worth less than this by itself could not have been picked, ``[]``."""
        return jnp.min(self.worth / self.most)

    def slack(self, best_left_out: Float[Array, ""] | float) -> Float[Array, ""]:
        """An upper bound of how much more than a pick a point worth ``best_left_out`` by itself could be worth."""
        return jnp.max(self.most * best_left_out - self.worth)


def remove(available: Bool[Array, " N"], index: Int32[Array, ""]) -> Bool[Array, " N"]:
    """The mask ``[N]`` without the point of ``index``; -1 removes nothing."""
    # A negative index would count from the end; one past the end is dropped.
    return available.at[jnp.where(index != NO_POINT, index, len(available))].set(False, mode="drop")


def highest(scores: Float[Array, " N"], available: Bool[Array, " N"], *, batch_size: int) -> Acquisition:
    """The ``batch_size`` highest available scores, the lowest index first among equals."""
    top_scores, indices = jax.lax.top_k(jnp.where(available, scores, -jnp.inf), batch_size)
    return Acquisition(jnp.where(available[indices], indices, NO_POINT).astype(jnp.int32), top_scores)


def best(
    scores: Float[Array, " N"], available: Bool[Array, " N"], *, resolution: float = 0.0
) -> tuple[Int32[Array, ""], Float[Array, ""]]:
    """The available point of the highest score, the lowest index first among equals.

    Args:
      scores: ``[N]``.
      available: ``[N]`` bool.
      resolution: Scores within this share of the highest count as equal to it. For scores whose rounding depends on
        where in a block a point is evaluated.

    Returns:
      Its index, ``[]`` int32, -1 if no point is available; and its score, ``[]``, ``-inf`` then.
    """
    scores = jnp.where(available, scores, -jnp.inf)
    index = jnp.argmax(scores)
    if resolution > 0:
        highest_score = scores[index]
        index = jnp.argmax(scores >= highest_score - resolution * jnp.abs(highest_score))
    return jnp.where(available[index], index, NO_POINT).astype(jnp.int32), scores[index]
