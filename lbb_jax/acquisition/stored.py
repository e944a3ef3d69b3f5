"""Predictions in a file, which are mapped and not read at once."""

import os
import zipfile
from pathlib import Path

import numpy as np

from lbb_jax import paths
from lbb_jax.arguments import check_predictions


def open_predictions(path: str | os.PathLike, *, name: str) -> np.ndarray:
    """The array ``[N, K, C]`` in a ``.npy`` file, none of which is read before it is used. Nothing is unpickled.

    Args:
      path: Where it is; ``~`` is the user's home.
      name: The argument that gave the path, for messages.

    Raises:
      PathError: If there is no such file.
      ValueError: If it does not hold one floating-point array of three axes.
    """
    path = paths.input_file(path, name=name)
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    # NumPy's reader of damaged headers raises many kinds of errors.
    except Exception as error:
        raise ValueError(f"{name}={path}: {_what_is_wrong(path, error)}") from error
    check_predictions(array, name=f"{name}={path}")
    return array


def _what_is_wrong(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    if zipfile.is_zipfile(path):
        return "is an archive of arrays (np.savez); save one array with np.save"
    return f"is no whole .npy file of numbers ({error}); save one array with np.save, or copy the file again"
