"""Runs an experiment in its folder with progress, metrics and checkpoints; resumes a run that was stopped."""

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lbb_jax import acquisition, analysis, figures, loop, seeds, sharding
from lbb_jax.errors import ExperimentError
from lbb_jax.experiment import drivers, environment
from lbb_jax.experiment.build import Parts, assemble, check
from lbb_jax.experiment.configuration import resolve_workdir
from lbb_jax.experiment.faults import check_finite
from lbb_jax.experiment.interruption import Interruption, wait_for
from lbb_jax.json_lines import Record
from lbb_jax.run_folder import Description, RunFolder, lines_of_round

_LOGGER = logging.getLogger(__name__)

# Receives the records of all seeds of a finished round.
OnRound = Callable[[list[Record]], None]


def run(config: ConfigDict, workdir: str | os.PathLike, *, on_round: OnRound | None = None) -> list[Record]:
    """Runs all seeds of an experiment, or what is left of them, and draws the learning curve.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/`` and ``figures/learning_curve.png`` to ``workdir``. A run
    that was stopped resumes after its last finished round and gives the same numbers as without the stop; a complete
    run is left unchanged. A run that resumes under other versions or on other hardware, where the last bits of its
    numbers can differ, logs a warning.

    With ``config.save_predictions`` it also writes ``log_probs.npy``, the predictions ``[N, K, C]`` of the whole pool
    by the models of seed 0 after the last round, and ``labelled.txt``, the rows that were labelled then. A complete run
    can still get them: its last models are trained again.

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
    folder.check_config(_fields(config))
    is_computed = _has_all_rounds(config, folder) and _has_predictions(config, folder)
    if is_computed and folder.figure.is_file():
        _LOGGER.info("%s holds the complete run: nothing to do", folder)
        return folder.read_records()
    resolve_workdir(workdir)
    if not is_computed:
        environment.check_same(folder)
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
        folder.check_config(_fields(config))
        return folder.figure.is_file() and _has_predictions(config, folder) and _has_all_rounds(config, folder)
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


def _has_predictions(config: ConfigDict, folder: RunFolder) -> bool:
    """Whether the predictions are there, or not asked for."""
    return folder.predictions.is_file() or not config.save_predictions


def _fields(config: ConfigDict) -> dict:
    """The configuration as ``config.json`` stores it."""
    return json.loads(config.to_json())


def _begin_or_go_on(config: ConfigDict, folder: RunFolder, on_round: OnRound | None) -> None:
    """Loads the data and runs the rounds that are left."""
    parts = assemble(config)
    folder.check_data(parts.data_identity)
    with folder.alone():
        # Once more: another process may have begun a run here meanwhile.
        folder.check_config(_fields(config))
        folder.check_data(parts.data_identity)
        if folder.describe() is None:
            folder.write_description(
                Description(
                    config=_fields(config),
                    data=parts.data_identity,
                    versions=environment.versions(),
                    platform=environment.hardware(),
                    settings=environment.settings(),
                    names={"method": acquisition.find_method(config.acquisition.method).label},
                )
            )
        states = _run_rounds(config, parts, folder, on_round)
        if not _has_predictions(config, folder):
            _save_predictions(parts, states, folder)


def _run_rounds(config: ConfigDict, parts: Parts, folder: RunFolder, on_round: OnRound | None) -> loop.State:
    """Resumes from the last checkpoint, runs to the end of the last round, and returns the states after it."""
    fields, interruption = config.to_dict(), Interruption()
    mesh = sharding.seed_mesh(config.seeds)
    data = sharding.replicate(parts.data, mesh)
    first = jax.jit(lambda data: seeds.init(jnp.arange(config.seeds), data, parts.settings))(parts.data)
    with interruption.handled():
        states = sharding.shard_seeds(folder.go_on(first), mesh)
        if int(states.round[0]) >= parts.settings.num_rounds:
            return states
        advance = drivers.compile_driver(config, parts, states, data, mesh)
        with _shown(config, parts, states) if on_round is None else contextlib.nullcontext(on_round) as show:
            while int(states.round[0]) < parts.settings.num_rounds:
                states, finished = advance(states)
                for done, seconds, seconds_of_stages in finished:
                    check_finite(done, parts.data, parts.training.unit)
                    lines = lines_of_round(fields, done, seconds=seconds, seconds_of_stages=seconds_of_stages)
                    with interruption.held_back():
                        folder.append_records(lines)
                    show(lines)
                with interruption.held_back():
                    folder.save(states)
    return states


def _save_predictions(parts: Parts, states: loop.State, folder: RunFolder) -> None:
    """Trains the models of seed 0 in the last round again, and writes what they predict of the pool."""
    settings = parts.settings._replace(uses_predictions=True, uses_embeddings=False, uses_labels=False)

    def predict(state: loop.State, data: loop.Data) -> jax.Array:
        params, _ = loop.train(state, data, settings)
        return loop.predict(state, params, data, settings).log_probs

    state = jax.device_put(jax.tree.map(lambda leaf: leaf[0], states), jax.local_devices()[0])
    state = state._replace(round=state.round - 1)
    log_probs = np.asarray(wait_for(jax.jit(predict)(state, parts.data)))
    if np.isnan(log_probs).any():
        raise ExperimentError(f"{folder.predictions}: the predictions of the pool hold NaN; they were not written")
    folder.write_predictions(log_probs, np.sort(state.labelled.indices[: state.labelled.size]).tolist())
    _LOGGER.info("%s: predictions of the pool %s after the last round", folder.predictions, log_probs.shape)


@contextlib.contextmanager
def _shown(config: ConfigDict, parts: Parts, states: loop.State) -> Iterator[OnRound]:
    """Shows a progress bar that each round moves; where there is no terminal, each round is logged."""
    method, num_seeds = config.acquisition.method, config.seeds
    total, done = num_seeds * parts.settings.num_rounds, num_seeds * int(states.round[0])
    seed_text = f"{num_seeds} seeds" if num_seeds > 1 else "1 seed"
    with tqdm(total=total, initial=done, desc=method, unit="round", disable=None) as bar:

        def show(lines: list[Record]) -> None:
            labels, accuracy = lines[0]["labels"], np.mean([line["accuracy"] for line in lines])
            bar.set_postfix_str(f"{seed_text}, {labels} labels, accuracy {accuracy:.3f}")
            bar.update(num_seeds)
            if bar.disable:
                seconds = sum(line["seconds"] for line in lines)
                message = "%s: %s, round %d, %d labels, accuracy %.3f (%.1f s)"
                _LOGGER.info(message, method, seed_text, lines[0]["round"], labels, accuracy, seconds)

        yield show
