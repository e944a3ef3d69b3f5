"""Runs an experiment in its folder: progress, metrics and a checkpoint on the way, and going on after a stop."""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import filelock
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict
from tqdm import tqdm

from lbb_jax import analysis, figures, loop, seeds, sharding
from lbb_jax.checkpoints import Checkpoints
from lbb_jax.experiment import records
from lbb_jax.experiment.assembly import Parts, assemble, check
from lbb_jax.experiment.configuration import ExperimentError, resolve_workdir
from lbb_jax.experiment.interruption import Interruption
from lbb_jax.experiment.records import Record
from lbb_jax.experiment.rounds import Advance, Finished, compile_rounds, compile_stages

_LOGGER = logging.getLogger(__name__)
# What is written last.
_FIGURE = Path("figures", "learning_curve.png")

# Is told the records of all seeds of a round that is done.
OnRound = Callable[[list[Record]], None]


def run(config: ConfigDict, workdir: str | os.PathLike, *, on_round: OnRound | None = None) -> list[Record]:
    """Runs all seeds of an experiment, or what is left of them, and draws the learning curve.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/`` and ``figures/learning_curve.png`` to ``workdir``. A
    run that was stopped goes on after the last round it finished, with the numbers that it would have had; a complete
    run is left as it is.

    Args:
      config: As `default_config` has it.
      workdir: A folder of its own for this run; made if needed.
      on_round: Called with the records of each round, one for each seed, in place of this run's own progress bar.

    Returns:
      The records of all rounds of all seeds, as in ``metrics.jsonl``.

    Raises:
      ExperimentError: If a field is missing or out of range; if ``workdir`` is no local folder, holds a run of another
        configuration, is in use by another process or cannot be written to; or if training or prediction yields a
        number that is not finite.
      MissingDatasetError: If the data set's files are not there.
      KeyboardInterrupt: On Ctrl-C or SIGTERM, after what is being written.
    """
    workdir = resolve_workdir(workdir, to_write=False)
    check(config)
    # Before the data are loaded, which may take long.
    records.check_config(workdir / "config.json", config)
    if is_complete(config, workdir):
        _LOGGER.info("%s holds the complete run: nothing to do", workdir)
        return records.read_records(workdir / "metrics.jsonl")
    resolve_workdir(workdir)
    if not _has_all_rounds(config, workdir):
        parts = assemble(config)
        records.check_data(workdir / "config.json", parts.data_identity)
        with _alone_in(workdir):
            records.write_config(workdir / "config.json", config, parts.data_identity)
            _run_rounds(config, parts, workdir, on_round)
    with _alone_in(workdir):
        figures.save(figures.learning_curves(analysis.load_runs([workdir])), workdir / _FIGURE)
    return records.read_records(workdir / "metrics.jsonl")


def is_complete(config: ConfigDict, workdir: str | os.PathLike) -> bool:
    """Whether ``workdir`` holds the complete run of ``config``, with which `run` would do nothing; loads no data."""
    try:
        workdir = resolve_workdir(workdir, to_write=False)
        if not ((workdir / "config.json").exists() and (workdir / _FIGURE).exists()):
            return False
        records.check_config(workdir / "config.json", config)
        return _has_all_rounds(config, workdir)
    except (OSError, ValueError):
        # Another configuration, or a file that is damaged or out of reach: `run` says what is wrong with it.
        return False


def left_to_run(configs: Mapping[str, ConfigDict], workdir: Path) -> dict[str, ConfigDict]:
    """Those of ``configs`` whose runs in ``workdir/NAME`` are not complete."""
    return {name: config for name, config in configs.items() if not is_complete(config, workdir / name)}


def _has_all_rounds(config: ConfigDict, workdir: Path) -> bool:
    """Whether the lines of all rounds of all seeds are there."""
    done = records.read_records(workdir / "metrics.jsonl")
    sizes = (config.initial_size, config.batch_size, config.final_size)
    # Sizes out of range have no number of rounds; `assemble` says what is wrong with them.
    return bool(done) and len(done) == config.seeds * loop.num_rounds(*sizes)


@contextlib.contextmanager
def _alone_in(workdir: Path) -> Iterator[None]:
    """Keeps other processes out of ``workdir``, and says what is wrong with a folder that cannot be written to."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(workdir / ".lock", blocking=False):
            yield
    except filelock.Timeout as error:
        raise ExperimentError(f"--workdir={workdir}: another process runs there; wait for it or stop it") from error
    except OSError as error:
        raise ExperimentError(
            f"--workdir={workdir}: cannot be written to ({error}); what was written before is kept, and the same "
            "command goes on from there"
        ) from error


def _run_rounds(config: ConfigDict, parts: Parts, workdir: Path, on_round: OnRound | None) -> None:
    """Goes on where the last checkpoint stands, to the end of the last round."""
    settings, interruption = parts.settings, Interruption()
    mesh = sharding.seed_mesh(config.seeds)
    data = sharding.replicate(parts.data, mesh)
    states = jax.jit(lambda data: seeds.init(jnp.arange(config.seeds), data, settings))(parts.data)
    with Checkpoints(workdir / "checkpoints") as checkpoints, interruption.handled():
        states = sharding.shard_seeds(checkpoints.restore(like=states) or states, mesh)
        # A round counts once it has both its lines and its checkpoint; lines without one are made again.
        done = records.of_rounds_before(
            int(states.round[0]), records.read_records(workdir / "metrics.jsonl"), config.seeds
        )
        if done:
            _LOGGER.info("%s: going on at round %d", workdir, int(states.round[0]))
        advance = _compile(config, parts, states, data, mesh)
        total = config.seeds * settings.num_rounds
        description = config.acquisition.method
        disable = None if on_round is None else True
        with tqdm(total=total, initial=len(done), desc=description, unit="round", disable=disable) as bar:
            is_exhausted = False
            while int(states.round[0]) < settings.num_rounds and not is_exhausted:
                states, finished = advance(states)
                for outcome in finished:
                    records.check_finite(outcome, parts.unit)
                    done += records.of_round(config, outcome)
                    with interruption.held_back():
                        records.write_records(workdir / "metrics.jsonl", done)
                    if on_round is None:
                        _show_progress(bar, config, done[-config.seeds :])
                    else:
                        on_round(done[-config.seeds :])
                    is_exhausted = _pool_is_exhausted(parts, outcome)
                    if is_exhausted:
                        break
                with interruption.held_back():
                    checkpoints.save(states)


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
