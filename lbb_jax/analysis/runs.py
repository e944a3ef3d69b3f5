"""Runs as one tidy table."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lbb_jax.analysis.names import numeric_options, variant_names

_COLUMNS = (
    *("path", "dataset", "network", "posterior", "method", "variant", "batch_size", "alpha", "reduced"),
    *("seed", "round", "labels", "accuracy", "nll", "ece"),
    *("seconds", "seconds_train", "seconds_predict", "seconds_acquire"),
)


def load_runs(paths: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Reads the metrics of any number of runs.

    Args:
      paths: Working directories, each with ``config.json`` and ``metrics.jsonl``.

    Returns:
      One row per run, seed and round, in the order given. Columns: ``path`` (as given), ``dataset``, ``network``,
      ``posterior``, ``method``, ``variant`` (the method's name as figures show it, with the redundancy of LBB and,
      where ``paths`` hold the same variant with several values of an option, that option), ``batch_size``, ``alpha``
      (of power sampling, else NaN), ``reduced`` (what was cut down from the whole data set, in words; empty for
      nothing), ``seed``, ``round``, ``labels``, ``accuracy`` and ``ece`` (from 0 to 1), ``nll`` (nats), and for each
      seed's share of the round ``seconds``, ``seconds_train``, ``seconds_predict`` and ``seconds_acquire`` (NaN
      where stages were not timed apart). The points acquired and their gains stay in ``metrics.jsonl``.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths.
    """
    frame = pd.concat([_with_seconds(frame) for frame in read_metrics(paths)], ignore_index=True)
    return frame.reindex(columns=[name for name in _COLUMNS if name in frame])


def read_metrics(paths: Iterable[str | os.PathLike]) -> list[pd.DataFrame]:
    """The metrics of each run as they were written, with what its configuration says beside them.

    Args:
      paths: As `load_runs`.

    Returns:
      For each run a row per seed and round: the fields of ``metrics.jsonl`` and the columns ``path``, ``network``,
      ``variant``, ``alpha`` and ``reduced`` of `load_runs`.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths.
    """
    paths = [Path(path) for path in paths]
    configs = read_configs(paths)
    variants = variant_names([config["acquisition"] for config in configs])
    return [_read_run(*run) for run in zip(paths, configs, variants, strict=True)]


def read_configs(paths: Sequence[str | os.PathLike]) -> list[dict[str, Any]]:
    """The resolved configuration of each run.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths.
    """
    if not paths:
        raise ValueError("paths is empty: name at least one run's folder")
    return [json.loads((Path(path) / "config.json").read_text())["config"] for path in paths]


def _read_run(path: Path, config: dict[str, Any], variant: str) -> pd.DataFrame:
    """The rows of one run."""
    frame = pd.read_json(path / "metrics.jsonl", lines=True, precise_float=True)
    frame["network"] = config["network"]["name"]
    frame["variant"] = variant
    frame["alpha"] = numeric_options(config["acquisition"]).get("alpha", float("nan"))
    frame["reduced"] = describe_reduction(config)
    frame["path"] = str(path)
    return frame


def _with_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """A run's rows with the seconds of the whole round, the sum of its stages where they were not written."""
    if "seconds" in frame:
        return frame
    return frame.assign(seconds=frame["seconds_train"] + frame["seconds_predict"] + frame["seconds_acquire"])


def describe_reduction(config: Mapping[str, Any]) -> str:
    """What a run left out of its data set, and the length of training that went with it; empty for nothing."""
    sizes = {"base images": config["dataset"]["num_pool"], "test images": config["dataset"]["num_test"]}
    parts = [f"{size:,} {name}" for name, size in sizes.items() if size is not None]
    units = {"num_steps": "training steps", "num_epochs": "training epochs"}
    length = [f"{config['training'][field]} {unit}" for field, unit in units.items() if field in config["training"]]
    return ", ".join([*parts, *length]) if parts else ""
