"""Checkpoints of a run: the states of all seeds after a round, kept with orbax."""

import logging
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from lbb_jax.loop import State

_LOGGER = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints in a folder, of which the last two are kept. A context manager."""

    def __init__(self, folder: Path):
        """Opens ``folder``, which is made if needed."""
        self._folder = Path(folder).absolute()
        self._manager = self._open()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception: object) -> None:
        self._manager.close()

    def save(self, states: State) -> None:
        """Saves the states before the round that they are in, whole or not at all."""
        content = {"states": states._asdict(), "checksum": np.array(_checksum(states), np.uint32)}
        self._manager.save(int(states.round[0]), args=ocp.args.StandardSave(content))

    def restore(self, like: State) -> State | None:
        """The states saved last, or None where nothing was saved.

        A checkpoint that cannot be read, or does not hold what was saved, is renamed to ``damaged-ROUND`` with a
        warning, and the one before it is tried.

        Args:
          like: States of the same shapes.
        """
        template = {"states": like._asdict(), "checksum": np.array(0, np.uint32)}
        while (step := self._manager.latest_step()) is not None:
            try:
                saved = self._manager.restore(step, args=ocp.args.StandardRestore(template))
                states = State(**saved["states"])
                if _checksum(states) != int(saved["checksum"]):
                    raise ValueError("its checksum is another")
            except Exception as error:  # Damage shows itself in every way.
                self._set_aside(step, error)
            else:
                return states
        return None

    def _open(self) -> ocp.CheckpointManager:
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        return ocp.CheckpointManager(self._folder, options=options)

    def _set_aside(self, step: int, error: Exception) -> None:
        damaged = self._folder / str(step)
        aside = self._folder / f"damaged-{step}"
        number = 1
        while aside.exists():
            number += 1
            aside = self._folder / f"damaged-{step}-{number}"
        damaged.rename(aside)
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        _LOGGER.warning("checkpoint %s is damaged (%s); set aside as %s", damaged, reason, aside.name)
        self._manager.close()
        self._manager = self._open()


def _checksum(states: State) -> int:
    """A number that changes with any bit of the states."""
    leaves = jax.tree.leaves(jax.tree.map(_bits, states))
    return zlib.crc32(b"".join(np.asarray(leaf).tobytes() for leaf in leaves))


def _bits(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
