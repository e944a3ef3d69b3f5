"""Acquisition from a pool that is read once, block by block, and never held whole.

The best points by themselves are kept with their predictions (`lbb_jax.acquisition.kept_points`), and the batch is
picked from these (`lbb_jax.acquisition.candidates`). The result says whether that is certain to be the whole pool's
batch.

A threshold keeps the others out. What the best of the points kept would give as a batch says about how much a pick is
worth, and points that are worth less than half of that are left out as they come. Whether they could have been picked
after all is decided at the end, by the batch itself.
"""

import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import arguments
from lbb_jax.acquisition import candidates as candidates_lib
from lbb_jax.acquisition import checks
from lbb_jax.acquisition.blocks import Block, can_be_read_again, open_stream, read_blocks
from lbb_jax.acquisition.candidates import Choice, Stream
from lbb_jax.acquisition.contest import Contest
from lbb_jax.acquisition.front_door import Static, split_options
from lbb_jax.acquisition.kept_points import Kept, KeptPoints, join, lay_out
from lbb_jax.acquisition.registry import Method, complete_options, find_method
from lbb_jax.acquisition.selection import Acquisition

# Numbers in the predictions that are kept, where the caller does not say how many points: a quarter of a GiB.
_NUMBERS_KEPT = 2**26
_FEWEST_KEPT = 2**12
# The threshold rises first when so many points are kept, and again when they have doubled.
_FIRST_RISE = 2**16
# Points that a batch is picked from to see what a pick is worth: so many, or so many for each pick.
_SAMPLE, _SAMPLE_PER_PICK = 2**10, 16
_MARGIN = 1e-5
# Points that challenge a batch together: so many for each pick, or so many numbers in their predictions.
_CHALLENGERS_PER_PICK, _NUMBERS_OF_CHALLENGERS = 4, 2**21
_ROWS_TAKEN = 2**12
_MOST_POINTS = 2**31 - 1


class StreamAcquisition(NamedTuple):
    """A batch picked from a stream.

    Attributes:
      indices: Positions in the stream, ``[b]`` int32, in the order picked.
      scores: As those of `acquire`, ``[b]`` float32.
      certified: Whether the picks are those of the whole pool.
      slack: If they are not certified: the most by which a point left out could have been worth more than a pick, in
        nats; for the power methods the logarithm of how much earlier it could have arrived. 0 otherwise.
      num_points: Points in the stream, available or not.
      num_candidates_needed: About how many candidates would have certified these picks in one pass.
      num_passes: How often the stream was read.
    """

    indices: jax.Array
    scores: jax.Array
    certified: bool
    slack: float
    num_points: int
    num_candidates_needed: int
    num_passes: int = 1


def acquire_stream(
    key: jax.Array,
    batches: Iterable[Any] | str | os.PathLike,
    *,
    method: str | Callable[..., Acquisition] | Method,
    batch_size: int,
    num_candidates: int | None = None,
    max_passes: int = 8,
    **options: Any,
) -> StreamAcquisition:
    """Picks the next batch to label from predictions that arrive block by block, in one pass.

    Memory does not grow with the stream: the predictions of at most ``num_candidates`` points are kept, and a quarter
    more on the way, and a block of at most 8 million numbers is worked on at a time, whatever lengths the blocks of the
    stream have.

    With ``redundancy="pairwise"`` gains fall below 0, while every point left out is worth at least 0 by itself; and
    BatchBALD's gains sink to nothing once the batch knows nearly ``log K``. With few draws these two mostly cannot be
    certified, however many candidates there are.

    >>> import jax, numpy as np
    >>> from lbb_jax import acquisition
    >>> probs = np.random.default_rng(0).dirichlet(np.ones(3), size=(8, 500, 5))
    >>> batch = acquisition.acquire_stream(
    ...     jax.random.key(0), map(np.log, probs), method="lbb", redundancy="tree", batch_size=4
    ... )
    >>> batch.num_points, batch.certified
    (4000, True)

    Args:
      key: Random key, consumed by the methods that sample. The picks are those of `acquire` for the same key.
      batches: Yields ``log_probs[n, K, C]`` of any length ``n``, or pairs of that and ``available[n]`` (bool); or the
        path of a ``.npy`` file of ``[N, K, C]``, which is mapped and not read at once; or a callable without arguments
        that returns such an iterable, the same points at every call. Arrays are of the same kinds as those of
        `acquire`.
      method: As for `acquire`, but only a method that says how it is streamed (`Method.stream`). "lbb_released",
        those that need embeddings and, without ``targets``, "epig" score a point beside others of the pool, and
        ``sampling="softrank"`` ranks it among them: these are refused.
      batch_size: Points to pick, at most ``num_candidates`` and the number available.
      num_candidates: Most points kept, at most 4 GiB of predictions; None for 256 MiB, but at least 4096 points. How
        many it takes depends on the batch: from ten million points, with 5 draws and 10 classes, a hundred picks of LBB
        (tree) take about 300,000.
      max_passes: Most times that a path or a callable is read, where one pass does not certify the picks. In further
        passes all points that could have been picked challenge them, and a pass that changes none certifies them. Two
        passes mostly do. Where very many points could have been picked, as with ``redundancy="pairwise"``, such a pass
        takes many times as long as the first.
      **options: As for `acquire`.

    Returns:
      The picks, and whether they are certain to be those of the whole pool.

    Raises:
      ValueError: As `acquire`, naming the position in the stream; also for a stream without points, or of more than
        ``2**31 - 1``, for blocks that differ in draws or classes, for more candidates than fit, and for a file that is
        not there or is no ``.npy`` file of ``[N, K, C]``.
      TypeError: For an argument of the wrong kind.
    """
    row = find_method(method)
    stream = _declared_stream(row, options)
    values = complete_options(row, options)
    key = arguments.check_key("key", key)
    batch_size = arguments.check_integer("batch_size", batch_size)
    if num_candidates is not None:
        num_candidates = arguments.check_positive_integer("num_candidates", num_candidates)
    if not 1 <= batch_size <= (num_candidates or _MOST_POINTS):
        most = f"num_candidates={num_candidates}" if num_candidates else f"{_MOST_POINTS:,}"
        raise ValueError(f"batch_size={batch_size}: must be between 1 and {most}")
    max_passes = arguments.check_positive_integer("max_passes", max_passes)
    picker = _Picker(stream, key, batch_size, *split_options(checks.settle_arrays(values)))

    def begin(num_draws: int, num_classes: int) -> KeptPoints:
        """Places for the points of a stream of such blocks, once all arguments are known to fit it."""
        shape = (1, num_draws, num_classes)
        checks.check_shapes_agree(values, shape)
        checks.check_samples_fit(values, shape, batch_size)
        num_places = _num_places(num_candidates, batch_size, num_draws, num_classes)
        # Where no pick changes what others are worth, the best points by themselves are the batch.
        return KeptPoints(num_places if stream.pick else batch_size, num_draws, num_classes)

    passed = _pass(picker, batches, begin)
    if batch_size > passed.num_available:
        raise ValueError(
            f"batch_size={batch_size}: must be at most the {passed.num_available} available points of batches"
        )
    return _choose_and_certify(picker, batches, passed, max_passes)


@dataclasses.dataclass(frozen=True)
class _Picker:
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

    def score(self, block: Block) -> jax.Array:
        """What each point of a block is worth by itself, ``[B]``, ``-inf`` for those that are not available."""
        first_point = np.int32(block.first_point)
        # Rows that are not available may hold NaN, which is no fault of any program.
        with jax.debug_nans(False):
            return _score(
                self.stream, self.static, self.key, first_point, block.log_probs, block.available, self.arrays
            )

    def choose(self, kept: Kept, num_places: int) -> Choice:
        """The batch from points, by a program for ``num_places`` of them."""
        with jax.debug_nans(False):
            pool = lay_out(kept, num_places)
            return _choose(self.stream, self.key, pool, self.batch_size, self.static, self.arrays)

    def promise(self, kept: KeptPoints) -> float:
        """About half of what a pick is worth, as the batch from the best of the points kept shows it."""
        threshold = float(self.choose(kept.best(self.sample_size), self.sample_size).threshold)
        half = math.log(2) if self.are_logs else max(threshold, 0) / 2
        return threshold - half - _MARGIN * abs(threshold)


class _Passed(NamedTuple):
    """What one pass over a stream leaves.

    Attributes:
      kept: The points that may be picked.
      histogram: How many points were worth how much, ``[bins]``.
      num_points: Points in the stream.
      num_available: Those of them that may be picked.
    """

    kept: KeptPoints
    histogram: jax.Array
    num_points: int
    num_available: int


def _pass(picker: _Picker, batches: Any, begin: Callable[[int, int], KeptPoints]) -> _Passed:
    """Reads a stream and keeps the points that may be picked.

    Args:
      picker: The method.
      batches: The stream.
      begin: From draws and classes to the places for points, called before any program of the method's is compiled.
    """
    kept, histogram, num_points, num_available = None, candidates_lib.no_points_counted(), 0, 0
    rises_at = max(_FIRST_RISE, 2 * picker.sample_size)
    read = read_blocks(open_stream(batches))
    first = next(read, None)
    if first is None:
        raise ValueError("batches: holds no points; pass at least one block log_probs[n, K, C]")
    kept = begin(*first.log_probs.shape[1:])
    for block, worth in _scored(picker, itertools.chain([first], read)):
        kept.add(worth, block.first_point, functools.partial(_take, block.log_probs))
        if kept.size >= rises_at and picker.stream.pick:
            kept.raise_threshold(picker.promise(kept))
            rises_at = max(rises_at, 2 * kept.size)
        histogram = _count(histogram, worth, picker.are_logs)
        num_points += block.num_points
        num_available += int(np.sum(block.available))
    kept.settle()
    return _Passed(kept, histogram, num_points, num_available)


def _scored(picker: _Picker, read: Iterable[Block]) -> Iterator[tuple[Block, np.ndarray]]:
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


def _settled(block: Block, fault: checks.Fault, worth: jax.Array) -> tuple[Block, np.ndarray]:
    """A block, and what its points are worth, once all is known to be right."""
    _check(block, fault)
    known = np.asarray(worth)
    if np.any(np.isnan(known)):
        point = block.first_point + int(np.argmax(np.isnan(known)))
        raise ValueError(f"stream.scores: is NaN for point {point}; must be a number for every available point")
    return block, known


def _check(block: Block, fault: checks.Fault) -> None:
    checks.raise_if_fault(fault, first_point=block.first_point, name="batches: log_probs")


def _take(log_probs: jax.Array, rows: np.ndarray) -> np.ndarray:
    """The predictions of ``rows[m]`` of a block, ``[m, K, C]``."""
    parts = [
        np.asarray(_rows(log_probs, np.resize(rows[start : start + _ROWS_TAKEN], _ROWS_TAKEN)))
        for start in range(0, len(rows), _ROWS_TAKEN)
    ]
    return np.concatenate(parts)[: len(rows)]


@jax.jit
def _rows(log_probs: jax.Array, rows: jax.Array) -> jax.Array:
    return log_probs[rows]


@functools.partial(jax.jit, donate_argnums=0, static_argnums=2)
def _count(histogram: jax.Array, worth: jax.Array, are_logs: bool) -> jax.Array:
    return candidates_lib.count(histogram, worth, are_logs=are_logs)


def _declared_stream(row: Method, options: Mapping[str, Any]) -> Stream:
    """How a method is streamed; ValueError if it does not say so, or scores a point beside others of the pool."""
    if row.stream is None or row.uses_embeddings:
        raise ValueError(
            f"method={row.name!r}: does not say how it is streamed; use acquire, or, if it scores a point by the "
            "point's own predictions, acquisition.Method(function, stream=acquisition.Stream(scores))"
        )
    for name in row.stream.needs:
        if options.get(name) is None:
            raise ValueError(
                f"{name}=None: method {row.name!r} takes its {name} from the whole pool, which a stream does not hold; "
                f"pass {name}=..., or use acquire"
            )
    if row.stream.sampling_with(options) == "softrank":
        raise ValueError(
            "sampling='softrank': ranks each point among the whole pool, which a stream does not hold; use 'power' or "
            "'softmax', or acquire"
        )
    return row.stream


def _num_places(num_candidates: int | None, batch_size: int, num_draws: int, num_classes: int) -> int:
    """For how many points there are places: ``num_candidates``, None for what suits their size.

    Raises:
      ValueError: If their predictions are more than fit.
    """
    # A candidate's predictions, its index and its worth, four bytes each.
    num_bytes = 4 * (num_draws * num_classes + 2)
    most = checks.MAX_BYTES // num_bytes
    if num_candidates is None:
        return max(batch_size, min(most, max(_FEWEST_KEPT, _NUMBERS_KEPT // (num_draws * num_classes))))
    if num_candidates > most:
        raise ValueError(
            f"num_candidates={num_candidates}: their predictions of {num_draws} draws and {num_classes} classes take "
            f"{num_candidates * num_bytes:,} bytes, more than the {checks.MAX_BYTES:,} that a device is sure to have; "
            f"pass at most {most:,}"
        )
    return num_candidates


@functools.partial(jax.jit, static_argnums=(0, 1))
def _score(
    stream: Stream,
    static: Static,
    key: jax.Array,
    first_point: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    arrays: Mapping[str, jax.Array],
) -> jax.Array:
    """What the points of a block are worth by themselves, ``-inf`` for those that are not available."""
    points = first_point + jnp.arange(len(log_probs), dtype=jnp.int32)
    worth = candidates_lib.worth_by_itself(stream, key, points, log_probs, {**dict(static), **arrays})
    return jnp.where(available, worth, -jnp.inf).astype(jnp.float32)


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def _choose(
    stream: Stream, key: jax.Array, kept: Any, batch_size: int, static: Static, arrays: Mapping[str, jax.Array]
) -> Choice:
    return candidates_lib.choose(stream, key, *kept, batch_size=batch_size, options={**dict(static), **arrays})


def _choose_and_certify(picker: _Picker, batches: Any, passed: _Passed, max_passes: int) -> StreamAcquisition:
    """Picks from the points that one pass has kept, and reads the stream again where that certifies nothing."""
    points, best_left_out, num_passes = passed.kept.all(), float(passed.kept.best_left_out), 1
    choice = picker.choose(points, _num_places_in_use(passed.kept))
    # Where no pick changes what others are worth, the best points by themselves are the batch.
    certified = picker.stream.pick is None or bool(best_left_out < choice.threshold)
    if not certified and can_be_read_again(batches):
        contest = Contest(picker.choose, points, choice, picker.challengers_at_once(points.log_probs.shape))
        # The picks are those of all points kept, which need not challenge them until they change.
        below = float(passed.kept.threshold)
        while not certified and num_passes < max_passes:
            certified, best_left_out = _pass_again(picker, batches, contest, below, passed.num_points)
            below, num_passes = math.inf, num_passes + 1
        choice = contest.choice
    return StreamAcquisition(
        *choice.acquisition,
        certified,
        0.0 if certified else max(0.0, float(choice.slack(best_left_out))),
        passed.num_points,
        _num_candidates_needed(picker, passed, choice),
        num_passes,
    )


def _pass_again(picker: _Picker, batches: Any, contest: Contest, below: float, num_points: int) -> tuple[bool, float]:
    """Reads a stream once more and lets its points challenge the picks.

    Args:
      picker: The method.
      batches: The stream.
      contest: The picks.
      below: Points worth as much or more by themselves need not be looked at.
      num_points: Points that the stream held before.

    Returns:
      Whether no point won a place; and what the best point was worth that had none.

    Raises:
      ValueError: If the stream holds another number of points.
    """
    stands, best_left_out, num_read = True, -math.inf, 0
    waiting: list[Kept] = []

    def challenge() -> bool:
        challengers, at_once = join(waiting), contest.challengers_at_once
        waiting.clear()
        parts = [slice(start, start + at_once) for start in range(0, len(challengers.points), at_once)]
        return not any([len(contest.challenge(challengers.at(part)).points) for part in parts])

    for block, worth in _scored(picker, read_blocks(open_stream(batches))):
        num_read += block.num_points
        points = block.first_point + np.arange(len(worth), dtype=np.int32)
        is_out = ~np.isin(points, contest.contenders.points)
        best_left_out = float(np.max(worth[is_out], initial=best_left_out))
        rows = np.flatnonzero(is_out & contest.is_open_to(worth) & (worth < below))
        if len(rows):
            waiting.append(Kept(worth[rows], points[rows], _take(block.log_probs, rows)))
        if sum(len(part.points) for part in waiting) >= contest.challengers_at_once:
            stands &= challenge()
    if num_read != num_points:
        raise ValueError(
            f"batches: held {num_points:,} points when it was read first, and {num_read:,} when it was read again; "
            "must hold the same points at every time"
        )
    if waiting:
        stands &= challenge()
    return stands, best_left_out


def _num_places_in_use(kept: KeptPoints) -> int:
    """Places for the points kept: one of few numbers, each of which is a program of its own."""
    return max(kept.size, min(kept.num_places, max(_FEWEST_KEPT, 1 << (kept.size - 1).bit_length())))


def _num_candidates_needed(picker: _Picker, passed: _Passed, choice: Choice) -> int:
    if picker.stream.pick is None:
        return picker.batch_size
    return int(candidates_lib.count_at_least(passed.histogram, choice.threshold, are_logs=picker.are_logs))
