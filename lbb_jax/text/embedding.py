"""Texts as vectors by a frozen encoder, computed once and kept in the user's cache folder."""

import contextlib
import functools
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock
import jax
import numpy as np

from lbb_jax import paths
from lbb_jax.errors import CacheError, CheckpointError
from lbb_jax.files import atomic_write, cache_folder, npy_bytes
from lbb_jax.networks import encoder
from lbb_jax.text import tokenization
from lbb_jax.text.text_encoder import TextEncoder

_LOGGER = logging.getLogger(__name__)

BATCH_SIZE = 32
# Part of the name under which vectors are kept: it must be raised when the same texts get other vectors.
VERSION = 1


def embed(
    text_encoder: TextEncoder,
    texts: Sequence[str],
    *,
    on_progress: Callable[[int], None],
    cache: str | os.PathLike | None = None,
) -> np.ndarray:
    """The mean of the encoder's last hidden states over the tokens of each text.

    Args:
      text_encoder: The encoder.
      texts: Any number of them, kept together: the same texts in the same order are computed once, also where several
        processes ask for them.
      on_progress: Called with the number of texts that were just finished.
      cache: Folder to keep the vectors in; None for the user's cache folder.

    Returns:
      ``[n, D]`` float32.

    Raises:
      CacheError: If the folder cannot be written to; raised before anything is computed, unless the disk fills up
        later.
      CheckpointError: If vectors are not finite; none of these are kept.
    """
    cache = cache_folder("embeddings") if cache is None else paths.folder(cache, name="cache")
    digest = hashlib.sha256(json.dumps([VERSION, text_encoder.digest, *texts]).encode()).hexdigest()
    path, shape = cache / f"{digest}.npy", (len(texts), text_encoder.encoder.architecture.hidden_size)
    kept = _read(path, shape)
    if kept is None:
        with _alone_at(path):
            # By now another process may have made them.
            kept = _read(path, shape)
            if kept is None:
                return _make(path, text_encoder, texts, on_progress)
    on_progress(len(texts))
    return kept


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """The vectors that are kept at ``path``: finite, float32, and in this shape; None for anything else.

    Raises:
      CacheError: If they cannot be read; they may still be whole.
    """
    try:
        with path.open("rb") as file:
            kept = np.lib.format.read_array(file, allow_pickle=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CacheError(
            f"{path}: cannot be read ({error}), and vectors of texts are kept there; put that right"
        ) from error
    # NumPy's errors for damaged files have no other class in common.
    except Exception:
        return None
    return kept if kept.shape == shape and kept.dtype == np.float32 and np.isfinite(kept).all() else None


def _make(
    path: Path, text_encoder: TextEncoder, texts: Sequence[str], on_progress: Callable[[int], None]
) -> np.ndarray:
    """Computes the vectors and keeps them at ``path``, which holds no usable vectors."""
    if path.exists():
        _LOGGER.warning("%s does not hold the vectors that it should, and is replaced", path)
    vectors = _compute(text_encoder, texts, on_progress)
    num_broken = np.sum(~np.isfinite(vectors).all(axis=1))
    if num_broken:
        raise CheckpointError(
            f"encoder={text_encoder.name!r}: {num_broken} of {len(texts)} vectors are not finite; look for what "
            "is wrong with its weights, or name another checkpoint"
        )
    with _explained(path.parent):
        atomic_write(path, npy_bytes(vectors))
    return vectors


@contextlib.contextmanager
def _alone_at(path: Path) -> Iterator[None]:
    """Keeps other processes from making what is kept at ``path``; makes sure that it can be written."""
    with _explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lock that is there already is no sign that anything can be written beside it.
        tempfile.TemporaryFile(dir=path.parent).close()
        lock = filelock.FileLock(path.with_suffix(".lock")).acquire()
    with lock:
        yield


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Says which folder cannot be written to, and what to do."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"{folder}: cannot be written to ({error}), and vectors of texts are kept there; put that right, or name "
            "another place for caches: XDG_CACHE_HOME, or the argument cache where one was given"
        ) from error


def _compute(text_encoder: TextEncoder, texts: Sequence[str], on_progress: Callable[[int], None]) -> np.ndarray:
    """Computes the vectors."""
    architecture, params = text_encoder.encoder
    params = jax.device_put(params)
    sequences = tokenization.tokenize(text_encoder.tokenizer, texts, max_length=text_encoder.max_length)
    vectors = np.empty((len(texts), architecture.hidden_size), np.float32)
    for rows, tokens in tokenization.batches(sequences, batch_size=BATCH_SIZE, max_length=text_encoder.max_length):
        vectors[rows] = _mean_hidden_states(architecture, params, tokens)[: len(rows)]
        on_progress(len(rows))
    return vectors


_mean_hidden_states = functools.partial(jax.jit, static_argnums=0)(encoder.mean_hidden_states)
