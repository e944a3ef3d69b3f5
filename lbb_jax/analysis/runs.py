"""Runs as one tidy table."""

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lbb_jax.analysis.curves import EXPERIMENT, describe
from lbb_jax.analysis.names import numeric_options, variant_names
from lbb_jax.paths import resolve

_LOGGER = logging.getLogger(__name__)
_FILES = ("config.json", "metrics.jsonl")
_COLUMNS = (
    *("path", "experiment", "dataset", "encoder", "network", "posterior"),
    *("method", "variant", "batch_size", "alpha", "reduced"),
    *("seed", "round", "labels", "accuracy", "nll", "ece"),
    *("seconds", "seconds_train", "seconds_predict", "seconds_acquire"),
)


def load_runs(paths: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Reads the metrics of any number of runs.

    Args:
      paths: Working directories, each with ``config.json`` and ``metrics.jsonl``.

    Returns:
      One row per run, seed and round, in the order given. Columns: ``path`` (as given), ``experiment`` (the name of
      the folder that holds the run's), ``dataset``, ``encoder`` (that texts go through, empty for others),
      ``network``, ``posterior``, ``method``, ``variant`` (the method's name as figures show it, with the redundancy of
      LBB and, where ``paths`` hold the same variant with several values of an option, that option), ``batch_size``,
      ``alpha`` (of power sampling, else NaN), ``reduced`` (what was cut down from the whole data set, in words; empty
      for nothing), ``seed``, ``round``, ``labels``, ``accuracy`` and ``ece`` (from 0 to 1), ``nll`` (nats), and for
      each seed's share of the round ``seconds``, ``seconds_train``, ``seconds_predict`` and ``seconds_acquire`` (NaN
      where stages were not timed apart). The points acquired and their gains stay in ``metrics.jsonl``.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths, or if two hold runs of the same variant, experiment and seed.
    """
    frame = pd.concat([_with_seconds(frame) for frame in read_metrics(paths)], ignore_index=True)
    return frame.reindex(columns=[name for name in _COLUMNS if name in frame])


def read_metrics(paths: Iterable[str | os.PathLike]) -> list[pd.DataFrame]:
    """The metrics of each run as they were written, with what its configuration says beside them.

    Args:
      paths: As `load_runs`.

    Returns:
      For each run a row per seed and round: the fields of ``metrics.jsonl`` and the columns ``experiment``, ``path``,
      ``encoder``, ``network``, ``variant``, ``alpha`` and ``reduced`` of `load_runs`.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: As `load_runs`.
    """
    paths = [Path(path) for path in paths]
    configs = read_configs(paths)
    variants = variant_names([config["acquisition"] for config in configs])
    frames = [_read_run(*run) for run in zip(paths, configs, variants, strict=True)]
    _check_that_none_is_twice(frames)
    return frames


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
        raise FileNotFoundError(f"no folder of a run, with {' and '.join(_FILES)}, is among what was named")
    return found


def _find_fault(path: Path) -> str | None:
    """Why the folder ``path`` cannot be read as a run; None if it can."""
    absent = [name for name in _FILES if not (path / name).is_file()]
    if absent:
        return f"it has no {' and no '.join(absent)}"
    config, metrics = (path / name for name in _FILES)
    try:
        if not isinstance(_field(json.loads(config.read_text(encoding="utf-8")), "config"), dict):
            return f"{config} is damaged (it holds no configuration)"
    except (OSError, ValueError) as error:
        return f"{config} is damaged ({error})"
    try:
        records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        return f"{metrics} is damaged ({error})"
    if not records:
        return f"{metrics} is empty: no round is done"
    if any(_field(record, "labels") is None for record in records):
        return f"{metrics} is damaged (a line is no record of a round)"
    return None


def _field(content: Any, name: str) -> Any:
    """The field of a JSON object; None if there is no such field, or ``content`` is no object."""
    return content.get(name) if isinstance(content, dict) else None


def read_configs(paths: Sequence[str | os.PathLike]) -> list[dict[str, Any]]:
    """The resolved configuration of each run.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths.
    """
    if not paths:
        raise ValueError("paths is empty: name at least one run's folder")
    return [json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))["config"] for path in paths]


def _read_run(path: Path, config: dict[str, Any], variant: str) -> pd.DataFrame:
    """The rows of one run."""
    frame = pd.read_json(path / "metrics.jsonl", lines=True, precise_float=True)
    frame["experiment"] = path.resolve().parent.name
    frame["encoder"] = _encoder(config["dataset"])
    frame["network"] = config["network"]["name"]
    frame["variant"] = variant
    frame["alpha"] = numeric_options(config["acquisition"]).get("alpha", float("nan"))
    frame["reduced"] = describe_reduction(config)
    frame["path"] = str(path)
    return frame


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
                raise ValueError(
                    f"{other} and {path} are both runs of {variant} with seed {seed} ({described}): pass one of them"
                )
            seen[values] = path


def _with_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """A run's rows with the seconds of the whole round, the sum of its stages where they were not written."""
    if "seconds" in frame:
        return frame
    return frame.assign(seconds=frame["seconds_train"] + frame["seconds_predict"] + frame["seconds_acquire"])


def describe_reduction(config: Mapping[str, Any]) -> str:
    """What a run left out of its data set, and the length of training that went with it; empty for nothing."""
    kind = "texts" if "encoder" in config["dataset"] else "images"
    sizes = {f"base {kind}": config["dataset"]["num_pool"], f"test {kind}": config["dataset"]["num_test"]}
    parts = [f"{size:,} {name}" for name, size in sizes.items() if size is not None]
    units = {"num_steps": "training steps", "num_epochs": "training epochs"}
    length = [f"{config['training'][field]} {unit}" for field, unit in units.items() if field in config["training"]]
    return ", ".join([*parts, *length]) if parts else ""
