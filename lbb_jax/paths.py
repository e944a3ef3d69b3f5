"""Paths that a user gives, resolved and checked in one place, before anything is computed.

Every script and every public function that takes a path passes it through here. ``~`` stands for the home folder
wherever it was typed: shells leave it in ``--workdir=~/runs``. Only local paths are supported.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path


class PathError(ValueError):
    """A path cannot be used; the message names the argument, its value and the remedy."""


def resolve(path: str | os.PathLike, *, name: str) -> Path:
    """``path`` with ``~`` replaced by the home folder; it need not exist.

    Args:
      path: As the user gave it.
      name: The argument that holds it, for messages: ``"--workdir"``.

    Raises:
      PathError: If it is empty, an address such as ``gs://bucket``, or no path at all, such as one that is too long.
    """
    text = os.fsdecode(path)
    if not text.strip():
        raise PathError(f"{name}={text!r}: is empty; name a path, and see that no variable in it is unset")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise PathError(f"{name}={text}: only local paths are supported; copy it to this machine, or mount it")
    if "\0" in text:
        raise PathError(f"{name}={text!r}: holds a null character, which no path has")
    try:
        resolved = Path(text).expanduser()
    except RuntimeError as error:
        raise PathError(f"{name}={text}: {error}") from error
    try:
        resolved.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    # Such as a name that is too long, or a folder above it that may not be entered.
    except OSError as error:
        raise PathError(f"{name}={text}: cannot be used ({error.strerror}); name another") from error
    return resolved


def folder(path: str | os.PathLike, *, name: str) -> Path:
    """`resolve` for a folder, which need not be there yet.

    Raises:
      PathError: As `resolve`, and if a file is there.
    """
    resolved = resolve(path, name=name)
    if resolved.exists() and not resolved.is_dir():
        raise PathError(f"{name}={path}: is a file; name a folder")
    return resolved


def output_folder(path: str | os.PathLike, *, name: str) -> Path:
    """`resolve` for a folder to write to, which is not made yet.

    Raises:
      PathError: As `folder`, and if it could not be made or written to.
    """
    resolved = resolve(path, name=name)
    _check_writable(resolved, path, name)
    return resolved


def output_file(path: str | os.PathLike, *, name: str, suffixes: Collection[str] = ()) -> Path:
    """`resolve` for a file to write.

    Args:
      path: As the user gave it.
      name: The argument that holds it, for messages.
      suffixes: Endings that it may have, in lower case, such as ``".png"``; empty for any.

    Raises:
      PathError: As `resolve`, for another suffix, if a folder is there, and if its folder cannot be written to.
    """
    resolved = resolve(path, name=name)
    if suffixes and resolved.suffix.lower() not in suffixes:
        raise PathError(f"{name}={path}: must end in {' or '.join(sorted(suffixes))}")
    if resolved.is_dir():
        raise PathError(f"{name}={path}: is a folder; name a file")
    _check_writable(resolved.parent, path, name)
    return resolved


def existing(path: str | os.PathLike, *, name: str) -> Path:
    """`resolve` for a file or folder to read.

    Raises:
      PathError: As `resolve`, and if there is neither, or it cannot be read.
    """
    resolved = resolve(path, name=name)
    if not resolved.exists():
        raise PathError(f"{name}={path}: there is no such file or folder")
    if not os.access(resolved, os.R_OK):
        raise PathError(f"{name}={path}: cannot be read; its permissions forbid it")
    return resolved


def input_file(path: str | os.PathLike, *, name: str) -> Path:
    """`resolve` for a file to read.

    Raises:
      PathError: As `resolve`, and if there is no such file.
    """
    if resolve(path, name=name).is_dir():
        raise PathError(f"{name}={path}: is a folder; name a file")
    return existing(path, name=name)


def _check_writable(folder: Path, path: str | os.PathLike, name: str) -> None:
    """Raises PathError if ``folder``, or the nearest that is there above it, cannot be written to."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise PathError(f"{name}={path}: cannot be written to: {there} is a file; name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PathError(f"{name}={path}: cannot be written to: {there} is read-only; name another folder")
