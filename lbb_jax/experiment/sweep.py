"""Runs several configurations, each in a folder of its own, and gathers them in one table."""

import contextlib
import functools
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict
from tqdm import tqdm

from lbb_jax import analysis, datasets
from lbb_jax.errors import exit_in_words
from lbb_jax.experiment import runner
from lbb_jax.experiment.compilation import use_cache
from lbb_jax.experiment.configuration import ExperimentError, resolve_workdir
from lbb_jax.experiment.interruption import Interruption
from lbb_jax.experiment.messages import show_warnings
from lbb_jax.files import atomic_write
from lbb_jax.json_lines import Record

_LOGGER = logging.getLogger(__name__)


class _Ended(NamedTuple):
    """A run that has ended: its name, and what went wrong, if something did."""

    name: str
    failure: str | None


def run_sweep(
    configs: Mapping[str, ConfigDict],
    workdir: str | os.PathLike,
    *,
    num_processes: int = 1,
    devices: Sequence[str] = (),
) -> dict[str, str]:
    """Runs several configurations, each in a folder of its own, and writes all that are complete to one table.

    Each run is that of `lbb_jax.experiment.run` in ``workdir/NAME``: complete runs stay unchanged, stopped runs resume,
    and a run that fails does not stop the others. ``workdir/runs.csv`` is the table of `lbb_jax.analysis.load_runs`
    over the complete runs in ``configs``; in it, ``path`` is the folder within ``workdir``. If no run is complete, the
    table is not written.

    Args:
      configs: The configurations by the name of the run's folder, as `combine` returns them.
      workdir: Folder of all runs; made if needed.
      num_processes: Runs at once. With 1 they run in this process, one after the other; with more, each runs in a
        process of its own, and an accelerator needs memory for all of them.
      devices: NVIDIA GPUs, as ``CUDA_VISIBLE_DEVICES`` names them; if any are given, one run at a time on each, in a
        process of its own that sees only this GPU.

    Returns:
      What went wrong, by the name of the run; empty if all are complete.

    Raises:
      ExperimentError: If ``workdir`` is no local folder or cannot be written to, ``num_processes`` is below 1 or given
        beside ``devices``, a device is named twice, or the table cannot be written.
      KeyboardInterrupt: On Ctrl-C or SIGTERM, when all runs have been stopped; the same call resumes them.
    """
    if num_processes < 1:
        raise ExperimentError(f"--processes={num_processes}: must be at least 1")
    if devices and num_processes > 1:
        raise ExperimentError(f"--processes={num_processes}: leave it out with --devices, on each of which runs one")
    if len(set(devices)) < len(devices):
        raise ExperimentError(f"--devices={','.join(devices)}: name each once")
    workdir = resolve_workdir(workdir)
    left = runner.left_to_run(configs, workdir)
    run_all = _in_turn
    if devices or num_processes > 1:
        run_all = functools.partial(_at_once, places=list(devices) or [None] * num_processes)
    failures = {}
    progress = _Progress(len(configs), num_done=len(configs) - len(left))
    with contextlib.closing(progress), contextlib.closing(run_all(left, workdir, progress)) as ended:
        for name, failure in ended:
            progress.end(name, failure)
            if failure is not None:
                failures[name] = failure
    _write_table(workdir, [name for name in configs if name not in failures])
    return failures


class _Progress:
    """One progress bar for all runs: how many are done, and the state of those that are running.

    Without a terminal, a line is logged for every round, and for every run that ends.
    """

    def __init__(self, total: int, *, num_done: int) -> None:
        self._bar = tqdm(total=total, initial=num_done, desc="sweep", unit="run", disable=None)
        self._total, self._num_ended = total, num_done
        self._running: dict[str, str] = {}
        self._log("%d of %d runs are complete", num_done, total)

    def begin(self, name: str) -> None:
        """Shows that a run has begun."""
        self._show(name, "starting")

    def round(self, name: str, of_seeds: list[Record]) -> None:
        """Shows the round that a run has finished."""
        accuracy = sum(record["accuracy"] for record in of_seeds) / len(of_seeds)
        self._show(name, f"{of_seeds[0]['labels']} labels, accuracy {accuracy:.3f}")

    def end(self, name: str, failure: str | None) -> None:
        """Counts a run that has ended."""
        self._running.pop(name, None)
        self._num_ended += 1
        self._bar.update(1)
        self._bar.set_postfix_str("; ".join(self._running.values()))
        self._log("%d of %d: %s %s", self._num_ended, self._total, name, "is complete" if failure is None else "failed")

    def close(self) -> None:
        """Leaves the bar as it is."""
        self._bar.close()

    def _show(self, name: str, state: str) -> None:
        self._running[name] = f"{name}: {state}"
        self._bar.set_postfix_str("; ".join(self._running.values()))
        self._log("%s", self._running[name])

    def _log(self, message: str, *values: object) -> None:
        if self._bar.disable:
            _LOGGER.info(message, *values)


def _in_turn(configs: Mapping[str, ConfigDict], workdir: Path, progress: _Progress) -> Iterator[_Ended]:
    """Runs ``configs`` in this process, one after the other."""
    for name, config in configs.items():
        progress.begin(name)
        yield _Ended(name, _attempt(config, workdir / name, lambda of_seeds, name=name: progress.round(name, of_seeds)))


def _attempt(config: ConfigDict, workdir: Path, on_round: Callable[[list[Record]], None]) -> str | None:
    """Runs one experiment; returns what went wrong, or None."""
    try:
        runner.run(config, workdir, on_round=on_round)
    except (ExperimentError, datasets.MissingDatasetError) as error:
        return str(error)
    except Exception as error:
        # An unexpected error: the log shows where it arose.
        _LOGGER.exception("%s", workdir)
        return f"{type(error).__name__}: {error}"
    return None


# Where a process runs: on one GPU alone, or wherever JAX puts it.
_Place = str | None


class _Running(NamedTuple):
    name: str
    process: SpawnProcess
    place: _Place


def _at_once(
    configs: Mapping[str, ConfigDict], workdir: Path, progress: _Progress, places: list[_Place]
) -> Iterator[_Ended]:
    """Runs ``configs`` in processes of their own, one in each of ``places``; stops them when left early."""
    waiting, free = list(configs), list(places)
    running: dict[Connection, _Running] = {}
    messages: dict[str, str] = {}
    with Interruption().handled():
        try:
            while waiting or running:
                while waiting and free:
                    name, place = waiting.pop(0), free.pop(0)
                    progress.begin(name)
                    connection, process = _start(configs[name], workdir / name, place)
                    running[connection] = _Running(name, process, place)
                for connection in wait(list(running)):
                    name, process, place = running[connection]
                    try:
                        message = connection.recv()
                    # A process that is killed while it sends leaves half a message.
                    except (EOFError, OSError):
                        process.join()
                        del running[connection]
                        connection.close()
                        free.append(place)
                        yield _Ended(name, messages.get(name) or _cause_of_death(process.exitcode))
                        continue
                    if isinstance(message, str):
                        messages[name] = message
                    else:
                        progress.round(name, message)
        finally:
            for left in running.values():
                left.process.terminate()
            for left in running.values():
                left.process.join()


def _start(config: ConfigDict, workdir: Path, place: _Place) -> tuple[Connection, SpawnProcess]:
    """Starts a run, and returns the end of the pipe on which it reports and its process."""
    # A forked process would inherit the threads of JAX in a state that it cannot go on from.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_and_report, args=(config, workdir, sender), daemon=True)
    with _visible(place):
        process.start()
    # Only the process then holds the sender, so that the pipe closes when the process ends.
    sender.close()
    return receiver, process


@contextlib.contextmanager
def _visible(place: _Place) -> Iterator[None]:
    """Inside the context, processes that are started see only ``place``."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        if place is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = place
        yield
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def _run_and_report(config: ConfigDict, workdir: Path, sender: Connection) -> None:
    """The work of a process: sends the records of each round, and at the end what went wrong, if something did."""
    # The lock that tqdm makes for itself is shared between processes, and outlives one that is stopped.
    tqdm.set_lock(threading.RLock())
    show_warnings()
    use_cache()
    try:
        failure = _attempt(config, workdir, sender.send)
    except KeyboardInterrupt:
        # The usual end would wait for what is being computed.
        os._exit(1)
    if failure is not None:
        sender.send(failure)


def _cause_of_death(exit_code: int) -> str | None:
    """Why a process ended without a message; None if nothing went wrong."""
    if exit_code == 0:
        return None
    return f"its process ended with {exit_in_words(exit_code)}; the same command goes on from its last checkpoint"


def _write_table(workdir: Path, names: list[str]) -> None:
    """Writes the complete runs to ``runs.csv``."""
    if not names:
        return
    runs = analysis.load_runs(workdir / name for name in names)
    runs["path"] = [Path(path).relative_to(workdir).as_posix() for path in runs["path"]]
    try:
        atomic_write(workdir / "runs.csv", runs.to_csv(index=False))
    except OSError as error:
        raise ExperimentError(f"--workdir={workdir}: cannot be written to ({error})") from error
