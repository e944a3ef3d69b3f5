"""Runs as one tidy table.

Runs with the same values of `EXPERIMENT` are drawn and tabulated together. Any other difference between them, except
the method, becomes part of these values, so that no figure and no table treats them as one experiment.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lbb_jax import components
from lbb_jax.analysis.curves import EXPERIMENT, describe
from lbb_jax.analysis.names import numeric_options, variant_names
from lbb_jax.errors import ExperimentError
from lbb_jax.json_lines import Record
from lbb_jax.loop import num_rounds
from lbb_jax.metrics import BY_CLASS
from lbb_jax.paths import resolve
from lbb_jax.run_folder import Description, RunFolder

_LOGGER = logging.getLogger(__name__)
_COLUMNS = (
    *("path", "experiment", "dataset", "encoder", "network", "posterior"),
    *("method", "variant", "batch_size", "alpha", "reduced", "setup"),
    *("seed", "round", "labels", "accuracy", "nll", "ece", *BY_CLASS),
    *("seconds", "seconds_train", "seconds_predict", "seconds_acquire"),
)


def load_runs(paths: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Reads the metrics of any number of runs.

    Args:
      paths: Working directories, each with ``config.json`` and ``metrics.jsonl``.

    Returns:
      One row per run, seed and round, in the order given. Columns: ``path`` (as given), ``experiment`` (the name of
      the folder that holds the run's), ``dataset``, ``encoder`` (of data sets of texts; empty for others), ``network``,
      ``posterior``, ``method``, ``variant`` (the method's name as figures show it, with the redundancy of LBB and,
      where ``paths`` hold the same variant with several values of an option, that option), ``batch_size``, ``alpha``
      (of power sampling, else NaN), ``reduced`` (what was cut down from the whole data set, in words; empty for
      nothing), ``setup`` (in what else it differs from other runs in ``paths`` that would be of the same experiment,
      such as ``training.num_steps=300``; empty for nothing), ``seed``, ``round``, ``labels``, ``accuracy`` and ``ece``
      (from 0 to 1), ``nll`` (nats), ``balanced_accuracy`` and ``macro_f1`` (from 0 to 1, NaN in runs of older
      versions), and for each seed's share of the round ``seconds``, ``seconds_train``, ``seconds_predict`` and
      ``seconds_acquire`` (NaN where stages were not timed apart). The points acquired and their gains stay in
      ``metrics.jsonl``. A ``setup`` that is not empty, and a run that stopped short, are reported in warnings.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths, if a run's file is damaged, or if two hold runs of the same variant, experiment
        and seed.
    """
    frames, warnings = read_metrics(paths)
    for warning in warnings:
        _LOGGER.warning("%s", warning)
    frame = pd.concat([_with_seconds(frame) for frame in frames], ignore_index=True)
    return frame.reindex(columns=list(_COLUMNS))


def read_metrics(paths: Iterable[str | os.PathLike]) -> tuple[list[pd.DataFrame], list[str]]:
    """The metrics of each run as they were written, with what its configuration says beside them.

    Args:
      paths: As `load_runs`.

    Returns:
      For each run a row per seed and round: the fields of ``metrics.jsonl`` and the columns ``experiment``, ``path``,
      ``encoder``, ``network``, ``variant``, ``alpha``, ``reduced`` and ``setup`` of `load_runs`. And the warnings of
      `load_runs`.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: As `load_runs`.
    """
    paths = list(map(str, paths))
    runs = describe_runs(paths)
    labels = [str(run.names.get("method", "")) for run in runs]
    variants = variant_names([run.config["acquisition"] for run in runs], labels)
    frames, warnings = [], []
    for run in zip(paths, runs, variants, strict=True):
        frame, warnings_of_run = _read_run(*run)
        frames.append(frame)
        warnings += warnings_of_run
    keys = [tuple(frame[EXPERIMENT[:-1]].iloc[0]) for frame in frames]
    setups, warnings_of_setups = describe_setups(paths, keys, runs)
    for frame, setup in zip(frames, setups, strict=True):
        frame["setup"] = setup
    _check_that_none_is_twice(frames)
    return frames, warnings + warnings_of_setups


def find_runs(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """Those of ``paths`` that hold a run with at least one round done; warns of the others, and says what is wrong.

    Raises:
      PathError: If one is no local path.
      FileNotFoundError: If none holds a run.
    """
    found = []
    for path in (resolve(path, name="folder of a run") for path in paths):
        fault = _find_fault(path)
        if fault is None:
            found.append(path)
        else:
            _LOGGER.warning("%s is left out: %s", path, fault)
    if not found:
        raise FileNotFoundError("no folder of a run, with config.json and metrics.jsonl, is among what was named")
    return found


def _find_fault(path: Path) -> str | None:
    """Why the folder ``path`` cannot be read as a run; None if it can."""
    folder = RunFolder(path)
    absent = folder.absent()
    if absent:
        return f"it has no {' and no '.join(absent)}"
    try:
        return None if folder.read_records() else f"{folder.metrics} is empty: no round is done"
    except ExperimentError as error:
        return str(error)


def describe_runs(paths: Sequence[str | os.PathLike]) -> list[Description]:
    """What each run is.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths, or a ``config.json`` is damaged.
    """
    if len(paths) == 0:
        raise ValueError("paths is empty: name at least one run's folder")
    runs = [RunFolder(path).describe() for path in paths]
    for path, run in zip(paths, runs, strict=True):
        if run is None:
            raise FileNotFoundError(f"{path} holds no run: it has no config.json")
    return runs


def _read_run(path: str, run: Description, variant: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of one run, and a warning if it stopped short."""
    folder, config = RunFolder(path), run.config
    if not folder.metrics.exists():
        raise FileNotFoundError(f"{path} holds no run with a round done: it has no {folder.metrics.name}")
    records, warnings = whole_rounds(path, run, folder.read_records())
    if not records:
        raise ExperimentError(f"{folder.metrics} holds no round that all seeds have finished: leave {path} out")
    frame = pd.DataFrame(records)
    frame["experiment"] = folder.path.resolve().parent.name
    frame["encoder"] = _encoder(config["dataset"])
    frame["network"] = config["network"]["name"]
    frame["variant"] = variant
    frame["alpha"] = numeric_options(config["acquisition"]).get("alpha", float("nan"))
    frame["reduced"] = describe_reduction(config)
    frame["path"] = path
    return frame, warnings


def _encoder(dataset: Mapping[str, Any]) -> str:
    """The pretrained encoder of a data set of texts, and how much of a text it reads; empty for other data sets."""
    return f"{dataset['encoder']} ({dataset['max_length']} tokens)" if "encoder" in dataset else ""


def _check_that_none_is_twice(frames: Sequence[pd.DataFrame]) -> None:
    seen: dict[tuple[Any, ...], str] = {}
    for frame in frames:
        for values in frame[[*EXPERIMENT, "variant", "seed"]].drop_duplicates().itertuples(index=False, name=None):
            path, other = frame["path"].iloc[0], seen.get(values)
            if other is not None:
                *experiment, variant, seed = values
                described = describe(dict(zip(EXPERIMENT, experiment, strict=True)))
                raise ExperimentError(
                    f"{other} and {path} are both runs of {variant} with seed {seed} ({described}): pass one of them"
                )
            seen[values] = path


def _with_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """A run's rows with the seconds of the whole round, the sum of its stages where they were not written."""
    stages = ["seconds_train", "seconds_predict", "seconds_acquire"]
    frame = frame.reindex(columns=[*frame.columns, *(name for name in (*stages, *BY_CLASS) if name not in frame)])
    # Stages that were not timed are all None, which pandas takes for objects.
    frame[stages] = frame[stages].astype(float)
    return frame if "seconds" in frame else frame.assign(seconds=frame[stages].sum(axis=1, skipna=False))


def describe_reduction(config: Mapping[str, Any]) -> str:
    """What a run left out of its data set, and the length of training that went with it; empty for nothing."""
    kind = "texts" if "encoder" in config["dataset"] else "images"
    sizes = {f"base {kind}": config["dataset"]["num_pool"], f"test {kind}": config["dataset"]["num_test"]}
    parts = [f"{size:,} {name}" for name, size in sizes.items() if size is not None]
    length = components.title("training", config["training"]["name"], config["training"])
    return ", ".join([*parts, length]) if parts else ""


# Methods are what is compared, and every table shows the number of seeds; the other fields do not change the numbers.
_MAY_DIFFER = (
    *("acquisition", "seeds", "driver", "rounds_at_once", "seeds_at_once", "posterior.members_at_once"),
    "save_predictions",
)


def describe_setups(
    names: Sequence[str], keys: Sequence[tuple[Any, ...]], runs: Sequence[Description]
) -> tuple[list[str], list[str]]:
    """What tells each run from others that would be taken for the same experiment, in words.

    Args:
      names: The names of the runs, for the warnings.
      keys: The values of each run by which runs are taken for the same experiment.
      runs: Their descriptions.

    Returns:
      For each run, its values of the fields that differ among the runs of its key, as text, empty if none differ; and
      warnings about these differences.
    """
    setups, warnings = [""] * len(runs), []
    for key in dict.fromkeys(keys):
        alike = [number for number, other in enumerate(keys) if other == key]
        fields = [dict(_fields(runs[number])) for number in alike]
        differing = [name for name in dict.fromkeys(name for run in fields for name in run) if _differs(name, fields)]
        for number, own in zip(alike, fields, strict=True):
            setups[number] = ", ".join(f"{name}={_show(own[name])}" for name in differing if name in own)
        if differing:
            warnings.append(_describe_difference(key, [(names[number], setups[number]) for number in alike]))
        if len({runs[number].config["seeds"] for number in alike}) > 1:
            counts = ", ".join(f"{names[number]}: {runs[number].config['seeds']}" for number in alike)
            warnings.append(f"runs that are compared have different numbers of seeds ({counts})")
    return setups, warnings


def whole_rounds(name: str, run: Description, records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """The lines of the rounds that all seeds have finished, and a warning where the run stopped short."""
    config = run.config
    num_seeds = max(config["seeds"], 1)
    count = len(records) // num_seeds
    expected = num_rounds(config["initial_size"], max(config["batch_size"], 1), config["final_size"])
    warnings = []
    if count < expected:
        warnings.append(
            f"{name} stopped short: {count} of {expected} rounds are done; run the same command again to resume it"
        )
    return list(records[: count * num_seeds]), warnings


def flatten(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested fields by names such as ``acquisition.method``."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _fields(run: Description) -> Iterator[tuple[str, Any]]:
    """All that a run's numbers depend on besides its method."""
    posterior = run.config["posterior"]
    ignored = components.ignored("posterior", posterior["name"], posterior)
    without_effect = (*_MAY_DIFFER, *(f"posterior.{field}" for field in ignored))
    for name, value in flatten(run.config):
        if not any(f"{name}.".startswith(f"{other}.") for other in without_effect):
            yield name, value
    yield from flatten(run.data, "data.")
    yield from flatten(run.settings)


def _differs(name: str, fields: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a field differs among the runs that have it; older versions did not record all fields."""
    return len({json.dumps(run[name], sort_keys=True) for run in fields if name in run}) > 1


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    # The start of a hash is enough to identify it.
    return f"{text[:8]}…" if len(text) > 40 else text


def _describe_difference(key: tuple[Any, ...], members: Sequence[tuple[str, str]]) -> str:
    by_setup: dict[str, list[str]] = {}
    for name, setup in members:
        by_setup.setdefault(setup, []).append(name)
    what = ", ".join(str(value) for value in key if value != "")
    setups = "; ".join(f"{setup or 'the rest'} ({', '.join(members)})" for setup, members in by_setup.items())
    return f"runs of {what} differ in more than the method, and count as {len(by_setup)} experiments: {setups}"
