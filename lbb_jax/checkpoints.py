"""Checkpoints of a run: the states of all seeds after a round, kept with orbax."""

import contextlib
import hashlib
import json
import logging
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from lbb_jax import files
from lbb_jax.errors import ExperimentError
from lbb_jax.loop import State

_LOGGER = logging.getLogger(__name__)
# Within each checkpoint: the hashes of its files, by which damage is told from a failure to read.
_HASHES = "files.json"


class Restored(NamedTuple):
    """What was found in a folder of checkpoints.

    Attributes:
      states: Those saved last, of the checkpoints that are whole; None if there are none.
      damaged: Why each later checkpoint cannot be used, by its round.
    """

    states: State | None
    damaged: dict[int, str]


class _DamagedError(Exception):
    """A checkpoint does not hold what was saved."""


class Checkpoints:
    """The checkpoints in a folder, of which the last two are kept. A context manager."""

    def __init__(self, folder: Path):
        """Opens ``folder``, which is made if needed.

        Raises:
          OSError: If it cannot be made or read.
        """
        self._folder = Path(folder).absolute()
        self._manager = self._open()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception: object) -> None:
        self._manager.close()

    def save(self, states: State) -> None:
        """Saves the states before the round that they are in, whole or not at all.

        Raises:
          OSError: If the folder cannot be written to.
        """
        step = int(states.round[0])
        content = {"states": states._asdict(), "checksum": np.array(_checksum(states), np.uint32)}
        with _as_os_error():
            # Without force orbax may decide not to.
            self._manager.save(step, args=ocp.args.StandardSave(content), force=True)
            hashes = dict(_hashes(self._folder / str(step)))
            files.write_whole(self._folder / str(step) / _HASHES, json.dumps(hashes, indent=1))

    def restore(self, like: State) -> Restored:
        """The states saved last. Nothing is changed: `set_aside` does that.

        A checkpoint that is damaged is passed over for the one before it.

        Args:
          like: States of the same shapes.

        Raises:
          ExperimentError: If a checkpoint is whole and cannot be restored all the same.
          OSError: If one cannot be read.
        """
        damaged = {}
        for step in sorted(self._steps(), reverse=True):
            try:
                return Restored(self._read(step, like), damaged)
            except _DamagedError as error:
                damaged[step] = str(error)
        return Restored(None, damaged)

    def set_aside(self, damaged: dict[int, str]) -> None:
        """Renames damaged checkpoints to ``damaged-ROUND``, with a warning for each."""
        for step, reason in damaged.items():
            path = self._folder / str(step)
            aside = self._folder / f"damaged-{step}"
            number = 1
            while os.path.lexists(aside):
                number += 1
                aside = self._folder / f"damaged-{step}-{number}"
            path.rename(aside)
            _LOGGER.warning("checkpoint %s is damaged (%s); set aside as %s", path, reason, aside.name)
        if damaged:
            self._manager.close()
            self._manager = self._open()

    def _open(self) -> ocp.CheckpointManager:
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        with _as_os_error():
            return ocp.CheckpointManager(self._folder, options=options)

    def _steps(self) -> list[int]:
        """The rounds that have a checkpoint, or something in its place."""
        return [int(name) for name in os.listdir(self._folder) if re.fullmatch("0|[1-9][0-9]*", name)]

    def _read(self, step: int, like: State) -> State:
        path = self._folder / str(step)
        if path.is_symlink() or not path.is_dir():
            raise _DamagedError("it is no folder")
        # To open a pipe would wait for ever.
        if not all(part.is_file() or part.is_dir() for part in path.rglob("*")):
            raise _DamagedError("not all that it holds are files and folders")
        # Before orbax is asked, which reports damage with tracebacks of its own threads.
        damage = _damage(path)
        if damage:
            raise _DamagedError(damage)
        template = {"states": like._asdict(), "checksum": np.array(0, np.uint32)}
        try:
            # Not by the manager, which makes up its mind about all checkpoints by what the last one holds.
            with ocp.StandardCheckpointer() as checkpointer:
                saved = checkpointer.restore(path / "default", template)
        except Exception as error:  # Damage shows itself in every way, and so does what is no damage.
            _check_damaged(path, error, is_whole=damage == "")
            raise _DamagedError(_in_a_line(error)) from error
        states = State(**saved["states"])
        if _checksum(states) != int(saved["checksum"]):
            raise _DamagedError("its checksum is another")
        return states


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """Within only files are written and read: whatever a library makes of a failure of the file system is one."""
    try:
        yield
    except Exception as error:
        failure = files.passing_failure(error)
        if failure is None or failure is error:
            raise
        raise failure from error


def _hashes(checkpoint: Path) -> Iterator[tuple[str, str]]:
    """The hash of every file of a checkpoint, by its path within; opens all of them."""
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file() and path != checkpoint / _HASHES:
            yield path.relative_to(checkpoint).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()


def _damage(checkpoint: Path) -> str | None:
    """What of a checkpoint is not as it was saved: empty for nothing, None where it does not say how it was saved.

    Raises:
      OSError: If a file cannot be read.
    """
    found = dict(_hashes(checkpoint))
    path = checkpoint / _HASHES
    if not os.path.lexists(path):
        return None
    try:
        saved = dict(json.loads(path.read_text(encoding="utf-8")))
    except (IsADirectoryError, FileNotFoundError, TypeError, ValueError):
        return f"{_HASHES} is not what was written"
    lost = [name for name in saved if name not in found]
    changed = [name for name in saved if name in found and found[name] != saved[name]]
    if lost:
        return f"{lost[0]} is not there"
    return f"{changed[0]} is not what was written" if changed else ""


def _check_damaged(checkpoint: Path, error: Exception, *, is_whole: bool) -> None:
    """Raises what is to be said of an ``error`` in restoring a checkpoint, unless it can only be damaged.

    Raises:
      OSError: If it is a failure of the file system that may pass.
      ExperimentError: If the checkpoint is whole.
    """
    if (failure := files.passing_failure(error)) is not None:
        raise failure from error
    if isinstance(error, MemoryError):
        raise error
    if is_whole:
        raise ExperimentError(
            f"checkpoint {checkpoint} is what was saved, and cannot be restored all the same ({_in_a_line(error)}); it "
            "is left as it is: go on where it was made, or choose another --workdir"
        ) from error


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _checksum(states: State) -> int:
    """A number that changes with any bit of the states."""
    leaves = jax.tree.leaves(jax.tree.map(_bits, states))
    return zlib.crc32(b"".join(np.asarray(leaf).tobytes() for leaf in leaves))


def _bits(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
