"""Files written whole or appended to, the cache folder, and failures of the file system told by name."""

import errno
import os
import tempfile
from pathlib import Path

import platformdirs

from lbb_jax import paths

# The failures that pass when a disk has room again, a mount is back or a limit is raised.
_PASSING = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENODEV, errno.ENXIO),
    *(errno.ENOTCONN, errno.EHOSTDOWN, errno.EBUSY, errno.EAGAIN, errno.ENOMEM),
)


def write_whole(path: Path, content: str | bytes) -> None:
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


def check_regular(path: Path) -> None:
    """Raises ValueError if there is something at ``path`` that is no file: to open a pipe would wait for ever."""
    if os.path.lexists(path) and not path.is_file():
        kind = "a folder" if path.is_dir() else "a link to nothing" if path.is_symlink() else "no regular file"
        raise ValueError(f"it is {kind}")


def cache_folder(kind: str) -> Path:
    """The folder within the user's cache folder for what can be computed again.

    Raises:
      PathError: If ``XDG_CACHE_HOME`` names no local path.
    """
    return paths.resolve(platformdirs.user_cache_path("lbb_jax"), name="XDG_CACHE_HOME") / kind


def passing_failure(error: BaseException | None) -> OSError | None:
    """The failure of the file system that an error comes from, whichever library noticed it.

    Libraries wrap what the system says, or keep only its words: all errors that led to ``error`` are looked through,
    and their texts.

    Args:
      error: The exception, whatever its class.

    Returns:
      The failure, if it is one that says nothing about a file itself, such as a full disk or a mount that is gone; None
      for any other error.
    """
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and one.errno in _PASSING:
            return one
        code = next((code for code in _PASSING if os.strerror(code) in str(one)), None)
        if code is not None:
            return OSError(code, os.strerror(code))
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return None
