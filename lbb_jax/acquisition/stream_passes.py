"""Passes over a stream: a first one that keeps the points that may be picked, and later ones that challenge the picks.

A threshold keeps most points out. The batch from the best of the points kept shows about how much a pick is worth, and
points that are worth less than half of that are left out as they come. Whether one of them could have been picked after
all is decided at the end, by the batch itself.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32

from lbb_jax.acquisition import candidates as candidates_lib
from lbb_jax.acquisition import checks
from lbb_jax.acquisition.blocks import Block, open_stream, read_blocks
from lbb_jax.acquisition.candidates import Stream
from lbb_jax.acquisition.contest import Contest
from lbb_jax.acquisition.front_door import Static
from lbb_jax.acquisition.kept_points import Kept, KeptPoints, join, lay_out
from lbb_jax.acquisition.selection import Ranked

# The threshold rises first when so many points are kept, and again when they have doubled.
_FIRST_RISE = 2**16
# A batch that shows what a pick is worth is picked from so many points, or so many for each pick if that is more.
_SAMPLE, _SAMPLE_PER_PICK = 2**10, 16
_MARGIN = 1e-5
# Points that challenge a batch together: so many for each pick, or so many numbers in predictions if that is more.
_CHALLENGERS_PER_PICK, _NUMBERS_OF_CHALLENGERS = 4, 2**21
_ROWS_TAKEN = 2**12


@dataclasses.dataclass(frozen=True)
class Picker:
    """A method with its key and options.

    Attributes:
      stream: How it is streamed.
      key: Its random key.
      batch_size: Points to pick.
      static: Options that are part of a compiled program.
      arrays: Options that are arrays.
    """

    stream: Stream
    key: jax.Array
    batch_size: int
    static: Static
    arrays: Mapping[str, jax.Array]

    @property
    def are_logs(self) -> bool:
        """Whether what points are worth are logarithms."""
        return self.stream.sampling_with(dict(self.static)) != "top"

    @property
    def sample_size(self) -> int:
        """How many of the best points show what a pick is worth."""
        return max(_SAMPLE, _SAMPLE_PER_PICK * self.batch_size)

    def challengers_at_once(self, shape: tuple[int, ...]) -> int:
        """How many points of ``[n, K, C]`` challenge a batch together."""
        return max(_CHALLENGERS_PER_PICK * self.batch_size, _NUMBERS_OF_CHALLENGERS // (shape[1] * shape[2]))

    def score(self, block: Block) -> Float[Array, " B"]:
        """What each point of a block is worth by itself, ``[B]``, ``-inf`` for those that are not available."""
        first_point = np.int32(block.first_point)
        # Rows that are not available may hold NaN, which is no fault of any program.
        with jax.debug_nans(False):
            return _score(
                self.stream, self.static, self.key, first_point, block.log_probs, block.available, self.arrays
            )

    def choose(self, kept: Kept, num_places: int) -> Ranked:
        """The batch that points give, by a program for ``num_places`` of them."""
        with jax.debug_nans(False):
            pool = lay_out(kept, num_places)
            return _choose(self.stream, self.key, pool, self.batch_size, self.static, self.arrays)

    def promise(self, kept: KeptPoints) -> float:
        """About half of what a pick is worth, as the batch from the best of the points kept shows it."""
        threshold = float(self.choose(kept.best(self.sample_size), self.sample_size).threshold)
        half = math.log(2) if self.are_logs else max(threshold, 0) / 2
        return threshold - half - _MARGIN * abs(threshold)


class Passed(NamedTuple):
    """What one pass over a stream leaves.

    Attributes:
      kept: The points that may be picked.
      histogram: How many points were worth how much, ``[bins]``.
      num_points: Points in the stream.
      num_available: How many of them may be picked.
    """

    kept: KeptPoints
    histogram: Int32[Array, " bins"]
    num_points: int
    num_available: int


def first_pass(picker: Picker, batches: Any, begin: Callable[[int, int], KeptPoints], *, first_point: int) -> Passed:
    """Reads a stream and keeps the points that may be picked.

    Args:
      picker: The method.
      batches: The stream.
      begin: Maps the numbers of draws and classes to the places for points. It is called before any program of the
        method is compiled.
      first_point: Position of the stream's first point in the whole stream.

    Raises:
      ValueError: As `read_blocks`; for a stream without points, rows that are no log-probabilities, and scores of NaN.
    """
    histogram, num_points, num_available = candidates_lib.no_points_counted(), 0, 0
    rises_at = max(_FIRST_RISE, 2 * picker.sample_size)
    read = read_blocks(open_stream(batches), first_point)
    first = next(read, None)
    if first is None:
        raise ValueError("batches: holds no points; pass at least one block log_probs[n, K, C]")
    kept = begin(*first.log_probs.shape[1:])
    for block, worth in _scored(picker, itertools.chain([first], read)):
        kept.add(worth, block.first_point, functools.partial(_take, block.log_probs))
        if kept.size >= rises_at and picker.stream.pick:
            kept.raise_threshold(picker.promise(kept))
            rises_at = max(rises_at, 2 * kept.size)
        histogram = _count(histogram, worth, are_logs=picker.are_logs)
        num_points += block.num_points
        num_available += int(np.sum(block.available))
    kept.settle()
    return Passed(kept, histogram, num_points, num_available)


def _scored(picker: Picker, read: Iterable[Block]) -> Iterator[tuple[Block, Float32[np.ndarray, " B"]]]:
    """Blocks, and what their points are worth by themselves, ``[B]``; the device is a block ahead.

    Raises:
      ValueError: For rows of available points that are no log-probabilities, the first block's before the method is
        compiled, and for scores that are NaN.
    """
    ahead = None
    for block in read:
        with jax.debug_nans(False):
            fault = checks.find_fault(block.log_probs, jnp.asarray(block.available))
        if ahead is None:
            _check(block, fault)
        ahead, last = (block, fault, picker.score(block)), ahead
        if last is not None:
            yield _settled(*last)
    if ahead is not None:
        yield _settled(*ahead)


def _settled(block: Block, fault: checks.Fault, worth: Float[Array, " B"]) -> tuple[Block, Float32[np.ndarray, " B"]]:
    """A block, and what its points are worth on the host, both checked."""
    _check(block, fault)
    known = np.asarray(worth)
    if np.any(np.isnan(known)):
        point = block.first_point + int(np.argmax(np.isnan(known)))
        raise ValueError(f"stream.scores: is NaN for point {point}; must be a number for every available point")
    return block, known


def _check(block: Block, fault: checks.Fault) -> None:
    checks.raise_if_fault(fault, first_point=block.first_point, name="batches: log_probs")


def _take(log_probs: Float[Array, "B K C"], rows: Int[np.ndarray, " m"]) -> Float32[np.ndarray, "m K C"]:
    """The predictions of ``rows[m]`` of a block, ``[m, K, C]``."""
    parts = [
        np.asarray(_rows(log_probs, np.resize(rows[start : start + _ROWS_TAKEN], _ROWS_TAKEN)))
        for start in range(0, len(rows), _ROWS_TAKEN)
    ]
    return np.concatenate(parts)[: len(rows)]


_rows = jax.jit(lambda log_probs, rows: log_probs[rows])
_count = functools.partial(jax.jit, donate_argnums=0, static_argnames="are_logs")(candidates_lib.count)


def pass_again(
    picker: Picker, batches: Any, contest: Contest, *, below: float, num_points: int, first_point: int
) -> float:
    """Reads a stream once more and lets its points challenge the picks.

    Args:
      picker: The method.
      batches: The stream.
      contest: The picks.
      below: Points that are worth this much or more by themselves are skipped.
      num_points: Points that the stream held before.
      first_point: Position of the stream's first point in the whole stream.

    Returns:
      What the best point that is not a contender is worth by itself.

    Raises:
      ValueError: If the stream holds another number of points.
    """
    best_left_out, num_read = -math.inf, 0
    waiting: list[Kept] = []

    def challenge() -> None:
        challengers, at_once = join(waiting), contest.challengers_at_once
        waiting.clear()
        for start in range(0, len(challengers.points), at_once):
            contest.challenge(challengers.at(slice(start, start + at_once)))

    for block, worth in _scored(picker, read_blocks(open_stream(batches), first_point)):
        num_read += block.num_points
        points = block.first_point + np.arange(len(worth), dtype=np.int32)
        is_out = contest.without_contenders(points)
        best_left_out = float(np.max(worth[is_out], initial=best_left_out))
        rows = np.flatnonzero(is_out & contest.is_open_to(worth) & (worth < below))
        if len(rows):
            waiting.append(Kept(worth[rows], points[rows], _take(block.log_probs, rows)))
        if sum(len(part.points) for part in waiting) >= contest.challengers_at_once:
            challenge()
    if num_read != num_points:
        raise ValueError(
            f"batches: held {num_points:,} points when it was read first, and {num_read:,} when it was read again; "
            "must hold the same points at every time"
        )
    if waiting:
        challenge()
    return best_left_out


@functools.partial(jax.jit, static_argnums=(0, 1))
def _score(
    stream: Stream,
    static: Static,
    key: jax.Array,
    first_point: Int32[Array, ""],
    log_probs: Float[Array, "B K C"],
    available: Bool[Array, " B"],
    arrays: Mapping[str, jax.Array],
) -> Float[Array, " B"]:
    """What the points of a block are worth by themselves, ``-inf`` for those that are not available."""
    points = first_point + jnp.arange(len(log_probs), dtype=jnp.int32)
    worth = candidates_lib.worth_by_itself(stream, key, points, log_probs, {**dict(static), **arrays})
    return jnp.where(available, worth, -jnp.inf).astype(jnp.float32)


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def _choose(
    stream: Stream,
    key: jax.Array,
    kept: tuple[jax.Array, ...],
    batch_size: int,
    static: Static,
    arrays: Mapping[str, jax.Array],
) -> Ranked:
    return candidates_lib.choose(stream, key, *kept, batch_size=batch_size, options={**dict(static), **arrays})
