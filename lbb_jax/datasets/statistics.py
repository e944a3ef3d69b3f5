"""The mean and the standard deviation of features, to standardise them by."""

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

BLOCK_SIZE = 10_000


def of_blocks(read: Callable[[int, int], np.ndarray], num_examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads all features, a block at a time.

    Args:
      read: From ``start`` and ``stop`` to the features ``[stop - start, ...]``.
      num_examples: ``n``.

    Returns:
      The mean and what to divide by, float32, that broadcast against one example: one for each channel of images
      ``[n, height, width, channels]``, and for each feature of vectors ``[n, D]``.
    """
    total = squares = 0.0
    shift = None
    with tqdm(total=num_examples, desc="standardising", unit="example", disable=None, leave=False) as bar:
        for start in range(0, num_examples, BLOCK_SIZE):
            block = read(start, min(start + BLOCK_SIZE, num_examples)).astype(np.float64)
            axes = tuple(range(block.ndim - 1))
            # About a value near the mean, squares lose nothing to rounding.
            shift = block[0].mean(axis=axes[:-1], keepdims=True) if shift is None else shift
            count = np.prod(block.shape[:-1]) / len(block) * num_examples
            total = total + (block - shift).sum(axis=axes) / count
            squares = squares + np.square(block - shift).sum(axis=axes) / count
            bar.update(len(block))
    shift = np.reshape(shift, np.shape(total))
    std = np.sqrt(np.maximum(squares - np.square(total), 0))
    shape = (1,) * (block.ndim - 2) + (-1,)
    return (total + shift).reshape(shape).astype(np.float32), scale(std).reshape(shape).astype(np.float32)


def scale(std: np.ndarray) -> np.ndarray:
    """The divisors for features of these standard deviations: 1 for a feature that is constant up to rounding."""
    return np.where(std > 1e-6 * np.max(std), std, 1)
