"""Files written whole or appended to, and the cache folder."""

import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from lbb_jax import paths

if TYPE_CHECKING:
    import numpy as np


def atomic_write(path: Path, content: str | bytes) -> None:
    """Writes ``content`` to a temporary file beside ``path`` and renames it into place; makes the folder if needed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def append(path: Path, content: str) -> None:
    """Appends ``content`` to the file ``path``, which is made if needed; a failure takes back what it had written."""
    with open(path, "ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            rest = memoryview(content.encode())
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(size)
            raise


def npy_bytes(array: "np.ndarray") -> bytes:
    """The content of a ``.npy`` file of an array without Python objects."""
    # Commands that only list what a folder holds start without NumPy.
    import numpy as np

    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def check_regular(path: Path) -> None:
    """Raises ValueError if there is something at ``path`` that is no file: opening a pipe would wait forever."""
    if os.path.lexists(path) and not path.is_file():
        kind = "a folder" if path.is_dir() else "a link to nothing" if path.is_symlink() else "no regular file"
        raise ValueError(f"it is {kind}")


def cache_folder(kind: str) -> Path:
    """The folder within the user's cache folder for data that can be computed again.

    Raises:
      PathError: If ``XDG_CACHE_HOME`` names no local path.
    """
    return paths.resolve(platformdirs.user_cache_path("lbb_jax"), name="XDG_CACHE_HOME") / kind
