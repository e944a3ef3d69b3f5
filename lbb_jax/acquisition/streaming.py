"""Acquisition from a pool that is read block by block, and never held whole.

The best points by themselves are kept with their predictions (`lbb_jax.acquisition.kept_points`), and the batch is
picked from these (`lbb_jax.acquisition.candidates`). The result says whether that is certain to be the whole pool's
batch.
"""

import copy
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import arguments
from lbb_jax.acquisition import candidates as candidates_lib
from lbb_jax.acquisition import checks
from lbb_jax.acquisition.blocks import MOST_POINTS, can_be_read_again
from lbb_jax.acquisition.candidates import Stream
from lbb_jax.acquisition.contest import Contest
from lbb_jax.acquisition.exchange import Exchange
from lbb_jax.acquisition.front_door import split_options
from lbb_jax.acquisition.kept_points import KeptPoints
from lbb_jax.acquisition.registry import Method, complete_options, find_method
from lbb_jax.acquisition.selection import Acquisition
from lbb_jax.acquisition.stream_passes import Passed, Picker, first_pass, pass_again

# Numbers in the predictions that are kept, where the caller does not say how many points: a quarter of a GiB.
_NUMBERS_KEPT = 2**26
_FEWEST_KEPT = 2**12


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
      num_bytes_received: Bytes that this process received from the others that share the stream.
    """

    indices: jax.Array
    scores: jax.Array
    certified: bool
    slack: float
    num_points: int
    num_candidates_needed: int
    num_passes: int = 1
    num_bytes_received: int = 0


def acquire_stream(
    key: jax.Array,
    batches: Iterable[Any] | str | os.PathLike,
    *,
    method: str | Callable[..., Acquisition] | Method,
    batch_size: int,
    num_candidates: int | None = None,
    max_passes: int = 8,
    first_point: int | None = None,
    **options: Any,
) -> StreamAcquisition:
    """Picks the next batch to label from predictions that arrive block by block.

    An iterator is read once. A path or a callable is read again if the first pass does not certify the picks, up to
    ``max_passes`` times.

    Memory does not grow with the stream: the predictions of at most ``num_candidates`` points are kept, and a quarter
    more on the way, and a block of at most 8 million numbers is worked on at a time, whatever lengths the blocks of the
    stream have.

    With ``redundancy="pairwise"`` gains fall below 0, while every point left out is worth at least 0 by itself; and
    BatchBALD's gains sink to nothing once the batch knows nearly ``log K``. With few draws these two mostly cannot be
    certified in one pass, however many candidates there are.

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
      method: As for `acquire`, but only a method that says how it is streamed (`Method.stream`). Refused are methods
        that compare a point with others of the pool: "lbb_released", "batch_epig", every method with the option
        ``embeddings``, "epig" without ``targets``, and any with ``sampling="softrank"``; also "lbb" with ``order=3``.
      batch_size: Points to pick, at most ``num_candidates`` and the number available.
      num_candidates: Most points kept, at most 4 GiB of predictions; None for 256 MiB, but at least 4096 points. How
        many it takes depends on the batch: from ten million points, with 5 draws and 10 classes, a hundred picks of LBB
        (tree) take about 300,000.
      max_passes: Most times that a path or a callable is read, where one pass does not certify the picks. In further
        passes all points that could have been picked challenge them, and a pass that changes none certifies them. Two
        passes mostly do. Where very many points could have been picked, as with ``redundancy="pairwise"``, such a pass
        takes many times as long as the first.
      first_point: Position in the whole stream of the first point of ``batches``, where all processes of the program
        call this, each with a part of the stream. Each reads its own part, and all get the picks of the whole. None if
        ``batches`` are the whole stream.
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
    if not 1 <= batch_size <= (num_candidates or MOST_POINTS):
        most = f"num_candidates={num_candidates}" if num_candidates else f"{MOST_POINTS:,}"
        raise ValueError(f"batch_size={batch_size}: must be between 1 and {most}")
    max_passes = arguments.check_positive_integer("max_passes", max_passes)
    if first_point is not None and arguments.check_integer("first_point", first_point) < 0:
        raise ValueError(f"first_point={first_point}: must be at least 0")
    picker = Picker(stream, key, batch_size, *split_options(checks.settle_arrays(values)))

    def begin(num_draws: int, num_classes: int) -> KeptPoints:
        """Places for the points of a stream of such blocks, once all arguments are known to fit it."""
        shape = (1, num_draws, num_classes)
        checks.check_shapes_agree(values, shape)
        checks.check_samples_fit(values, shape, batch_size)
        num_places = _num_places(num_candidates, batch_size, num_draws, num_classes)
        # Where no pick changes what others are worth, the best points by themselves are the batch.
        return KeptPoints(num_places if stream.pick else batch_size, num_draws, num_classes)

    start = first_point or 0
    passed = first_pass(picker, batches, begin, first_point=start)
    exchange = Exchange(is_shared=first_point is not None)
    return _choose_and_certify(picker, batches, passed, exchange, max_passes=max_passes, first_point=start)


def _declared_stream(row: Method, options: Mapping[str, Any]) -> Stream:
    """How a method is streamed; ValueError if it does not say so, or compares a point with others of the pool."""
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
    """The number of points that are kept: ``num_candidates``, or what suits their size where that is None.

    Raises:
      ValueError: If their predictions do not fit.
    """
    # A candidate's predictions, its index and its worth, four bytes each.
    num_bytes = 4 * (num_draws * num_classes + 2)
    most = checks.MAX_BYTES // num_bytes
    for name, number in (("batch_size", batch_size), ("num_candidates", num_candidates or 0)):
        if number > most:
            raise ValueError(
                f"{name}={number}: their predictions of {num_draws} draws and {num_classes} classes take "
                f"{number * num_bytes:,} bytes, more than the {checks.MAX_BYTES:,} that a device is sure to have; pass "
                f"at most {most:,}"
            )
    return num_candidates or max(batch_size, min(most, max(_FEWEST_KEPT, _NUMBERS_KEPT // (num_draws * num_classes))))


def _choose_and_certify(
    picker: Picker, batches: Any, passed: Passed, exchange: Exchange, *, max_passes: int, first_point: int
) -> StreamAcquisition:
    """Picks from the points that one pass has kept, and reads the stream again where that certifies nothing."""
    kept, num_passes = passed.kept, 1
    num_points, num_available, histogram, left_out = exchange.gather(
        (np.int32(passed.num_points), np.int32(passed.num_available), passed.histogram, kept.best_left_out)
    )
    if picker.batch_size > np.sum(num_available):
        raise ValueError(
            f"batch_size={picker.batch_size}: must be at most the {np.sum(num_available)} available points of batches"
        )
    best_left_out = float(np.max(left_out))
    contest = _contest_of_kept(picker, kept, exchange)
    # Where no pick changes what others are worth, the best points by themselves are the batch.
    certified = picker.stream.pick is None or best_left_out < float(contest.choice.threshold)
    # The picks are those of all points kept: these need not challenge the picks until they change.
    below = float(kept.threshold)
    while not certified and can_be_read_again(batches) and num_passes < max_passes:
        local = copy.copy(contest)
        left_out = pass_again(
            picker, batches, local, below=below, num_points=passed.num_points, first_point=first_point
        )
        best_left_out = float(np.max(exchange.gather(np.float32(left_out))))
        certified = not _admit_winners(contest, local, exchange)
        below, num_passes = math.inf, num_passes + 1
    choice, needed = contest.choice, picker.batch_size
    if picker.stream.pick is not None:
        counts = jnp.asarray(np.sum(histogram, axis=0, dtype=np.int32))
        needed = int(candidates_lib.count_at_least(counts, choice.threshold, are_logs=picker.are_logs))
    return StreamAcquisition(
        *choice.acquisition,
        certified,
        0.0 if certified else max(0.0, float(choice.slack(best_left_out))),
        int(np.sum(num_points, dtype=np.int64)),
        needed,
        num_passes,
        exchange.num_bytes,
    )


def _contest_of_kept(picker: Picker, kept: KeptPoints, exchange: Exchange) -> Contest:
    """The batch from the points that all processes have kept."""
    points = kept.all()
    at_once = picker.challengers_at_once(points.log_probs.shape)
    if exchange.num_processes == 1:
        num_places = max(kept.size, min(kept.num_places, max(_FEWEST_KEPT, 1 << (kept.size - 1).bit_length())))
        return Contest(picker.choose, points, picker.choose(points, num_places), at_once)
    # The best points of each give a batch that the others challenge, each process with its own.
    best = exchange.gather_points(kept.best(picker.sample_size), picker.sample_size)
    choice = picker.choose(best, picker.sample_size * exchange.num_processes)
    contest = Contest(picker.choose, best, choice, at_once)
    while picker.stream.pick is not None:
        local = copy.copy(contest)
        challengers = local.among(points)
        if len(challengers.points):
            local.challenge(challengers)
        if not _admit_winners(contest, local, exchange):
            break
    return contest


def _admit_winners(contest: Contest, local: Contest, exchange: Exchange) -> bool:
    """Lets the points that won against ``contest`` in any process challenge it in all; whether one wins a place."""
    mine = local.contenders.at(contest.without_contenders(local.contenders.points))
    winners = exchange.gather_points(mine, contest.most_contenders)
    return len(winners.points) > 0 and len(contest.challenge(winners).points) > 0
