"""The folder of a run: the one place that knows its files, reads them back, checks them and writes them.

``config.json`` says what the run is: its configuration, its data and what it ran under. ``metrics.jsonl`` has a line
for each seed and round, appended round by round. ``checkpoints/`` holds the states to go on with, ``figures/`` the
learning curve, and ``.lock`` keeps other processes out. Where the configuration asks for it, ``log_probs.npy`` has the
predictions of the pool after the last round, and ``labelled.txt`` the rows that were labelled.
"""

import contextlib
import errno
import functools
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import jax
import numpy as np

from lbb_jax import checkpoints, files
from lbb_jax.errors import ExperimentError
from lbb_jax.json_lines import Record, parse_records, to_lines
from lbb_jax.loop import Round, State
from lbb_jax.metrics import BY_CLASS
from lbb_jax.paths import PathError, resolve
from lbb_jax.ranges import is_finite, is_integer, is_number

_LOGGER = logging.getLogger(__name__)

# The bytes that the files of a run may need, its figure above all.
_SMALLEST_ROOM = 2**20


class Description(NamedTuple):
    """What ``config.json`` says of a run; a part that an older version did not write is empty.

    Attributes:
      config: The resolved configuration. Fields that the run's version did not have yet hold their defaults.
      data: What distinguishes its data from other data.
      versions: The versions of the packages it ran with.
      platform: The hardware, and what else the last bits of its numbers depend on.
      settings: The settings of JAX that all its numbers depend on.
      names: The names in figures of parts that are not built in: the label of a ``method``.
    """

    config: dict[str, Any]
    data: dict[str, Any]
    versions: dict[str, Any]
    platform: dict[str, Any]
    settings: dict[str, Any]
    names: dict[str, Any]


class RunFolder:
    """One run's folder, which need not be there yet. Every error names the file and says what to do.

    Args:
      path: The folder, as the user gave it; ``~`` is the home folder.

    Raises:
      PathError: If it is no local path.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = resolve(path, name="folder of a run")
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.figure = self.path / "figures" / "learning_curve.png"
        self.predictions = self.path / "log_probs.npy"
        self.labelled = self.path / "labelled.txt"

    def __str__(self) -> str:
        return str(self.path)

    def absent(self) -> list[str]:
        """Which of the two files of a run with at least one round are not there."""
        return [path.name for path in (self.config, self.metrics) if not _is_something(path)]

    def describe(self) -> Description | None:
        """What the run is, or None where none has begun.

        Raises:
          ExperimentError: If ``config.json`` is damaged, cannot be read, or is gone although the run's other files are
            there.
        """
        text = self._read(self.config)
        if text is None:
            self._check_that_nothing_was_done()
            return None
        try:
            content = json.loads(text)
            if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
                raise ValueError("it holds no configuration")
            parts = {name: content.get(name, {}) for name in Description._fields}
            for name, part in parts.items():
                if not isinstance(part, dict):
                    raise ValueError(f"{name} is {part!r}: must be an object")
            return Description(**parts | {"config": _complete(parts["config"])})
        except (ValueError, RecursionError) as error:
            raise self._damaged(self.config, error) from error

    def _check_that_nothing_was_done(self) -> None:
        """Raises ExperimentError if rounds were done here; without a configuration it is unknown of which run."""
        with self.reading(self.path):
            left = [path.name for path in (self.metrics, self.checkpoints) if _is_something(path)]
        if left:
            raise ExperimentError(
                f"{self.path} holds {' and '.join(left)} of a run, and no config.json that says of which: restore "
                f"{self.config}, or choose another --workdir"
            )

    def write_description(self, description: Description) -> None:
        """Writes ``config.json``."""
        with self.writing():
            files.atomic_write(self.config, json.dumps(description._asdict(), indent=2) + "\n")

    def read_records(self) -> list[Record]:
        """The lines of ``metrics.jsonl``, oldest first; none where there is no such file.

        Lines come in the order of rounds, and in each of seeds, and agree with ``config.json``. Blank lines are
        skipped, and so is a last line that a kill or a full disk has cut short: its round was not finished.

        Raises:
          ExperimentError: If the file cannot be read, or a line is not what a run of this configuration writes.
        """
        text = self._read(self.metrics)
        description = None if text is None else self.describe()
        if text is None or description is None:
            return []
        check = functools.partial(_check_record, description)
        return parse_records(self.metrics, text, check, remedy=self._remedy, may_be_cut=True)

    def keep_records(self, records: Sequence[Record]) -> None:
        """Makes ``metrics.jsonl`` hold these lines and no others, if it does not yet."""
        content = to_lines(records)
        with self.writing():
            if not (os.path.lexists(self.metrics) and self.metrics.read_bytes() == content.encode()):
                files.atomic_write(self.metrics, content)

    def append_records(self, records: Sequence[Record]) -> None:
        """Appends the lines of a round to ``metrics.jsonl``."""
        with self.writing():
            files.append(self.metrics, to_lines(records))

    def write_predictions(self, log_probs: np.ndarray, labelled: Sequence[int]) -> None:
        """Writes ``log_probs.npy`` ``[N, K, C]`` and, before it, the rows of the pool that have a label."""
        with self.writing():
            files.atomic_write(self.labelled, "".join(f"{row}\n" for row in labelled))
            files.atomic_write(self.predictions, files.npy_bytes(log_probs))

    def check_config(self, config: Mapping[str, Any]) -> None:
        """Compares a configuration with that of the run in this folder, if there is one.

        Raises:
          ExperimentError: If they differ; the message shows every field that does.
        """
        begun = self.describe()
        if begun is None:
            return
        # Predictions of a complete run may be requested later.
        here = _complete(config) | {"save_predictions": begun.config["save_predictions"]}
        differences = _differences(begun.config, here, "config")
        if differences:
            raise ExperimentError(
                f"{self} holds a run of another configuration (config.json); choose another --workdir, or set "
                + "; ".join(differences)
            )

    def check_data(self, identity: Mapping[str, Any]) -> None:
        """Compares the identity of the data with that of the run in this folder, if there is one.

        Raises:
          ExperimentError: If they differ; the message shows in what.
        """
        begun = self.describe()
        # Older versions recorded less of the data.
        known = {} if begun is None else {name: identity.get(name) for name in begun.data}
        differences = [] if begun is None else _differences(begun.data, known, "data")
        if differences:
            raise ExperimentError(
                f"{self} holds a run on other data, or with another encoder (config.json); choose another --workdir, "
                "or bring " + "; ".join(differences)
            )

    def save(self, states: State) -> None:
        """Saves the states of all seeds, which `go_on` returns."""
        with self.writing():
            checkpoints.save(self.checkpoints, states)

    def go_on(self, first: State) -> State:
        """The states to resume from, after the last round that has both its lines and its checkpoint.

        Lines without a checkpoint are removed, because their rounds are run again, and damaged checkpoints are renamed;
        warnings say so.

        Args:
          first: The states before the first round, which are returned if there is no checkpoint.

        Raises:
          ExperimentError: If lines are missing, or a file cannot be read; then nothing is changed.
        """
        done = self.read_records()
        with self.reading(self.checkpoints):
            restored = checkpoints.restore(self.checkpoints, like=first)
        states = first if restored.states is None else restored.states
        round_number, num_seeds = int(states.round[0]), len(states.round)
        num_lines = round_number * num_seeds
        if len(done) < num_lines:
            raise ExperimentError(
                f"{self.metrics} holds {len(done)} lines of the {round_number} rounds before the last checkpoint, not "
                f"{num_lines}; restore it, or remove {self.checkpoints} to start again"
            )
        with self.writing():
            for path, reason in restored.damaged.items():
                aside = checkpoints.set_aside(path)
                _LOGGER.warning("checkpoint %s is damaged (%s); set aside as %s", path, reason, aside.name)
        if len(done) > num_lines:
            _LOGGER.warning(
                "%s: %s of the %d rounds that %s has lines of; the others are made again",
                self,
                f"there is a checkpoint after {round_number}" if round_number else "there is no checkpoint of any",
                -(-len(done) // num_seeds),
                self.metrics.name,
            )
        elif done:
            _LOGGER.info("%s: going on at round %d", self, round_number)
        self.keep_records(done[:num_lines])
        return states

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Makes the folder if needed and keeps other processes out of it.

        Raises:
          ExperimentError: If another process runs there, or it cannot be written to or has no room for a run's files.
        """
        for folder in (self.checkpoints, self.figure.parent):
            if os.path.lexists(folder) and not folder.is_dir():
                raise ExperimentError(f"--workdir={self.path}: {folder} is no folder, and a run writes there; move it")
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True)
            _check_room(self.path)
            lock = filelock.FileLock(self.path / ".lock", blocking=False)
            try:
                lock.acquire()
            except filelock.Timeout as error:
                raise ExperimentError(
                    f"--workdir={self.path}: another process runs there; wait for it or stop it"
                ) from error
            except NotImplementedError as error:
                raise ExperimentError(
                    f"--workdir={self.path}: its file system cannot lock files ({error}); choose another"
                ) from error
        with lock:
            yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """For code that only writes this folder's files: reports a failure of the file system as such."""
        try:
            yield
        except (OSError, PathError) as error:
            raise ExperimentError(
                f"--workdir={self.path}: cannot be written to ({error}); what was written before is kept, and the same "
                "command goes on from there"
            ) from error

    def _read(self, path: Path) -> str | None:
        """The text of a file, or None where there is none."""
        with self.reading(path):
            if not os.path.lexists(path):
                return None
            try:
                files.check_regular(path)
                return path.read_text(encoding="utf-8")
            except ValueError as error:
                raise self._damaged(path, error) from error

    @contextlib.contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """For code that only reads ``path``: a failure of the file system says nothing about what the file holds."""
        try:
            yield
        except OSError as error:
            raise ExperimentError(f"{path} cannot be read ({error}); put that right: nothing was changed") from error

    @property
    def _remedy(self) -> str:
        return f"restore it, or remove {self.path} to start again"

    def _damaged(self, path: Path, what: object) -> ExperimentError:
        return ExperimentError(f"{path} is damaged ({what}): {self._remedy}")


def lines_of_round(
    config: Mapping[str, Any], done: Round, *, seconds: float, seconds_of_stages: Mapping[str, float] | None
) -> list[Record]:
    """The lines of a round, one for each seed.

    Args:
      config: The configuration of the run.
      done: The round, as NumPy arrays with a leading axis ``[S]``.
      seconds: What the round took for all seeds; each line has a seed's share.
      seconds_of_stages: What each stage of it took, if they were timed apart.
    """
    num_seeds = len(done.round)
    stages = seconds_of_stages or dict.fromkeys(("train", "predict", "acquire"))
    times = {"seconds": seconds} | {f"seconds_{stage}": of_stage for stage, of_stage in stages.items()}
    shares = {name: None if time is None else round(time / num_seeds, 6) for name, time in times.items()}
    return [_line(config, done, seed) | shares for seed in range(num_seeds)]


def _line(config: Mapping[str, Any], done: Round, seed: int) -> Record:
    done = jax.tree.map(lambda leaf: leaf[seed], done)
    count = int(done.batch.num_labelled)
    return {
        "seed": seed,
        "round": int(done.round),
        "labels": int(done.labels),
        **{name: float(value) for name, value in done.metrics._asdict().items()},
        **_fields_of_run(config),
        "acquired": done.batch.picked.indices[:count].tolist(),
        "gains": done.batch.picked.scores[:count].tolist(),
    }


def dataset_name(config: Mapping[str, Any]) -> str:
    """The name of a configuration's data set in tables; it begins with ``r`` if the pool holds noisy copies."""
    dataset = config["dataset"]
    return dataset["name"] if dataset["copies"] == 1 else f"r{dataset['name']}"


def _fields_of_run(config: Mapping[str, Any]) -> Record:
    """What every line says of its run."""
    return {
        "method": config["acquisition"]["method"],
        "dataset": dataset_name(config),
        "posterior": config["posterior"]["name"],
        "batch_size": config["batch_size"],
    }


def _differences(before: Any, here: Any, name: str) -> list[str]:
    """``field=value there (value here)`` for every field that differs between two nested dictionaries."""
    if isinstance(before, Mapping) and isinstance(here, Mapping):
        fields = sorted(before.keys() | here.keys())
        return [
            line for field in fields for line in _differences(before.get(field), here.get(field), f"{name}.{field}")
        ]
    return [] if before == here else [f"{name}={before!r} (here: {here!r})"]


def _check_room(path: Path) -> None:
    """Raises OSError if the disk is nearly full, before hours of training are lost."""
    usage = shutil.disk_usage(path)
    # Some file systems do not tell their size.
    if usage.total > 0 and usage.free < _SMALLEST_ROOM:
        raise OSError(
            errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {usage.free:,} bytes are free, {_SMALLEST_ROOM:,} needed"
        )


def _is_something(path: Path) -> bool:
    """Whether a file or link is there, or a folder with something in it."""
    return any(path.iterdir()) if path.is_dir() else os.path.lexists(path)


def default_fields() -> dict[str, Any]:
    """The default configuration as ``config.json`` has it."""
    # Imported here, because that package imports this module.
    from lbb_jax.experiment.configuration import default_config

    return json.loads(default_config().to_json())


def _complete(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with the defaults of the fields that its version did not have yet.

    Raises:
      ValueError: If a field that every configuration has is of another kind.
    """
    return _with_defaults(_with_present_names(stored), default_fields(), "config")


def _with_present_names(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration of any version, its fields under the present names.

    Earlier versions had a flag ``acquisition.power``, which two methods took, in place of ``sampling``.
    """
    fields = stored.get("acquisition")
    if not isinstance(fields, Mapping) or "power" not in fields:
        return dict(stored)
    sampled = fields["power"] is True and fields.get("method") in ("epig", "lbb_released")
    others = {name: value for name, value in fields.items() if name != "power"}
    return {**stored, "acquisition": {**others, "sampling": "power" if sampled else "top"}}


def _with_defaults(stored: Mapping[str, Any], defaults: Mapping[str, Any], where: str) -> dict[str, Any]:
    # The other fields of a network or a training belong to its name.
    if stored.get("name", defaults.get("name")) != defaults.get("name") and where in (
        "config.network",
        "config.training",
    ):
        defaults = {"name": defaults["name"]}
    completed = dict(defaults) | dict(stored)
    for name, default in defaults.items():
        value = completed[name]
        if not _is_alike(value, default):
            raise ValueError(f"{where}.{name}={value!r}: must be like {json.dumps(default)}")
        if isinstance(default, dict):
            completed[name] = _with_defaults(value, default, f"{where}.{name}")
    return completed


def _is_alike(value: Any, default: Any) -> bool:
    """Whether a value could stand in place of a default: of its kind, or, where that is None, no object and no list."""
    if isinstance(default, dict):
        return isinstance(value, dict)
    if default is None:
        return not isinstance(value, (dict, list))
    return is_number(value) if is_number(default) else type(value) is type(default)


def _is_count(value: Any) -> bool:
    return is_integer(value) and value >= 0


def _is_finite(value: Any) -> bool:
    return is_number(value) and is_finite(value)


def _is_seconds(value: Any) -> bool:
    return value is None or (_is_finite(value) and value >= 0)


def _is_list_of(kind: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, list) and all(map(kind, value))


# What a line holds.
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("seed", "round", "labels"), (_is_count, "an integer, at least 0")),
    **dict.fromkeys(("accuracy", "nll", "ece"), (_is_finite, "a finite number")),
    "acquired": (functools.partial(_is_list_of, _is_count), "a list of indices"),
    "gains": (functools.partial(_is_list_of, _is_finite), "a list of finite numbers"),
}
# Older versions did not write all of them.
_SECONDS = ("seconds", "seconds_train", "seconds_predict", "seconds_acquire")


def _check_record(run: Description, before: Sequence[Record], record: Record) -> None:
    """Raises ValueError unless ``record`` is the next line of a run."""
    for name, (is_right, allowed) in _FIELDS.items():
        if name not in record or not is_right(record[name]):
            raise ValueError(f"{name}={record.get(name)!r}: must be {allowed}")
    for name in BY_CLASS:
        if not _is_finite(record.get(name, 0.0)):
            raise ValueError(f"{name}={record[name]!r}: must be a finite number")
    for name in _SECONDS:
        if not _is_seconds(record.get(name)):
            raise ValueError(f"{name}={record[name]!r}: must be a number of seconds")
    if len(record["acquired"]) != len(record["gains"]):
        raise ValueError(f"it has {len(record['acquired'])} points acquired and {len(record['gains'])} gains")
    round_number, seed = divmod(len(before), max(run.config["seeds"], 1))
    if (record["seed"], record["round"]) != (seed, round_number):
        raise ValueError(
            f"it is of seed {record['seed']} and round {record['round']}, where seed {seed} and round {round_number} "
            "should be"
        )
    for name, expected in _expected_fields(run, round_number).items():
        if record.get(name) != expected:
            raise ValueError(f"{name}={record.get(name)!r}, where config.json has {expected!r}")


def _expected_fields(run: Description, round_number: int) -> Record:
    """What every line of a round says of its run, and how many labels there are."""
    config = run.config
    num_labels = config["initial_size"] + round_number * config["batch_size"]
    return _fields_of_run(config) | {"labels": min(num_labels, config["final_size"])}
