"""Runs an experiment in its folder: progress, metrics and a checkpoint on the way, and going on after a stop."""

import contextlib
import functools
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict
from tqdm import tqdm

from lbb_jax import analysis, figures, loop, seeds, sharding
from lbb_jax.checkpoints import Checkpoints
from lbb_jax.errors import ExperimentError
from lbb_jax.experiment import environment, records
from lbb_jax.experiment.build import Parts, assemble, check
from lbb_jax.experiment.configuration import resolve_workdir
from lbb_jax.experiment.faults import check_finite
from lbb_jax.experiment.interruption import Interruption
from lbb_jax.experiment.rounds import Advance, Finished, compile_rounds, compile_stages
from lbb_jax.run_folder import Description, Record, RunFolder

_LOGGER = logging.getLogger(__name__)

# Is told the records of all seeds of a round that is done.
OnRound = Callable[[list[Record]], None]


def run(config: ConfigDict, workdir: str | os.PathLike, *, on_round: OnRound | None = None) -> list[Record]:
    """Runs all seeds of an experiment, or what is left of them, and draws the learning curve.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/`` and ``figures/learning_curve.png`` to ``workdir``. A
    run that was stopped goes on after the last round it finished, with the numbers that it would have had; a complete
    run is left as it is. A run that goes on under other versions or on other hardware, where the last bits of its
    numbers can differ, says so in a warning.

    Args:
      config: As `default_config` has it.
      workdir: A folder of its own for this run; made if needed.
      on_round: Called with the records of each round, one for each seed, in place of this run's own progress bar.

    Returns:
      The records of all rounds of all seeds, as in ``metrics.jsonl``.

    Raises:
      ExperimentError: If a field is missing or out of range; if ``workdir`` is no local folder, holds a run of another
        configuration, on other data or under other settings of JAX, or files of a run that are damaged or whose
        ``config.json`` is gone; if it is in use by another process or cannot be written to; or if training or
        prediction yields a number that is not finite.
      MissingDatasetError: If the data set's files are not there.
      KeyboardInterrupt: On Ctrl-C or SIGTERM, after what is being written.
    """
    folder = RunFolder(resolve_workdir(workdir, to_write=False))
    check(config)
    # Before the data are loaded, which may take long.
    _check_config(folder, config)
    if is_complete(config, workdir):
        _LOGGER.info("%s holds the complete run: nothing to do", folder)
        return folder.read_records()
    resolve_workdir(workdir)
    if not _has_all_rounds(config, folder):
        _check_settings(folder)
        _begin_or_go_on(config, folder, on_round)
    with folder.alone():
        figure = figures.learning_curves(analysis.load_runs([folder.path]))
        with folder.writing():
            figures.save(figure, folder.figure)
    return folder.read_records()


def is_complete(config: ConfigDict, workdir: str | os.PathLike) -> bool:
    """Whether ``workdir`` holds the complete run of ``config``, with which `run` would do nothing; loads no data."""
    try:
        folder = RunFolder(resolve_workdir(workdir, to_write=False))
        if not (folder.config.is_file() and folder.figure.is_file()):
            return False
        _check_config(folder, config)
        return _has_all_rounds(config, folder)
    except (ExperimentError, OSError):
        # Another configuration, or a file that is damaged or out of reach: `run` says what is wrong with it.
        return False


def left_to_run(configs: Mapping[str, ConfigDict], workdir: Path) -> dict[str, ConfigDict]:
    """Those of ``configs`` whose runs in ``workdir/NAME`` are not complete."""
    return {name: config for name, config in configs.items() if not is_complete(config, workdir / name)}


def _has_all_rounds(config: ConfigDict, folder: RunFolder) -> bool:
    """Whether the lines of all rounds of all seeds are there."""
    done = folder.read_records()
    sizes = (config.initial_size, config.batch_size, config.final_size)
    # Sizes out of range have no number of rounds; `assemble` says what is wrong with them.
    return bool(done) and len(done) == config.seeds * loop.num_rounds(*sizes)


def _check_config(folder: RunFolder, config: ConfigDict) -> None:
    """Holds ``config`` against that of the run in ``folder``, if there is one.

    Raises:
      ExperimentError: If they differ; the message shows every field that does.
    """
    begun = folder.describe()
    differences = [] if begun is None else _differences(begun.config, json.loads(config.to_json()))
    if differences:
        raise ExperimentError(
            f"{folder} holds a run of another configuration (config.json); choose another --workdir, or set "
            + "; ".join(differences)
        )


def _check_settings(folder: RunFolder) -> None:
    """Holds JAX's settings against those of the run in ``folder``, if there is one; warns of other last bits.

    Raises:
      ExperimentError: If going on would lead to other numbers.
    """
    begun = folder.describe()
    if begun is None:
        return
    differences = environment.differing_settings(begun.settings)
    if differences:
        raise ExperimentError(
            f"{folder} holds a run under other settings of JAX, from which other numbers follow (config.json); choose "
            "another --workdir, or set " + "; ".join(differences)
        )
    differences = environment.differing_last_bits(begun.versions, begun.platform)
    if differences:
        _LOGGER.warning(
            "%s: going on under other versions or on other hardware, where the last bits of numbers can differ, and "
            "with them the points acquired: begun with %s",
            folder,
            "; ".join(differences),
        )


def _check_data(folder: RunFolder, identity: dict[str, Any]) -> None:
    """Holds the data of a run against those that the one in ``folder``, if there is one, began with.

    Raises:
      ExperimentError: If they differ; the message shows in what.
    """
    begun = folder.describe()
    # Older versions recorded less of the data.
    differences = (
        [] if begun is None else _differences(begun.data, {name: identity.get(name) for name in begun.data}, "data")
    )
    if differences:
        raise ExperimentError(
            f"{folder} holds a run on other data, or with another encoder (config.json); choose another --workdir, or "
            "bring " + "; ".join(differences)
        )


def _differences(before: Any, now: Any, name: str = "config") -> list[str]:
    """``field=value there (value here)`` for every field that differs between two nested dictionaries."""
    if isinstance(before, dict) and isinstance(now, dict):
        fields = sorted(before.keys() | now.keys())
        return [line for field in fields for line in _differences(before.get(field), now.get(field), f"{name}.{field}")]
    return [] if before == now else [f"{name}={before!r} (here: {now!r})"]


def _begin_or_go_on(config: ConfigDict, folder: RunFolder, on_round: OnRound | None) -> None:
    """Loads the data and runs the rounds that are left."""
    parts = assemble(config)
    _check_data(folder, parts.data_identity)
    with folder.alone():
        # Once more: another process may have begun a run here meanwhile.
        _check_config(folder, config)
        _check_data(folder, parts.data_identity)
        if folder.describe() is None:
            folder.write_description(
                Description(
                    config=json.loads(config.to_json()),
                    data=parts.data_identity,
                    versions=environment.versions(),
                    platform=environment.hardware(),
                    settings=environment.settings(),
                )
            )
        _run_rounds(config, parts, folder, on_round)


def _run_rounds(config: ConfigDict, parts: Parts, folder: RunFolder, on_round: OnRound | None) -> None:
    """Goes on where the last checkpoint stands, to the end of the last round."""
    settings, interruption = parts.settings, Interruption()
    mesh = sharding.seed_mesh(config.seeds)
    data = sharding.replicate(parts.data, mesh)
    first = jax.jit(lambda data: seeds.init(jnp.arange(config.seeds), data, settings))(parts.data)
    with _opened(folder) as checkpoints, interruption.handled():
        states, num_done = _restore(folder, checkpoints, first)
        states = sharding.shard_seeds(states, mesh)
        advance = _compile(config, parts, states, data, mesh)
        total = config.seeds * settings.num_rounds
        description = config.acquisition.method
        disable = None if on_round is None else True
        with tqdm(total=total, initial=num_done, desc=description, unit="round", disable=disable) as bar:
            is_exhausted = False
            while int(states.round[0]) < settings.num_rounds and not is_exhausted:
                states, finished = advance(states)
                for outcome in finished:
                    check_finite(outcome, parts.data, parts.unit)
                    of_seeds = records.of_round(config, outcome)
                    with interruption.held_back():
                        folder.append_records(of_seeds)
                    if on_round is None:
                        _show_progress(bar, config, of_seeds)
                    else:
                        on_round(of_seeds)
                    is_exhausted = _pool_is_exhausted(parts, outcome)
                    if is_exhausted:
                        break
                with interruption.held_back(), folder.writing():
                    checkpoints.save(states)


@contextlib.contextmanager
def _opened(folder: RunFolder) -> Iterator[Checkpoints]:
    """The checkpoints of a run."""
    with folder.writing():
        checkpoints = Checkpoints(folder.checkpoints)
    with checkpoints:
        yield checkpoints


def _restore(folder: RunFolder, checkpoints: Checkpoints, first: loop.State) -> tuple[loop.State, int]:
    """The states to go on with, and how many lines are done before them; all others are taken back, and it is said.

    Args:
      folder: The run's.
      checkpoints: Its own.
      first: The states before the first round.

    Raises:
      ExperimentError: If lines are missing; then nothing is changed.
    """
    done = folder.read_records()
    with folder.reading(folder.checkpoints):
        restored = checkpoints.restore(like=first)
    states = first if restored.states is None else restored.states
    # A round counts once it has both its lines and its checkpoint; lines without one are made again.
    round_number, num_seeds = int(states.round[0]), len(states.round)
    num_lines = round_number * num_seeds
    if len(done) < num_lines:
        raise ExperimentError(
            f"{folder.metrics} holds {len(done)} lines of the {round_number} rounds before the last checkpoint, not "
            f"{num_lines}; restore it, or remove {folder.checkpoints} to start again"
        )
    with folder.writing():
        checkpoints.set_aside(restored.damaged)
    if len(done) > num_lines:
        _LOGGER.warning(
            "%s: %s of the %d rounds that %s has lines of; the others are made again",
            folder,
            f"there is a checkpoint after {round_number}" if round_number else "there is no checkpoint of any",
            -(-len(done) // num_seeds),
            folder.metrics.name,
        )
    elif done:
        _LOGGER.info("%s: going on at round %d", folder, round_number)
    folder.keep_records(done[:num_lines])
    return states, num_lines


def _compile(config: ConfigDict, parts: Parts, states: loop.State, data: loop.Data, mesh: Mesh) -> Advance:
    """The rounds as the configured driver runs them."""
    # Where a round takes long, to see and to save each is worth more than what lies between them.
    rounds_are_short = config.training.name == "fixed_steps" and jax.default_backend() != "cpu"
    compile_them = compile_stages
    if config.driver == "scan" or (config.driver == "auto" and rounds_are_short):
        compile_them = functools.partial(compile_rounds, num_rounds=config.rounds_at_once)
    return compile_them(states, data, parts.settings, mesh, at_once=parts.seeds_at_once)


def _pool_is_exhausted(parts: Parts, outcome: Finished) -> bool:
    """Whether a round was trained on the whole pool although the final size is larger; says so."""
    size, final_size = int(outcome.round.labels[0]), parts.settings.final_size
    is_exhausted = size == parts.data.pool.num_examples < final_size
    if is_exhausted:
        _LOGGER.warning("the pool is exhausted: all its %d points are labelled, short of %d", size, final_size)
    return is_exhausted


def _show_progress(bar: tqdm, config: ConfigDict, of_seeds: list[Record]) -> None:
    """Moves the progress bar by a round of all seeds, or logs a line where there is no terminal to draw it on."""
    labels, accuracy = of_seeds[0]["labels"], np.mean([record["accuracy"] for record in of_seeds])
    seed_text = f"{len(of_seeds)} seeds" if len(of_seeds) > 1 else "1 seed"
    bar.set_postfix_str(f"{seed_text}, {labels} labels, accuracy {accuracy:.3f}")
    bar.update(len(of_seeds))
    if bar.disable:
        seconds = sum(record["seconds"] for record in of_seeds)
        _LOGGER.info(
            "%s: %s, round %d, %d labels, accuracy %.3f (%.1f s)",
            config.acquisition.method,
            seed_text,
            of_seeds[0]["round"],
            labels,
            accuracy,
            seconds,
        )
