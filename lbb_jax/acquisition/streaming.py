"""Acquisition from a pool that is read once, block by block, and never held whole.

The best points by themselves are kept with their predictions, and the batch is picked from these
(`lbb_jax.acquisition.candidates`). The result says whether that is certain to be the whole pool's batch.
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import arguments
from lbb_jax.acquisition import candidates as candidates_lib
from lbb_jax.acquisition import checks
from lbb_jax.acquisition.candidates import Candidates, Stream
from lbb_jax.acquisition.front_door import Static, split_options
from lbb_jax.acquisition.registry import Method, complete_options, find_method
from lbb_jax.acquisition.selection import Acquisition
from lbb_jax.acquisition.stored import open_predictions
from lbb_jax.batching import rows_per_chunk

# Numbers in a block: enough to keep the hardware busy, and few beside any memory.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 2**18, 2**23
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
      num_candidates_needed: About how many candidates would have certified these picks.
    """

    indices: jax.Array
    scores: jax.Array
    certified: bool
    slack: float
    num_points: int
    num_candidates_needed: int


def acquire_stream(
    key: jax.Array,
    batches: Iterable[Any] | str | os.PathLike,
    *,
    method: str | Callable[..., Acquisition] | Method,
    batch_size: int,
    num_candidates: int = 4096,
    **options: Any,
) -> StreamAcquisition:
    """Picks the next batch to label from predictions that arrive block by block, in one pass.

    Memory does not grow with the stream: the predictions of ``num_candidates`` points are kept, and a block of at most
    8 million numbers is worked on at a time, whatever lengths the blocks of the stream have.

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
        path of a ``.npy`` file of ``[N, K, C]``, which is mapped and not read at once. Arrays are of the same kinds as
        those of `acquire`.
      method: As for `acquire`, but only a method that says how it is streamed (`Method.stream`). "lbb_released",
        those that need embeddings and, without ``targets``, "epig" score a point beside others of the pool, and
        ``sampling="softrank"`` ranks it among them: these are refused.
      batch_size: Points to pick, at most ``num_candidates`` and the number available.
      num_candidates: Points kept, at most 4 GiB of predictions.
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
    num_candidates = arguments.check_positive_integer("num_candidates", num_candidates)
    batch_size = arguments.check_integer("batch_size", batch_size)
    if not 1 <= batch_size <= num_candidates:
        raise ValueError(f"batch_size={batch_size}: must be between 1 and num_candidates={num_candidates}")
    static, arrays = split_options(checks.settle_arrays(values))
    state, check_last, num_points, num_available = None, None, 0, 0
    for block in _blocks(_pairs(batches)):
        if state is None:
            checks.check_shapes_agree(values, block.log_probs.shape)
            checks.check_samples_fit(values, block.log_probs.shape, batch_size)
            _check_candidates_fit(num_candidates, *block.log_probs.shape[1:])
            state = candidates_lib.nothing_yet(num_candidates, *block.log_probs.shape[1:])
        if num_points + block.num_points > _MOST_POINTS:
            raise ValueError(f"batches: more than {_MOST_POINTS:,} points; split the stream")
        # Rows that are not available may hold NaN, which is no fault of any program.
        with jax.debug_nans(False):
            log_probs, available = jnp.asarray(block.log_probs), jnp.asarray(block.available)
            fault = checks.find_fault(log_probs, available)
            check = functools.partial(checks.raise_if_fault, fault, first_point=num_points, name="batches: log_probs")
            # The first block's before the method is compiled. Later faults are looked at a block later, so that reading
            # goes on while the device computes.
            (check_last or check)()
            state = _absorb(stream, static, key, state, jnp.int32(num_points), log_probs, available, arrays)
        check_last = check
        num_points += block.num_points
        num_available += int(np.sum(block.available))
    if state is None or check_last is None:
        raise ValueError("batches: holds no points; pass at least one block log_probs[n, K, C]")
    check_last()
    if batch_size > num_available:
        raise ValueError(f"batch_size={batch_size}: must be at most the {num_available} available points of batches")
    with jax.debug_nans(False):
        choice, needed = _choose(stream, key, state, batch_size, static, arrays)
    return _certify(stream, choice, float(state.best_left_out), num_points, int(needed))


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


def _check_candidates_fit(num_candidates: int, num_draws: int, num_classes: int) -> None:
    """Raises ValueError if the predictions of the candidates, or their indices, are too many."""
    # A candidate's predictions, its index and its worth, four bytes each.
    num_bytes = num_candidates * 4 * (num_draws * num_classes + 2)
    if num_bytes > checks.MAX_BYTES:
        most = checks.MAX_BYTES * num_candidates // num_bytes
        raise ValueError(
            f"num_candidates={num_candidates}: their predictions of {num_draws} draws and {num_classes} classes take "
            f"{num_bytes:,} bytes, more than the {checks.MAX_BYTES:,} that a device is sure to have; pass at most "
            f"{most:,}"
        )


class _Block(NamedTuple):
    """A block of the stream, padded to the size of all blocks with points that are not available.

    Attributes:
      log_probs: ``[B, K, C]`` float32.
      available: ``[B]`` bool.
      num_points: How many points of the stream it holds.
    """

    log_probs: Any
    available: np.ndarray
    num_points: int


def _pairs(batches: Any) -> Iterator[tuple[arguments.Array, np.ndarray]]:
    """The stream's batches as arrays ``[n, K, C]`` and masks ``[n]``, their shapes checked against the first."""
    if isinstance(batches, (str, os.PathLike)):
        batches = _slices(open_predictions(batches, name="batches"))
    elif not isinstance(batches, Iterable) or hasattr(batches, "shape"):
        raise TypeError(
            f"batches: a {type(batches).__name__} is not an iterable of blocks; pass [log_probs] for one block, or the "
            "path of a .npy file"
        )
    shape = None
    for number, batch in enumerate(batches):
        name = f"batches, block {number}"
        log_probs, available = _split(name, batch)
        log_probs = checks.read(f"{name}, log_probs", log_probs)
        if log_probs.ndim == 3 and len(log_probs) == 0:
            continue
        arguments.check_predictions(log_probs, name=f"{name}: log_probs")
        shape = shape or log_probs.shape[1:]
        if log_probs.shape[1:] != shape:
            raise ValueError(f"{name}: a block of shape {log_probs.shape} after others of [n, {shape[0]}, {shape[1]}]")
        mask = checks.check_available(available, log_probs.shape, name=f"{name}: available")
        yield log_probs, np.asarray(mask)


def _split(name: str, batch: Any) -> tuple[Any, Any]:
    """The predictions of a batch and its mask, None for none."""
    if not isinstance(batch, tuple):
        return batch, None
    if len(batch) != 2:
        raise ValueError(f"{name}: is a tuple of {len(batch)}; must be log_probs or the pair (log_probs, available)")
    return batch


def _slices(array: np.ndarray) -> Iterator[np.ndarray]:
    """A mapped array ``[N, K, C]`` in slices, none of which is read before it is used."""
    size = rows_per_chunk(array.shape[1] * array.shape[2], len(array), _LARGEST_BLOCK)
    return (array[start : start + size] for start in range(0, len(array), size))


def _blocks(pairs: Iterator[tuple[arguments.Array, np.ndarray]]) -> Iterator[_Block]:
    """The stream in blocks of one size, of which the last is padded.

    Where all batches have the length of the first, and that is neither too large nor too small, they are the blocks.
    """
    size, filled, parts = 0, 0, []
    for log_probs, available in pairs:
        if not size:
            largest = rows_per_chunk(log_probs.shape[1] * log_probs.shape[2], _MOST_POINTS, _LARGEST_BLOCK)
            smallest = rows_per_chunk(log_probs.shape[1] * log_probs.shape[2], _MOST_POINTS, _SMALLEST_BLOCK)
            size = min(max(len(log_probs), smallest), largest)
        start = 0
        while start < len(log_probs):
            stop = min(len(log_probs), start + size - filled)
            parts.append((checks.predictions_in_float32(log_probs[start:stop]), available[start:stop]))
            filled, start = filled + stop - start, stop
            if filled == size:
                yield _join(parts, size)
                filled, parts = 0, []
    if parts:
        yield _join(parts, size)


def _join(parts: list[tuple[Any, np.ndarray]], size: int) -> _Block:
    """One block of what was read."""
    num_points = sum(len(available) for _, available in parts)
    if len(parts) == 1 and num_points == size:
        return _Block(*parts[0], num_points)
    log_probs = np.zeros((size, *parts[0][0].shape[1:]), np.float32)
    available = np.zeros(size, bool)
    start = 0
    for part, mask in parts:
        log_probs[start : start + len(mask)], available[start : start + len(mask)] = part, mask
        start += len(mask)
    return _Block(log_probs, available, num_points)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=3)
def _absorb(
    stream: Stream,
    static: Static,
    key: jax.Array,
    state: Candidates,
    first_point: jax.Array,
    log_probs: jax.Array,
    available: jax.Array,
    arrays: Mapping[str, jax.Array],
) -> Candidates:
    """The candidates after a block."""
    options = {**dict(static), **arrays}
    points = first_point + jnp.arange(len(log_probs), dtype=jnp.int32)
    worth = candidates_lib.worth_by_itself(stream, key, points, log_probs, options)
    worth = jnp.where(available, worth, -jnp.inf)
    are_logs = stream.sampling_with(options) != "top"
    return candidates_lib.absorb(state, worth, points, log_probs, are_logs=are_logs)


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def _choose(
    stream: Stream,
    key: jax.Array,
    state: Candidates,
    batch_size: int,
    static: Static,
    arrays: Mapping[str, jax.Array],
) -> tuple[candidates_lib.Choice, jax.Array]:
    """The picks, and about how many candidates would have certified them."""
    options = {**dict(static), **arrays}
    choice = candidates_lib.choose(stream, key, state, batch_size=batch_size, options=options)
    are_logs = stream.sampling_with(options) != "top"
    return choice, candidates_lib.count_at_least(state, choice.threshold, are_logs=are_logs)


def _certify(
    stream: Stream, choice: candidates_lib.Choice, best_left_out: float, num_points: int, needed: int
) -> StreamAcquisition:
    """The result, with what is known of its exactness."""
    indices, scores = choice.acquisition
    # Where no pick changes what others are worth, the best points by themselves are the batch.
    if stream.pick is None:
        return StreamAcquisition(indices, scores, True, 0.0, num_points, len(indices))
    certified = best_left_out < float(choice.threshold)
    slack = 0.0 if certified else max(0.0, float(choice.slack))
    return StreamAcquisition(indices, scores, certified, slack, num_points, needed)
