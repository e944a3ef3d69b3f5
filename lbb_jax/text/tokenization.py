"""Texts as numbers in an encoder's vocabulary, truncated to a maximal length and padded to one of a few lengths."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer

from lbb_jax.errors import CheckpointError
from lbb_jax.networks.encoder import PADDING, Architecture
from lbb_jax.text.location import TOKENIZER, TOKENIZER_CONFIG, VOCABULARY

# For each length that occurs a program is compiled.
LENGTHS = (16, 32, 48, 64, 80, 96, 128, 192, 256, 384, 512)


class TokenBatch(NamedTuple):
    """Texts of about the same length.

    Attributes:
      rows: Which texts they are, ``[n]``.
      tokens: ``[B, L]`` int32, with padding behind each text; texts of nothing but padding fill up ``n`` to ``B``.
    """

    rows: np.ndarray
    tokens: np.ndarray


def load_tokenizer(folder: Path) -> Tokenizer | BertWordPieceTokenizer:
    """The tokenizer of a checkpoint, from ``tokenizer.json``, or from ``vocab.txt`` if there is none.

    Raises:
      CheckpointError: If there is neither, or the file cannot be read.
    """
    whole, vocabulary, settings = (folder / name for name in (TOKENIZER, VOCABULARY, TOKENIZER_CONFIG))
    try:
        if whole.is_file():
            return Tokenizer.from_file(str(whole))
        if vocabulary.is_file():
            fields = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
            lowercase = fields.get("do_lower_case", True)
            return BertWordPieceTokenizer(str(vocabulary), lowercase=lowercase)
    # The library raises Exception itself.
    except Exception as error:
        raise CheckpointError(f"{folder}: the tokenizer cannot be read ({error})") from error
    raise CheckpointError(f"{folder}: has neither {TOKENIZER} nor {VOCABULARY}")


def check_fits(tokenizer: Tokenizer | BertWordPieceTokenizer, sizes: Architecture, *, max_length: int) -> None:
    """Checks that a tokenizer and the length of texts fit the encoder.

    Raises:
      CheckpointError: If the tokenizer has a token whose number the encoder does not have.
      ValueError: If ``max_length`` is below 3, or above the number of positions that the encoder has.
    """
    # Numbers may have gaps, so that the largest can exceed their count.
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= sizes.vocabulary_size:
        raise CheckpointError(
            f"the checkpoint's tokenizer numbers tokens up to {largest}, its encoder only up to "
            f"{sizes.vocabulary_size - 1}"
        )
    if not 3 <= max_length <= sizes.num_positions:
        raise ValueError(
            f"max_length={max_length}: must be at least 3, to leave one between the special tokens, and at most the "
            f"encoder's {sizes.num_positions} positions"
        )


def tokenize(
    tokenizer: Tokenizer | BertWordPieceTokenizer, texts: Sequence[str], *, max_length: int
) -> list[np.ndarray]:
    """The tokens of each text, the special ones at both ends included, without padding.

    Args:
      tokenizer: Its own truncation and padding are replaced.
      texts: Any number of them.
      max_length: Longer texts are truncated.
    """
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return [np.asarray(encoding.ids, np.int32) for encoding in tokenizer.encode_batch(list(texts))]


def pad(sequences: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Tokens ``[n, length]`` int32 of sequences that are no longer than that."""
    tokens = np.full((len(sequences), length), PADDING, np.int32)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = sequence
    return tokens


def padded_length(length: int, max_length: int) -> int:
    """The shortest of `LENGTHS` and ``max_length`` that holds ``length`` tokens, at most ``max_length``."""
    return min((allowed for allowed in (*LENGTHS, max_length) if length <= allowed <= max_length), default=max_length)


def batches(sequences: Sequence[np.ndarray], *, batch_size: int, max_length: int) -> Iterator[TokenBatch]:
    """All texts in batches of one size and few lengths: texts of similar length together, the shortest first.

    Args:
      sequences: As `tokenize` returns them.
      batch_size: ``B``.
      max_length: As `tokenize` was given it.
    """
    order = np.argsort([len(sequence) for sequence in sequences], kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        chosen = [sequences[row] for row in rows]
        filling = [np.zeros(0, np.int32)] * (batch_size - len(rows))
        yield TokenBatch(rows, pad([*chosen, *filling], padded_length(len(chosen[-1]), max_length)))
