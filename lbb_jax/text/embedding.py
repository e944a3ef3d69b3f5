"""Texts as vectors by a frozen encoder, computed once and kept in the user's cache folder."""

import functools
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import platformdirs
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer

from lbb_jax.files import write_whole
from lbb_jax.networks import encoder
from lbb_jax.networks.encoder import PretrainedEncoder
from lbb_jax.text import checkpoint, tokenization
from lbb_jax.text.location import locate

BATCH_SIZE = 32
# Part of the name under which vectors are kept: to be raised when the same texts get other vectors.
VERSION = 1


class Embedder(NamedTuple):
    """A frozen encoder, with all that its vectors depend on besides the texts.

    Attributes:
      encoder: The encoder.
      tokenizer: Its own.
      max_length: Tokens of a text that are read.
      digest: Hash of the above.
    """

    encoder: PretrainedEncoder
    tokenizer: Tokenizer | BertWordPieceTokenizer
    max_length: int
    digest: str


def load_embedder(name: str, *, max_length: int) -> Embedder:
    """Reads an encoder.

    Args:
      name: Of its checkpoint, as `location.locate` takes it.
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
    digest = hashlib.sha256(repr((VERSION, max_length, loaded.architecture)).encode())
    digest.update(tokenizer.to_str().encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(loaded.params):
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.shape}".encode())
        digest.update(np.ascontiguousarray(leaf))
    return Embedder(loaded, tokenizer, max_length, digest.hexdigest())


def embed(
    embedder: Embedder, texts: Sequence[str], *, on_progress: Callable[[int], None], cache: Path | None = None
) -> np.ndarray:
    """The mean of the encoder's last hidden states over the tokens of each text.

    Args:
      embedder: The encoder.
      texts: Any number of them, kept together: the same texts in the same order are computed once.
      on_progress: Is told how many more texts are done.
      cache: Folder to keep the vectors in; None for the user's cache folder.

    Returns:
      ``[n, D]`` float32.
    """
    cache = platformdirs.user_cache_path("lbb_jax") / "embeddings" if cache is None else cache
    digest = hashlib.sha256(json.dumps([embedder.digest, *texts]).encode()).hexdigest()
    path = cache / f"{digest}.npy"
    kept = _read(path)
    if kept is not None:
        on_progress(len(texts))
        return kept
    vectors = _compute(embedder, texts, on_progress)
    file = io.BytesIO()
    np.save(file, vectors, allow_pickle=False)
    write_whole(path, file.getvalue())
    return vectors


def _read(path: Path) -> np.ndarray | None:
    """The vectors that are kept at ``path``; None if there are none that can be read."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def _compute(embedder: Embedder, texts: Sequence[str], on_progress: Callable[[int], None]) -> np.ndarray:
    """The vectors, computed."""
    architecture, params = embedder.encoder
    params = jax.device_put(params)
    sequences = tokenization.tokenize(embedder.tokenizer, texts, max_length=embedder.max_length)
    vectors = np.empty((len(texts), architecture.hidden_size), np.float32)
    for rows, tokens in tokenization.batches(sequences, batch_size=BATCH_SIZE, max_length=embedder.max_length):
        vectors[rows] = _mean_hidden_states(architecture, params, tokens)[: len(rows)]
        on_progress(len(rows))
    return vectors


_mean_hidden_states = functools.partial(jax.jit, static_argnums=0)(encoder.mean_hidden_states)
