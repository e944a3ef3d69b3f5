"""A run of the entry point, as a process that can be killed, and what must hold of its folder after that."""

import functools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from script_processes import ROOT, Script

from lbb_jax.run_folder import RunFolder

NUM_SEEDS, NUM_ROUNDS = 2, 10
ARGUMENTS = (
    "--config.training.num_steps=3",
    f"--config.seeds={NUM_SEEDS}",
    "--config.initial_size=10",
    "--config.batch_size=5",
    f"--config.final_size={10 + 5 * (NUM_ROUNDS - 1)}",
    "--config.acquisition.method=power_bald",
)
DRIVERS = {"host": ("--config.driver=host",), "scan": ("--config.driver=scan", "--config.rounds_at_once=3")}


def start(
    workdir: Path, *arguments: str, posterior: str = "ensemble", prepare: Callable[[], None] | None = None
) -> Script:
    config = f"--config=configs/digits.py:{posterior}"
    script = ROOT / "experiments" / "run.py"
    return Script(script, config, f"--workdir={workdir}", *ARGUMENTS, *arguments, prepare=prepare)


def signals_itself(number: int, num_lines: int, *, after: str = "append_records") -> Callable[[], None]:
    """What to prepare in a process: a signal to itself once it has stored so many lines, a multiple of `NUM_SEEDS`.

    ``after`` is the method of `RunFolder` after which it comes: after ``append_records`` there is no checkpoint of
    the last round yet, after ``save`` there is.
    """
    return functools.partial(_signal_itself, number, num_lines, after)


def _signal_itself(number: int, num_lines: int, after: str) -> None:
    original = getattr(RunFolder, after)

    def write(self, *arguments):
        original(self, *arguments)
        if len(self.read_records()) == num_lines:
            os.kill(os.getpid(), number)

    setattr(RunFolder, after, write)


def finish(process: Script) -> str:
    """Waits for the run, which must succeed, and returns what it said."""
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output + errors


def lines_of(workdir: Path) -> list[dict]:
    """The lines of ``metrics.jsonl`` without their times."""
    records = RunFolder(workdir).read_records()
    return [{name: value for name, value in record.items() if "seconds" not in name} for record in records]


def wait_for_lines(process: Script, workdir: Path, count: int) -> None:
    """Waits until ``metrics.jsonl`` has so many lines, or the run has ended."""
    deadline = time.monotonic() + 300
    while process.poll() is None and len(lines_of(workdir)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def kill(process: Script, workdir: Path) -> None:
    """Kills the run without a warning. Every file must be readable; only a last line may be cut short."""
    process.kill()
    process.communicate()
    lines_of(workdir)
    if (workdir / "config.json").exists():
        json.loads((workdir / "config.json").read_text())
