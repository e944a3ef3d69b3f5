"""Runs an experiment round by round, with progress, metrics and a checkpoint after each round."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lbb_jax import analysis, figures, loop
from lbb_jax.checkpoints import Checkpoints
from lbb_jax.experiment import records
from lbb_jax.experiment.assembly import Parts, assemble
from lbb_jax.experiment.configuration import ExperimentError
from lbb_jax.experiment.records import Record

_LOGGER = logging.getLogger(__name__)


def run(config: ConfigDict, workdir: str | os.PathLike) -> list[Record]:
    """Runs all seeds of an experiment, or what is left of them, and draws the learning curve.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/`` and ``figures/learning_curve.png`` to ``workdir``. A
    run that was stopped goes on after the last round it finished, with the numbers that it would have had; a complete
    run is left as it is.

    Args:
      config: As `default_config` has it.
      workdir: A folder of its own for this run; made if needed.

    Returns:
      The records of all rounds of all seeds, as in ``metrics.jsonl``.

    Raises:
      ExperimentError: If a field is out of range, if ``workdir`` holds a run of another configuration or cannot be
        written to, or if training or prediction yields a number that is not finite.
      MissingDatasetError: If the data set's files are not there.
    """
    workdir = Path(workdir)
    metrics_path = workdir / "metrics.jsonl"
    parts = assemble(config)
    try:
        records.write_config(workdir / "config.json", config)
    except OSError as error:
        raise ExperimentError(f"--workdir={workdir}: cannot be written to ({error})") from error
    done = records.read_records(metrics_path)
    if len(done) == config.seeds * parts.settings.num_rounds:
        _LOGGER.info("%s holds the complete run: nothing to do", workdir)
        return done
    done = _run_seeds(config, parts, workdir, done)
    figures.save(figures.learning_curves(analysis.load_runs([workdir])), workdir / "figures" / "learning_curve.png")
    return done


def _run_seeds(config: ConfigDict, parts: Parts, workdir: Path, done: list[Record]) -> list[Record]:
    """Goes on where the last checkpoint stands, to the end of the last seed."""
    num_rounds = parts.settings.num_rounds
    checkpoints = Checkpoints(workdir / "checkpoints", num_rounds=num_rounds)
    state = loop.init(jax.random.key(0), parts.data, parts.settings)
    seed, state = checkpoints.restore(like=state) or (0, state)
    # A round counts once it has both its line and its checkpoint; a line without one is made again.
    done = [line for line in done if (line["seed"], line["round"]) < (seed, int(state.round))]
    if done:
        _LOGGER.info("%s: going on at seed %d, round %d", workdir, seed, int(state.round))
    stages = _compile(parts, state)
    description = config.acquisition.method
    with tqdm(total=config.seeds * num_rounds, initial=len(done), desc=description, unit="round", disable=None) as bar:
        while seed < config.seeds:
            if int(state.round) == num_rounds:
                seed += 1
                state = loop.init(jax.random.key(seed), parts.data, parts.settings)
                continue
            state, outcome = _run_round(stages, state, parts, where=f"seed {seed}, round {int(state.round)}")
            done.append(_record(config, seed, outcome))
            records.write_records(workdir / "metrics.jsonl", done)
            checkpoints.save(seed, state)
            _show_progress(bar, config, done[-1])
    checkpoints.close()
    return done


class Stages(NamedTuple):
    """The compiled stages of a round, of the same names as in `loop`."""

    train: Callable[..., Any]
    evaluate: Callable[..., Any]
    predict: Callable[..., Any]
    acquire: Callable[..., Any]


def _compile(parts: Parts, state: loop.State) -> Stages:
    """Compiles every stage once, for all rounds and seeds."""
    start = time.perf_counter()
    data, settings = parts
    train = jax.jit(lambda state, data: loop.train(state, data, settings)).lower(state, data).compile()
    params, _ = jax.eval_shape(lambda state, data: loop.train(state, data, settings), state, data)
    evaluate = jax.jit(lambda state, params, data: loop.evaluate(state, params, data, settings))
    predict = jax.jit(lambda state, params, data: loop.predict(state, params, data, settings))
    log_probs = jax.eval_shape(predict, state, params, data)
    acquire = jax.jit(lambda state, log_probs: loop.acquire(state, log_probs, settings))
    stages = Stages(
        train,
        evaluate.lower(state, params, data).compile(),
        predict.lower(state, params, data).compile(),
        acquire.lower(state, log_probs).compile(),
    )
    _LOGGER.info("compiled in %.1f s", time.perf_counter() - start)
    return stages


class Outcome(NamedTuple):
    """A round with the seconds that its stages took; prediction includes the test examples'."""

    round: loop.Round
    seconds_train: float
    seconds_predict: float
    seconds_acquire: float


def _run_round(stages: Stages, state: loop.State, parts: Parts, *, where: str) -> tuple[loop.State, Outcome]:
    """One round; the last one acquires nothing and neither predicts the pool.

    Raises:
      ExperimentError: If a loss or a prediction is not finite.
    """
    data, settings = parts
    start = time.perf_counter()
    params, losses = jax.block_until_ready(stages.train(state, data))
    trained = time.perf_counter()
    _check_losses(np.asarray(losses), where)
    metrics = stages.evaluate(state, params, data)
    if int(state.labelled.size) < settings.final_size:
        log_probs = jax.block_until_ready(stages.predict(state, params, data))
        predicted = time.perf_counter()
        _check_predictions(log_probs, where)
        next_state, picked, count = stages.acquire(state, log_probs)
    else:
        predicted = time.perf_counter()
        nothing = loop.Acquisition(np.zeros(0, np.int32), np.zeros(0, np.float32))
        next_state, picked, count = state._replace(round=state.round + 1), nothing, 0
    jax.block_until_ready(next_state)
    finished = time.perf_counter()
    outcome = loop.Round(state.round, state.labelled.size, metrics, picked, count, losses)
    return next_state, Outcome(outcome, trained - start, predicted - trained, finished - predicted)


def _check_losses(losses: np.ndarray, where: str) -> None:
    """Raises ExperimentError at the first loss ``[members, steps]`` that is not finite."""
    faults = np.argwhere(~np.isfinite(losses))
    if len(faults):
        member, step = faults[0]
        raise ExperimentError(
            f"{where}: the loss of member {member} is {losses[member, step]} at step {step}; "
            "lower config.training.learning_rate"
        )


def _check_predictions(log_probs: jax.Array, where: str) -> None:
    """Raises ExperimentError if a prediction is NaN."""
    if np.isnan(np.asarray(log_probs)).any():
        raise ExperimentError(f"{where}: the pool's predictions hold NaN; lower config.training.learning_rate")


def _record(config: ConfigDict, seed: int, outcome: Outcome) -> Record:
    """The line of ``metrics.jsonl`` for a round."""
    done = outcome.round
    count = int(done.num_acquired)
    return {
        "seed": seed,
        "round": int(done.round),
        "labels": int(done.labels),
        "accuracy": float(done.metrics.accuracy),
        "nll": float(done.metrics.nll),
        "ece": float(done.metrics.ece),
        "method": config.acquisition.method,
        "dataset": config.dataset.name if config.dataset.copies == 1 else f"r{config.dataset.name}",
        "posterior": config.posterior.name,
        "batch_size": config.batch_size,
        "acquired": np.asarray(done.acquired.indices)[:count].tolist(),
        "gains": np.asarray(done.acquired.scores)[:count].tolist(),
        "seconds_train": round(outcome.seconds_train, 6),
        "seconds_predict": round(outcome.seconds_predict, 6),
        "seconds_acquire": round(outcome.seconds_acquire, 6),
    }


def _show_progress(bar: tqdm, config: ConfigDict, record: Record) -> None:
    """Moves the progress bar, or logs a line where there is no terminal to draw it on."""
    bar.set_postfix_str(
        f"seed {record['seed'] + 1}/{config.seeds}, {record['labels']} labels, accuracy {record['accuracy']:.3f}"
    )
    bar.update()
    if bar.disable:
        _LOGGER.info(
            "%s: seed %d/%d, round %d, %d labels, accuracy %.3f (train %.1f s, predict %.1f s, acquire %.2f s)",
            record["method"],
            record["seed"] + 1,
            config.seeds,
            record["round"],
            record["labels"],
            record["accuracy"],
            record["seconds_train"],
            record["seconds_predict"],
            record["seconds_acquire"],
        )
