"""The points of a stream that may still be picked, in the host's memory."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

_NOTHING = np.float32(-np.inf)
# One spare place for so many places.
_SPARE = 4


class Kept(NamedTuple):
    """Points of a stream.

    Attributes:
      worth: What each is worth by itself, ``-inf`` in free places, ``[M]`` float32.
      points: Their positions in the stream, ``[M]`` int32; the largest int32 in free places.
      log_probs: Their predictions, ``[M, K, C]`` float32.
    """

    worth: Float32[np.ndarray, " M"]
    points: Int32[np.ndarray, " M"]
    log_probs: Float32[np.ndarray, "M K C"]

    def at(self, rows: Bool[np.ndarray, " M"] | Int[np.ndarray, " m"] | slice) -> "Kept":
        """The points in the places ``rows``, an index of any kind."""
        return Kept(self.worth[rows], self.points[rows], self.log_probs[rows])


def join(parts: Sequence[Kept]) -> Kept:
    """The points of all parts."""
    return Kept(*map(np.concatenate, zip(*parts, strict=True)))


def lay_out(kept: Kept, num_places: int) -> Kept:
    """The points in the order of the stream, and free places up to ``num_places``."""
    laid_out = Kept(
        np.full(num_places, _NOTHING),
        np.full(num_places, np.iinfo(np.int32).max, np.int32),
        np.zeros((num_places, *kept.log_probs.shape[1:]), np.float32),
    )
    order = np.argsort(kept.points)
    for places, rows in zip(laid_out, kept, strict=True):
        np.take(rows, order, axis=0, out=places[: len(order)])
    return laid_out


class KeptPoints:
    """The points of a stream that are worth most by themselves; of equal points the first.

    Points that are worth less than a threshold are left out as they come. The threshold rises when a caller raises it,
    and when all places are taken: then only the best points stay. Points are not sorted, and few are copied.

    Args:
      num_places: Points kept; there is room for a quarter more before some must go.
      num_draws: ``K``.
      num_classes: ``C``.

    Attributes:
      size: Points at hand.
      threshold: Points worth less than this are left out as they come.
      best_left_out: What the best point left out was worth.
    """

    def __init__(self, num_places: int, num_draws: int, num_classes: int):
        self.num_places = num_places
        capacity = num_places + -(-num_places // _SPARE)
        # The system gives memory as places are filled.
        self._places = Kept(
            np.empty(capacity, np.float32),
            np.empty(capacity, np.int32),
            np.empty((capacity, num_draws, num_classes), np.float32),
        )
        self.size = 0
        # Below every worth except -inf, which marks points that are not available.
        self.threshold = np.finfo(np.float32).min
        self.best_left_out = _NOTHING

    def add(
        self,
        worth: Float32[np.ndarray, " n"],
        first_point: int,
        take: Callable[[Int[np.ndarray, " m"]], Float32[np.ndarray, "m K C"]],
    ) -> None:
        """Keeps the points of a block that are worth it; blocks come in the order of the stream.

        Args:
          worth: What its points are worth, ``[n]`` float32, ``-inf`` for points that are not available.
          first_point: Position in the stream of the first of them.
          take: Maps rows ``[m]`` of the block to their predictions, ``[m, K, C]``.
        """
        rows = self._above_threshold(worth, np.arange(len(worth)))
        while len(rows):
            if self.size == len(self._places.worth):
                self._keep_best()
                rows = self._above_threshold(worth, rows)
                continue
            new, rows = np.split(rows, [len(self._places.worth) - self.size])
            mine = self._places.at(slice(self.size, self.size + len(new)))
            mine.worth[:], mine.points[:], mine.log_probs[:] = worth[new], first_point + new, take(new)
            self.size += len(new)

    def raise_threshold(self, threshold: float) -> None:
        """Leaves out what is worth less than ``threshold``."""
        self.threshold = max(self.threshold, np.float32(threshold))
        self._keep(self._places.worth[: self.size] >= self.threshold)

    def settle(self) -> None:
        """Frees the spare places: only the best ``num_places`` points stay."""
        if self.size > self.num_places:
            self._keep_best()

    def all(self) -> Kept:
        """All points at hand, in any order."""
        return self._places.at(slice(self.size))

    def best(self, num_points: int) -> Kept:
        """The best ``num_points`` of those at hand, or all if there are no more, in any order."""
        if num_points >= self.size:
            return self.all()
        return self._places.at(np.argpartition(-self._places.worth[: self.size], num_points - 1)[:num_points])

    def _above_threshold(
        self, worth: Float32[np.ndarray, " n"], rows: Int[np.ndarray, " m"]
    ) -> Int[np.ndarray, " left"]:
        """The rows of points that are worth the threshold; the other points are left out."""
        stays = worth[rows] >= self.threshold
        self._leave_out(worth[rows[~stays]])
        return rows[stays]

    def _keep_best(self) -> None:
        """Keeps the best ``num_places`` points, and raises the threshold to the next number above the least of them."""
        worth, points, _ = self.all()
        least = np.partition(worth, self.size - self.num_places)[self.size - self.num_places]
        stays = worth > least
        equal = np.flatnonzero(worth == least)
        first = np.argsort(points[equal])[: self.num_places - np.count_nonzero(stays)]
        stays[equal[first]] = True
        self._keep(stays)
        # A later point of the same worth ranks behind the points at hand.
        self.threshold = np.nextafter(least, np.float32(np.inf))

    def _keep(self, stays: Bool[np.ndarray, " size"]) -> None:
        """Keeps the points of ``stays[size]``: the last ones move to the places that become free."""
        self._leave_out(self._places.worth[: self.size][~stays])
        self.size = int(np.count_nonzero(stays))
        free, moved = np.flatnonzero(~stays[: self.size]), self.size + np.flatnonzero(stays[self.size :])
        for array in self._places:
            array[free] = array[moved]

    def _leave_out(self, worth: Float32[np.ndarray, " m"]) -> None:
        self.best_left_out = np.max(worth, initial=self.best_left_out)
