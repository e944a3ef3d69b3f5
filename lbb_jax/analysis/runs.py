"""Runs as one tidy table."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from lbb_jax import acquisition
from lbb_jax.analysis.names import tell_apart, variant_name

_COLUMNS = (
    *("path", "dataset", "posterior", "method", "variant", "batch_size", "alpha", "reduced"),
    *("seed", "round", "labels", "accuracy", "nll", "ece"),
    *("seconds", "seconds_train", "seconds_predict", "seconds_acquire"),
)


def load_runs(paths: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Reads the metrics of any number of runs.

    Args:
      paths: Working directories, each with ``config.json`` and ``metrics.jsonl``.

    Returns:
      One row per run, seed and round, in the order given. Columns: ``path`` (as given), ``dataset``, ``posterior``,
      ``method``, ``variant`` (the method's name as figures show it, with the redundancy of LBB and, where ``paths``
      hold the same variant with several values of an option, that option), ``batch_size``, ``alpha`` (of power
      sampling, else NaN), ``reduced`` (what was cut down from the whole data set, in words; empty for nothing),
      ``seed``, ``round``, ``labels``, ``accuracy`` and ``ece`` (from 0 to 1), ``nll`` (nats), and for each seed's
      share of the round ``seconds``, ``seconds_train``, ``seconds_predict`` and ``seconds_acquire`` (NaN where stages
      were not timed apart). The points acquired and their gains stay in ``metrics.jsonl``.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths.
    """
    paths = [Path(path) for path in paths]
    if not paths:
        raise ValueError("paths is empty: name at least one run's folder")
    configs = [json.loads((path / "config.json").read_text())["config"] for path in paths]
    names = [_name(config["acquisition"]) for config in configs]
    variants = tell_apart(names, [_numeric_options(config["acquisition"]) for config in configs])
    frames = [_load_run(*run) for run in zip(paths, configs, variants, strict=True)]
    return pd.concat(frames, ignore_index=True)


def _load_run(path: Path, config: dict[str, Any], variant: str) -> pd.DataFrame:
    """The rows of one run."""
    frame = pd.read_json(path / "metrics.jsonl", lines=True, precise_float=True)
    frame["variant"] = variant
    frame["alpha"] = _numeric_options(config["acquisition"]).get("alpha", float("nan"))
    frame["reduced"] = _reduction(config)
    if "seconds" not in frame:
        frame["seconds"] = frame["seconds_train"] + frame["seconds_predict"] + frame["seconds_acquire"]
    frame["path"] = str(path)
    return frame.reindex(columns=[name for name in _COLUMNS if name in frame])


def _name(fields: dict[str, Any]) -> str:
    """The name of the variant that a configuration's acquisition describes."""
    return variant_name(fields["method"], redundancy=fields["redundancy"], power=fields.get("power", False))


def _numeric_options(fields: dict[str, Any]) -> dict[str, float]:
    """The numbers in a configuration's acquisition that its method depends on."""
    options = acquisition.options_with_effect(fields["method"], fields)
    # Not isinstance: a truth value is an int, too.
    return {name: value for name, value in options.items() if type(value) in (int, float)}


def _reduction(config: dict[str, Any]) -> str:
    """What a run left out of its data set, and the length of training that went with it; empty for nothing."""
    sizes = {"base images": config["dataset"]["num_pool"], "test images": config["dataset"]["num_test"]}
    parts = [f"{size:,} {name}" for name, size in sizes.items() if size is not None]
    units = {"num_steps": "training steps", "num_epochs": "training epochs"}
    length = [f"{config['training'][field]} {unit}" for field, unit in units.items() if field in config["training"]]
    return ", ".join([*parts, *length]) if parts else ""
