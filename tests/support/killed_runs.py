"""A run of the entry point, as a process that can be killed, and what must hold of its folder after that."""

import json
import time
from pathlib import Path

from script_processes import ROOT, Script

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


def start(workdir: Path, *arguments: str, posterior: str = "ensemble") -> Script:
    config = f"--config=configs/digits.py:{posterior}"
    return Script(ROOT / "experiments" / "run.py", config, f"--workdir={workdir}", *ARGUMENTS, *arguments)


def finish(process: Script) -> str:
    """Waits for the run, which must succeed, and returns what it said."""
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output + errors


def lines_of(workdir: Path) -> list[dict]:
    """The lines of ``metrics.jsonl`` without their times, each of which must be whole."""
    path = workdir / "metrics.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [{name: value for name, value in record.items() if "seconds" not in name} for record in records]


def wait_for_lines(process: Script, workdir: Path, count: int) -> None:
    """Waits until ``metrics.jsonl`` has so many lines, or the run has ended."""
    deadline = time.monotonic() + 300
    while process.poll() is None and len(lines_of(workdir)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def kill(process: Script, workdir: Path) -> None:
    """Kills the run without a warning. No file may be half-written."""
    process.kill()
    process.communicate()
    lines = lines_of(workdir)
    assert [line["round"] for line in lines] == [number // NUM_SEEDS for number in range(len(lines))]
    if (workdir / "config.json").exists():
        json.loads((workdir / "config.json").read_text())
