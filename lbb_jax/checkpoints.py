"""Checkpoints of a run: the state of the seed under way, after each of its rounds, kept with orbax."""

from pathlib import Path

import jax.numpy as jnp
import orbax.checkpoint as ocp

from lbb_jax.loop import State


class Checkpoints:
    """The checkpoints in a folder, of which the last two are kept."""

    def __init__(self, folder: Path, *, num_rounds: int):
        """Opens ``folder``, which is made if needed, for seeds of ``num_rounds`` rounds each."""
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(Path(folder).absolute(), options=options)
        self._num_rounds = num_rounds

    def save(self, seed: int, state: State) -> None:
        """Saves the state of ``seed`` after a round."""
        step = seed * self._num_rounds + int(state.round)
        self._manager.save(step, args=ocp.args.StandardSave({"seed": jnp.int32(seed), "state": state._asdict()}))

    def restore(self, like: State) -> tuple[int, State] | None:
        """The seed and the state saved last, or None where nothing was saved.

        Args:
          like: A state of the same shapes.
        """
        if self._manager.latest_step() is None:
            return None
        template = {"seed": jnp.int32(0), "state": like._asdict()}
        saved = self._manager.restore(self._manager.latest_step(), args=ocp.args.StandardRestore(template))
        return int(saved["seed"]), State(**saved["state"])

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()
