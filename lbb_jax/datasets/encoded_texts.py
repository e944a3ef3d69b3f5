"""Splits of texts for a pretrained encoder: as tokens, or as vectors that it computes. Needs the extra ``text``."""

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from lbb_jax.datasets import statistics
from lbb_jax.datasets.source import Source, Split
from lbb_jax.text.embedding import embed
from lbb_jax.text.text_encoder import TextEncoder
from lbb_jax.text.tokenization import pad, tokenize

# Texts are embedded, and their vectors kept, this many at a time; a stopped computation resumes at a block.
BLOCK_SIZE = 1000
NUM_FOR_STATISTICS = 1000

# From ``start`` and ``stop`` to the texts between and their labels.
ReadTexts = Callable[[int, int], tuple[list[str], np.ndarray]]


def vectors(text_encoder: TextEncoder, num_texts: int, read_texts: ReadTexts, *, description: str) -> Split:
    """Texts as vectors ``[n, D]`` float32, made when they are read, with a progress bar; errors are those of `embed`.

    Args:
      text_encoder: The encoder that computes the vectors.
      num_texts: How many there are.
      read_texts: From ``start`` and ``stop`` to the texts between and their labels.
      description: What the progress bar says.
    """

    def embed_block(start: int, bar: tqdm) -> tuple[np.ndarray, np.ndarray]:
        texts, labels = read_texts(start, min(start + BLOCK_SIZE, num_texts))
        return embed(text_encoder, texts, on_progress=bar.update), labels

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


def tokens(text_encoder: TextEncoder, num_texts: int, read_texts: ReadTexts) -> Split:
    """Texts as tokens ``[n, max_length]`` int32, all padded to one length."""

    def read(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        texts, labels = read_texts(start, stop)
        sequences = tokenize(text_encoder.tokenizer, texts, max_length=text_encoder.max_length)
        return pad(sequences, text_encoder.max_length), labels

    return Split(num_texts, read)


def standardised(train: Split, test: Split, text_encoder: TextEncoder, class_names: tuple[str, ...]) -> Source:
    """Splits of vectors, with the mean and the standard deviation of each feature over the first of ``train``.

    These statistics are over 1,000 vectors.
    """
    first, _ = train.read(0, min(NUM_FOR_STATISTICS, train.num_examples))
    return Source(
        train,
        test,
        len(class_names),
        mean=np.mean(first, axis=0),
        std=statistics.scale(np.std(first, axis=0)),
        encoder_digest=text_encoder.digest,
        class_names=class_names,
    )
