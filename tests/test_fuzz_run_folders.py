"""Malformed run folders end in a message that names the file, or in the right result; a refusal changes no file."""

import logging
import os
import shutil
import signal
import traceback
import types

import malformed_folders
import numpy as np
import pytest
import run_folders
from folders import contents

from lbb_jax import analysis, experiment
from lbb_jax.acquisition import Acquisition
from lbb_jax.errors import ExperimentError
from lbb_jax.experiment import drivers, runner
from lbb_jax.experiment.drivers import Finished
from lbb_jax.loop import AcquiredBatch, Round
from lbb_jax.metrics import BY_CLASS, Metrics

NUM_IN_SAMPLE, NUM_FOLDERS, NUM_PARTS = 25, 500, 10
SECONDS_PER_FOLDER = 60
NUM_SEEDS, NUM_ROUNDS, BATCH_SIZE = 2, 5, 4


def config():
    made = experiment.default_config()
    made.update(dataset={"num_pool": 60, "num_test": 20}, network={"hidden_sizes": (4,)}, posterior={"num_members": 2})
    made.update(training={"num_steps": 2}, initial_size=10, batch_size=BATCH_SIZE, seeds=NUM_SEEDS)
    made.final_size = made.initial_size + (NUM_ROUNDS - 1) * BATCH_SIZE
    return made


def compile_nothing(config, parts, states, data, mesh):
    """Rounds in place of the compiled ones, the same for the same round, that train nothing."""
    del config, parts, data, mesh

    def advance(states):
        number = int(states.round[0])
        seeds = np.arange(NUM_SEEDS)
        count = BATCH_SIZE * (number < NUM_ROUNDS - 1)
        picks = (7 * number + 11 * seeds[:, None] + np.arange(BATCH_SIZE)) % 60
        done = Round(
            round=np.full(NUM_SEEDS, number),
            labels=np.full(NUM_SEEDS, 10 + number * BATCH_SIZE),
            metrics=Metrics(*(np.float32((number + 1) / (9 + seeds)) for _ in Metrics._fields)),
            losses=np.ones((NUM_SEEDS, 2, 2), np.float32),
            batch=AcquiredBatch(
                Acquisition(picks, (1 / (1 + picks)).astype(np.float32)),
                np.full(NUM_SEEDS, count),
                np.zeros(NUM_SEEDS, int),
            ),
        )
        return states._replace(round=states.round + 1), [Finished(done, 1.0, None)]

    return advance


@pytest.fixture(scope="module")
def quick_rounds():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drivers, "compile_driver", compile_nothing)
        # The data set is always the same; to load it is not what is tested.
        parts = runner.assemble(config())
        patched.setattr(runner, "assemble", lambda _: parts)
        yield


@pytest.fixture(scope="module")
def folders(quick_rounds, tmp_path_factory):
    """A complete run and its records, and stopped runs, one of which has lines of a round without a checkpoint."""
    root = tmp_path_factory.mktemp("runs")
    records = experiment.run(config(), root / "complete")
    for count in (1, 3):
        with run_folders.stopped_after_saving(count):
            experiment.run(config(), root / f"stopped{count}")
    shutil.copytree(root / "stopped3", root / "ahead")
    lines = (root / "complete" / "metrics.jsonl").read_text().splitlines(keepends=True)
    (root / "ahead" / "metrics.jsonl").write_text("".join(lines[: 4 * NUM_SEEDS]))
    return types.SimpleNamespace(root=root, records=records, names=["complete", "stopped1", "stopped3", "ahead"])


def check(folder, expected, caplog):
    """Runs in the folder and reads it: each ends in the right result, or in a message that names it."""
    before = contents(folder)
    caplog.clear()
    runs, error = outcome_of(lambda: analysis.load_runs([folder]))
    if error is not None:
        assert folder.name in str(error), f"load_runs names no file: {error}"
    else:
        accuracies = [record["accuracy"] for record in expected[: len(runs)]]
        assert runs["accuracy"].tolist() == accuracies, "load_runs gives other numbers"
        is_whole = len(runs) == len(expected)
        assert is_whole or "stopped short" in caplog.text, "load_runs says nothing of a run that stopped short"
    assert contents(folder) == before, "load_runs changed a file"
    done, error = outcome_of(lambda: experiment.run(config(), folder))
    if error is None:
        # Fields that this version does not know stay where they are.
        known = [{name: value for name, value in record.items() if name in expected[0]} for record in done]
        # Older versions did not write all of the seconds, and no means over classes.
        right = [
            {
                name: value
                for name, value in line.items()
                if name in record or not ("seconds" in name or name in BY_CLASS)
            }
            for line, record in zip(expected, done, strict=True)
        ]
        assert known == right, "run gives other numbers"
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        assert len([line for line in lines if line.strip()]) == len(expected)
        return
    assert folder.name in str(error), f"run names no file: {error}"
    after = contents(folder)
    assert {name: after.get(name) for name in before} == before, "a refusal changed a file"
    assert after.keys() == before.keys(), "a refusal left a file"


def outcome_of(call):
    """What a call returns, and the error that it may raise."""
    try:
        return call(), None
    except (ExperimentError, FileNotFoundError) as error:
        return None, error


def check_folders(first, last, folders, tmp_path, caplog):
    """Checks the folders of the seeds from ``first`` to before ``last``; fails with all that went wrong."""

    def interrupt(*_):
        raise TimeoutError(f"took more than {SECONDS_PER_FOLDER} s")

    logging.getLogger("absl").setLevel(logging.ERROR)
    previous, failures = signal.signal(signal.SIGALRM, interrupt), []
    for seed in range(first, last):
        folder = tmp_path / str(seed) / f"malformed{seed}"
        shutil.copytree(folders.root / folders.names[seed % len(folders.names)], folder)
        fault = malformed_folders.spoil(folder, seed)
        signal.alarm(SECONDS_PER_FOLDER)
        try:
            check(folder, folders.records, caplog)
        # Whatever it is, it is to be shown with the fault.
        except Exception as error:
            failures.append(f"seed {seed}, {fault}:\n    {type(error).__name__}: {str(error)[:300]} {place_of(error)}")
        finally:
            signal.alarm(0)
        shutil.rmtree(folder.parent)
    signal.signal(signal.SIGALRM, previous)
    if failures:
        pytest.fail(f"{len(failures)} folders:\n" + "\n".join(failures[:40]), pytrace=False)


def place_of(error):
    """The innermost lines of the project or the test that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames[-4:])


@pytest.mark.slow
def test_some_malformed_folders(folders, tmp_path, caplog):
    check_folders(0, NUM_IN_SAMPLE, folders, tmp_path, caplog)


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(NUM_PARTS))
def test_500_malformed_folders(part, folders, tmp_path, caplog):
    size = NUM_FOLDERS // NUM_PARTS
    check_folders(part * size, (part + 1) * size, folders, tmp_path, caplog)
