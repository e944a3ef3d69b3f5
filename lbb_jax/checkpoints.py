"""Checkpoints: the states of all seeds after a round, each a file of JSON that holds its own hash."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import files
from lbb_jax.errors import ExperimentError
from lbb_jax.loop import State

_NUM_KEPT = 2


class Restored(NamedTuple):
    """What a folder of checkpoints holds.

    Attributes:
      states: The states of the last checkpoint that is whole; None if there is none.
      damaged: Why each later checkpoint cannot be used, by its path.
    """

    states: State | None
    damaged: dict[Path, str]


class _DamagedError(Exception):
    """A checkpoint does not hold what was saved."""


def save(folder: Path, states: State) -> None:
    """Writes the states at the start of a round to ``folder``, and keeps the last two files there.

    Raises:
      OSError: If the folder cannot be written to; its earlier files are kept then.
    """
    leaves = {name: np.asarray(leaf).tolist() for name, leaf in _named_leaves(states).items()}
    content = {"sha256": _hash(leaves), "states": leaves}
    files.atomic_write(folder / f"{int(states.round[0])}.json", json.dumps(content) + "\n")
    for path in _checkpoints(folder)[_NUM_KEPT:]:
        if path.is_file():
            path.unlink()


def restore(folder: Path, like: State) -> Restored:
    """Reads the last checkpoint that is whole; changes nothing.

    Args:
      folder: The folder of checkpoints, which need not be there.
      like: States of the same shapes.

    Raises:
      ExperimentError: If a checkpoint is whole and holds states of other shapes, or if one of an older version cannot
        be restored.
      OSError: If a checkpoint cannot be read; it may still be whole.
    """
    damaged = {}
    for path in _checkpoints(folder):
        try:
            states = _read_orbax(path, like) if path.suffix == "" else _read(path, like)
            return Restored(states, damaged)
        except _DamagedError as error:
            damaged[path] = str(error)
    return Restored(None, damaged)


def set_aside(path: Path) -> Path:
    """Renames a damaged checkpoint to a name of its own, ``damaged-...``, and returns the new path."""
    aside, number = path.with_name(f"damaged-{path.name}"), 1
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"damaged-{number}-{path.name}")
    return path.rename(aside)


def _checkpoints(folder: Path) -> list[Path]:
    """The paths of all checkpoints, the last round first."""
    rounds = {}
    for name in os.listdir(folder) if folder.is_dir() else ():
        matched = re.fullmatch(r"(0|[1-9][0-9]{0,8})(\.json)?", name)
        # Older versions left a folder for each round.
        if matched and (matched[2] or (folder / name / "default").is_dir()):
            rounds[folder / name] = (int(matched[1]), bool(matched[2]))
    return sorted(rounds, key=rounds.__getitem__, reverse=True)


def _read(path: Path, like: State) -> State:
    try:
        files.check_regular(path)
        content = json.loads(path.read_text(encoding="utf-8"))
        leaves = content["states"]
        if content["sha256"] != _hash(leaves):
            raise ValueError("it is not what was written")
        if f"{leaves['round'][0]}.json" != path.name:
            raise ValueError(f"it is the one of round {leaves['round'][0]}")
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise _DamagedError(_in_a_line(error)) from error
    expected = _named_leaves(like)
    for name, leaf in expected.items():
        shape = np.shape(leaves.get(name))
        if shape != leaf.shape:
            raise ExperimentError(f"checkpoint {path}: {name} has shape {shape}: must be {leaf.shape}, as in this run")
    arrays = [jnp.asarray(np.array(leaves[name], leaf.dtype)) for name, leaf in expected.items()]
    states = jax.tree.unflatten(jax.tree.structure(like), arrays)
    return states._replace(key=jax.random.wrap_key_data(states.key, impl=jax.random.key_impl(like.key)))


def _read_orbax(path: Path, like: State) -> State:
    """Reads a checkpoint that an older version wrote with orbax."""
    try:
        import orbax.checkpoint as ocp
    except ImportError as error:
        raise ExperimentError(f"checkpoint {path} is of an older version: pip install orbax-checkpoint") from error
    template = {"states": like._asdict(), "checksum": np.array(0, np.uint32)}
    try:
        with ocp.StandardCheckpointer() as checkpointer:
            return State(**checkpointer.restore(path / "default", template)["states"])
    # Damage and other failures raise the same kinds of errors, so nothing is set aside.
    except Exception as error:
        raise ExperimentError(
            f"checkpoint {path} of an older version cannot be restored ({_in_a_line(error)}); remove it to go on from "
            "the one before"
        ) from error


def _named_leaves(states: State) -> dict[str, Any]:
    """The arrays of the states by name; random keys as their data."""
    with_data = states._replace(key=jax.random.key_data(states.key))
    leaves = jax.tree_util.tree_flatten_with_path(with_data)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _hash(leaves: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(leaves, sort_keys=True).encode()).hexdigest()


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
