"""What the points of a pool share with a batch, pair by pair: its two forms, their bounds, and what is left to gain.

The redundancy of a point ``x`` with the batch ``S`` is ``Σ_{s∈S} I(y_x; y_s)`` (``"pairwise"``) or
``max_{s∈S} I(y_x; y_s)`` (``"tree"``). ``pairs="chi2"`` takes ``χ²/2`` for the information of each pair.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from lbb_jax import arguments, chi_squared, information
from lbb_jax.acquisition import dense_greedy
from lbb_jax.batching import rows_per_chunk
from lbb_jax.chi_squared import Moments
from lbb_jax.relative_entropy import centre, psi

REDUNDANCIES = ("pairwise", "tree")
PAIRS = ("exact", "chi2")
# Pairs are evaluated in blocks of a multiple of 16: enough to keep the hardware busy, few enough to waste little.
_JOINT_PROBABILITIES_AT_A_TIME = 2**11
_LARGEST_BLOCK = 2**20


class GrowingBatch(NamedTuple):
    """The batch so far, in places for ``b`` points.

    Attributes:
      indices: ``[b]`` int32.
      ranks: What each was ranked by when it was picked, ``[b]``.
      moments: Moments of each for the bounds of its pairs, 0 in free places; ``[D, b]`` and ``[E, b]``.
      size: How many there are, ``[]`` int32.
    """

    indices: Int32[Array, " b"]
    ranks: Float[Array, " b"]
    moments: Moments
    size: Int32[Array, ""]

    def with_point(self, index: Int32[Array, ""], rank: Float[Array, ""], moments: Moments) -> "GrowingBatch":
        """The batch and one more point, whose ``moments`` are ``[D]`` and ``[E]``."""
        return GrowingBatch(
            self.indices.at[self.size].set(index),
            self.ranks.at[self.size].set(rank),
            jax.tree.map(lambda leaf, column: leaf.at[:, self.size].set(column), self.moments, moments),
            self.size + 1,
        )


class SharedInformation:
    """The pool's predictions, and the arithmetic of one form of redundancy over them.

    Attributes:
      scores: BALD of each point, ``[N]``.
      is_tree: Whether the redundancy is the largest pair, not their sum.
      has_moments: Whether pairs have bounds that cost less than the pairs.
    """

    def __init__(
        self,
        log_probs: Float[Array, "N K C"],
        redundancy: str,
        pair_weight: Float[Array, ""] | float,
        pairs: str,
        batch_size: int,
    ):
        """Takes the options of `large_batch_bald`.

        Raises:
          ValueError: For a ``redundancy`` or ``pairs`` that does not exist.
        """
        arguments.check_choice("redundancy", redundancy, choices=REDUNDANCIES)
        arguments.check_choice("pairs", pairs, choices=PAIRS)
        self.log_probs, self.batch_size = log_probs, batch_size
        self.scores = information.mutual_information(log_probs)
        self.is_tree, self._pair_weight = redundancy == "tree", pair_weight
        num_points, self._num_draws, num_classes = log_probs.shape
        self.has_moments = chi_squared.costs_less_than_pairs(self._num_draws, num_classes)
        self._is_chi2 = pairs == "chi2"
        self._pairs_are_products = self._is_chi2 and self.has_moments
        numbers = self.numbers_of_a_pair
        rows = 16 * rows_per_chunk(16 * numbers, num_points, _JOINT_PROBABILITIES_AT_A_TIME)
        self.block_size = min(rows, rows_per_chunk(numbers, num_points, _LARGEST_BLOCK))

    @property
    def numbers_of_a_pair(self) -> int:
        """How many numbers it takes to evaluate one point with one pick."""
        _, num_draws, num_classes = self.log_probs.shape
        num_moments = chi_squared.num_coordinates(num_draws) * num_draws // 2
        return num_moments if self._pairs_are_products else num_classes**2

    def empty_batch(self) -> GrowingBatch:
        """A batch without points."""
        size, dtype = self.batch_size, self.log_probs.dtype
        moments = jax.eval_shape(self.moments_of, self.log_probs[:1])
        nothing = jax.tree.map(lambda leaf: jnp.zeros((len(leaf), size), dtype), moments)
        return GrowingBatch(jnp.zeros(size, jnp.int32), jnp.zeros(size, dtype), nothing, jnp.int32(0))

    def moments_of(self, log_probs: Float[Array, "n K C"]) -> Moments:
        """Moments of ``log_probs[n, K, C]``, ``[D, n]`` and ``[E, n]``.

        They give bounds of exact pairs. With ``pairs="chi2"`` the products of moments are the pairs themselves.
        """
        nothing = jnp.zeros((0, len(log_probs)), log_probs.dtype)
        if not self.has_moments:
            return Moments(nothing, nothing)
        if self._is_chi2:
            return Moments(chi_squared.second_moments(log_probs) * 0.5**0.5, nothing)
        return chi_squared.bound_moments(log_probs)

    def pairs(
        self, points: Int32[Array, " m"], moments: Moments, numbers: Int32[Array, " m"], batch: GrowingBatch
    ) -> Float[Array, " m"]:
        """The information that each of ``points[m]`` shares with one pick, that at the place ``numbers[m]``; ``[m]``.

        Args:
          points: Indices in the pool.
          moments: The moments of these points, a row for each, ``[m, D]`` and ``[m, E]``.
          numbers: For each point, the place in the batch of the pick.
          batch: The batch.
        """
        if self._pairs_are_products:
            # Row by row, so that exact copies share exactly as much.
            return jnp.sum(moments.second * batch.moments.second.T[numbers], axis=1)
        a, b = centre(self.log_probs[points]), centre(self.log_probs[batch.indices[numbers]])
        return information.weighted_pairs(a, b, self._of_pair)

    def pairs_of_all(self) -> Callable[[Int32[Array, ""]], Float[Array, " N"]]:
        """A function from the index ``[]`` of a point to the information of every point with it, ``[N]``."""
        if self._pairs_are_products:
            moments = self.moments_of(self.log_probs).second
            return lambda index: jnp.sum(moments * moments[:, index][:, None], axis=0)
        return lambda index: dense_greedy.weighted_pairs_with(self.log_probs, index, self._of_pair)

    def most(self, moments: Moments, others: Moments) -> Float[Array, "m n"]:
        """Upper bounds of the pairs of each of ``m`` others and each of ``n`` points, ``[m, n]``."""
        if self._is_chi2:
            return chi_squared.most_of_products(moments, others)
        return chi_squared.upper_bounds(moments, others, self._num_draws)

    def add(self, redundancy: Float[Array, " n"], pair: Float[Array, " n"]) -> Float[Array, " n"]:
        """Redundancy with one more pick."""
        return jnp.maximum(redundancy, pair) if self.is_tree else redundancy + pair

    def add_all(self, redundancy: Float[Array, " n"], pairs: Float[Array, "m n"]) -> Float[Array, " n"]:
        """Redundancy ``[n]`` with all picks of ``pairs[m, n]``."""
        return self.add(redundancy, jnp.max(pairs, axis=0) if self.is_tree else jnp.sum(pairs, axis=0))

    def gain(self, scores: Float[Array, "*n"], redundancy: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """What points are worth at that redundancy with the batch."""
        if self.is_tree:
            return jnp.maximum(scores - redundancy, 0)
        return scores - self._pair_weight * redundancy

    def _of_pair(self, excess: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """What ``D_cd`` adds to the information of a pair: ``ψ``, or what it is near 0."""
        return jnp.square(excess) / 2 if self._is_chi2 else psi(excess)
