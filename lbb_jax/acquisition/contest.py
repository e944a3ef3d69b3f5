"""A batch, challenged by points that it was not picked from.

What a point is worth to a batch depends on the point, the picks so far and the random key. So at each pick the winner
of a whole pool is the winner among the winners of its parts: a batch is that of the pool if no part of the pool, taken
together with the batch, gives another batch. The parts can be looked at one after the other, or by several processes.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float32, Int32

from lbb_jax.acquisition.kept_points import Kept, join
from lbb_jax.acquisition.selection import Ranked

# So many contenders are kept for each pick; when there are more, only the present batch stays.
_CONTENDERS_PER_PICK = 4
# Two programs may round the worth of a point differently.
_MARGIN = 1e-6


class Contest:
    """The batch of all points seen so far, which further points can challenge.

    Args:
      choose: Maps points, and the number of places that the program has for them, to the batch that they give.
      kept: Points that include those of ``choice``.
      choice: The batch that they give.
      challengers_at_once: The most points that challenge the batch together; more of them need another program.

    Attributes:
      choice: The present batch.
      contenders: The points of the batch, and points that were in it before.
      challengers_at_once: Points that challenge the batch together.
      most_contenders: The most contenders that are kept.
    """

    def __init__(self, choose: Callable[[Kept, int], Ranked], kept: Kept, choice: Ranked, challengers_at_once: int):
        self._choose = choose
        self.choice = choice
        self.challengers_at_once = challengers_at_once
        self.most_contenders = _CONTENDERS_PER_PICK * len(choice.worth)
        self.contenders = kept.at(np.isin(kept.points, np.asarray(choice.acquisition.indices)))

    def challenge(self, challengers: Kept) -> Kept:
        """Lets points challenge the batch, and returns those that win a place in it.

        Args:
          challengers: Points, none of them a contender.
        """
        together = join([self.contenders, challengers])
        num_places = self.most_contenders + self.challengers_at_once
        if len(together.points) > num_places:
            num_places = 1 << (len(together.points) - 1).bit_length()
        choice = self._choose(together, num_places)
        indices = np.asarray(choice.acquisition.indices)
        winners = challengers.at(np.isin(challengers.points, indices))
        if len(winners.points):
            self.choice = choice
            self.contenders = join([self.contenders, winners])
            if len(self.contenders.points) > self.most_contenders:
                self.contenders = self.contenders.at(np.isin(self.contenders.points, indices))
        return winners

    def among(self, kept: Kept) -> Kept:
        """The points of ``kept`` that are not contenders, and are worth enough by themselves to be picked."""
        return kept.at(self.is_open_to(kept.worth) & self.without_contenders(kept.points))

    def without_contenders(self, points: Int32[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which of ``points[n]`` are no contenders, ``[n]`` bool."""
        return ~np.isin(points, self.contenders.points)

    def is_open_to(self, worth: Float32[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Whether points that are ``worth[n]`` by themselves could be picked, ``[n]`` bool."""
        threshold = float(self.choice.threshold)
        return worth >= threshold - _MARGIN * abs(threshold)
