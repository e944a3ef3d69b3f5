"""Texts as vectors by a frozen encoder, computed once and kept in the user's cache folder."""

import functools
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
import platformdirs

from lbb_jax.files import write_whole
from lbb_jax.networks import encoder
from lbb_jax.text import tokenization
from lbb_jax.text.text_encoder import TextEncoder

BATCH_SIZE = 32
# Part of the name under which vectors are kept: to be raised when the same texts get other vectors.
VERSION = 1


def embed(
    text_encoder: TextEncoder, texts: Sequence[str], *, on_progress: Callable[[int], None], cache: Path | None = None
) -> np.ndarray:
    """The mean of the encoder's last hidden states over the tokens of each text.

    Args:
      text_encoder: The encoder.
      texts: Any number of them, kept together: the same texts in the same order are computed once.
      on_progress: Is told how many more texts are done.
      cache: Folder to keep the vectors in; None for the user's cache folder.

    Returns:
      ``[n, D]`` float32.
    """
    cache = platformdirs.user_cache_path("lbb_jax") / "embeddings" if cache is None else cache
    digest = hashlib.sha256(json.dumps([VERSION, text_encoder.digest, *texts]).encode()).hexdigest()
    path = cache / f"{digest}.npy"
    kept = _read(path)
    if kept is not None:
        on_progress(len(texts))
        return kept
    vectors = _compute(text_encoder, texts, on_progress)
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


def _compute(text_encoder: TextEncoder, texts: Sequence[str], on_progress: Callable[[int], None]) -> np.ndarray:
    """The vectors, computed."""
    architecture, params = text_encoder.encoder
    params = jax.device_put(params)
    sequences = tokenization.tokenize(text_encoder.tokenizer, texts, max_length=text_encoder.max_length)
    vectors = np.empty((len(texts), architecture.hidden_size), np.float32)
    for rows, tokens in tokenization.batches(sequences, batch_size=BATCH_SIZE, max_length=text_encoder.max_length):
        vectors[rows] = _mean_hidden_states(architecture, params, tokens)[: len(rows)]
        on_progress(len(rows))
    return vectors


_mean_hidden_states = functools.partial(jax.jit, static_argnums=0)(encoder.mean_hidden_states)
