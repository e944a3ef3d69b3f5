"""Splits of texts whose features are vectors by a frozen encoder. Needs the extra ``text``."""

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from lbb_jax.datasets.source import Split
from lbb_jax.text.embedding import Embedder, embed, load_embedder

__all__ = ["load_embedder", "split"]

# Texts are embedded, and their vectors kept, so many at a time: what is stopped goes on from there.
BLOCK_SIZE = 1000

# From ``start`` and ``stop`` to the texts between and their labels.
ReadTexts = Callable[[int, int], tuple[list[str], np.ndarray]]


def split(embedder: Embedder, num_texts: int, read_texts: ReadTexts, *, description: str) -> Split:
    """A split whose texts are embedded when they are read, with a progress bar.

    Args:
      embedder: The encoder.
      num_texts: How many there are.
      read_texts: From ``start`` and ``stop`` to the texts between and their labels.
      description: Of the progress bar.
    """

    def embed_block(start: int, bar: tqdm) -> tuple[np.ndarray, np.ndarray]:
        texts, labels = read_texts(start, min(start + BLOCK_SIZE, num_texts))
        return embed(embedder, texts, on_progress=bar.update), labels

    def read(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        # Blocks begin at the same places whatever is asked for, so that each is the same texts every time.
        starts = range(start - start % BLOCK_SIZE, stop, BLOCK_SIZE)
        total = min(starts[-1] + BLOCK_SIZE, num_texts) - starts[0]
        with tqdm(total=total, desc=description, unit="text", disable=None, leave=False) as bar:
            blocks = [embed_block(block_start, bar) for block_start in starts]
        vectors, labels = map(np.concatenate, zip(*blocks, strict=True))
        wanted = slice(start - starts[0], stop - starts[0])
        return vectors[wanted], labels[wanted]

    return Split(num_texts, read)
