"""A stream of predictions, cut into blocks of one size whatever lengths it arrives in."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from lbb_jax import arguments
from lbb_jax.acquisition import checks
from lbb_jax.acquisition.stored import open_predictions
from lbb_jax.batching import rows_per_chunk

# Numbers in a block: enough to keep the hardware busy, few enough for any memory.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 2**18, 2**23
MOST_POINTS = 2**31 - 1


class Block(NamedTuple):
    """A block of the stream; points that are not available pad it to the size of all blocks.

    Attributes:
      log_probs: ``[B, K, C]`` float32; nothing that the stream does later changes it.
      available: ``[B]`` bool.
      first_point: Position in the whole stream of its first point.
      num_points: How many points of the stream it holds.
    """

    log_probs: Float[jax.Array, "B K C"]
    available: Bool[np.ndarray, " B"]
    first_point: int
    num_points: int


def read_blocks(batches: Any, first_point: int = 0) -> Iterator[Block]:
    """Yields the stream in blocks of one size; the last one is padded.

    A batch is here a piece of the stream, as it arrives, and has nothing to do with the batch of picks. If all batches
    have the same length, neither too large nor too small, each batch is a block.

    Args:
      batches: As `acquire_stream` takes them.
      first_point: Position of the first point in the whole stream.

    Raises:
      ValueError: For blocks of wrong or different shapes, a wrong mask, more than ``2**31 - 1`` points, and a file that
        is not there or is no ``.npy`` file of ``[N, K, C]``.
      TypeError: If ``batches`` is no stream, or a block is no array.
    """
    size, filled, num_points = 0, 0, first_point
    whole, mask = np.empty(0, np.float32), np.empty(0, bool)
    for log_probs, available in _pairs(batches):
        if not size:
            largest = rows_per_chunk(log_probs.shape[1] * log_probs.shape[2], MOST_POINTS, _LARGEST_BLOCK)
            smallest = rows_per_chunk(log_probs.shape[1] * log_probs.shape[2], MOST_POINTS, _SMALLEST_BLOCK)
            size = min(max(len(log_probs), smallest), largest)
        if num_points + filled + len(log_probs) > MOST_POINTS:
            raise ValueError(f"batches: more than {MOST_POINTS:,} points; split the stream")
        start = 0
        while start < len(log_probs):
            part = slice(start, start + size - filled)
            predictions, available_part = checks.predictions_in_float32(log_probs[part]), available[part]
            start += len(available_part)
            if len(available_part) == size:
                yield Block(_own(predictions), available_part.copy(), num_points, size)
                num_points += size
                continue
            # What is read is copied at once: a stream may fill the same array again and again.
            if not filled:
                whole, mask = np.zeros((size, *log_probs.shape[1:]), np.float32), np.zeros(size, bool)
            rows = slice(filled, filled + len(available_part))
            whole[rows], mask[rows], filled = predictions, available_part, rows.stop
            if filled == size:
                yield Block(_own(whole), mask, num_points, size)
                num_points, filled = num_points + size, 0
    if filled:
        yield Block(_own(whole), mask, num_points, filled)


def can_be_read_again(batches: Any) -> bool:
    """Whether a stream is a path or a callable, which gives the same points whenever it is read."""
    return isinstance(batches, (str, os.PathLike)) or _is_opened_by_a_call(batches)


def open_stream(batches: Any) -> Any:
    """The stream that a callable opens, from its beginning; any other stream unchanged."""
    return batches() if _is_opened_by_a_call(batches) else batches


def _is_opened_by_a_call(batches: Any) -> bool:
    return callable(batches) and not isinstance(batches, Iterable)


def _own(log_probs: arguments.Array) -> jax.Array:
    """The predictions on the device, in memory that nobody writes to."""
    # Rows that are not available may hold NaN, which is no fault of any program.
    with jax.debug_nans(False):
        return log_probs if isinstance(log_probs, jax.Array) else jnp.array(log_probs)


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
