"""A pretrained encoder with its tokenizer."""

import hashlib
from typing import NamedTuple

import jax
import numpy as np
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer

from lbb_jax.networks.encoder import PretrainedEncoder
from lbb_jax.text import checkpoint, tokenization
from lbb_jax.text.location import locate


class TextEncoder(NamedTuple):
    """A pretrained encoder that takes texts.

    Attributes:
      encoder: The encoder.
      tokenizer: The tokenizer of the encoder.
      max_length: Tokens of a text that are read.
      digest: Hash of all of the above.
      name: The name of its checkpoint, as `load` was given it.
    """

    encoder: PretrainedEncoder
    tokenizer: Tokenizer | BertWordPieceTokenizer
    max_length: int
    digest: str
    name: str


def load(name: str, *, max_length: int) -> TextEncoder:
    """Reads an encoder.

    Args:
      name: The name of its checkpoint, as `location.locate` takes it.
      max_length: Tokens of a text that are read, the special ones at both ends included: from 3 to as many as the
        encoder has positions.

    Raises:
      CheckpointError: If the checkpoint cannot be found or read.
      ValueError: If ``max_length`` is out of range.
    """
    folder = locate(name)
    loaded = checkpoint.load(folder)
    tokenizer = tokenization.load_tokenizer(folder)
    tokenization.check_fits(tokenizer, loaded.architecture, max_length=max_length)
    digest = hashlib.sha256(repr((max_length, loaded.architecture)).encode())
    digest.update(tokenizer.to_str().encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(loaded.params):
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.shape}".encode())
        digest.update(np.ascontiguousarray(leaf))
    return TextEncoder(loaded, tokenizer, max_length, digest.hexdigest(), name)
