"""Runs as one tidy table, and what is read off it."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

NAMES = {
    "random": "Random",
    "least_confident": "Least confident",
    "entropy": "Entropy",
    "bald": "BALD",
    "power_bald": "PowerBALD",
    "batch_bald": "BatchBALD",
    "lbb": "LBB",
    "power_lbb": "Power LBB",
    "lbb_released": "LBB (released)",
    "epig": "EPIG",
}
# Methods that always sample, and those that do with the option ``power``.
_ALWAYS_POWER, _POWER_IF_ASKED = ("power_bald", "power_lbb"), ("lbb_released", "epig")


def variant_name(method: str, *, redundancy: str = "pairwise", power: bool = False) -> str:
    """The name of a method as figures show it, with the redundancy, or the power sampling, of those that have it."""
    if method in ("lbb", "power_lbb"):
        return f"{NAMES[method]} ({redundancy})"
    return f"Power {NAMES[method]}" if power and method in _POWER_IF_ASKED else NAMES[method]


def load_runs(paths: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Reads the metrics of any number of runs.

    Args:
      paths: Working directories, each with ``config.json`` and ``metrics.jsonl``.

    Returns:
      One row per run, seed and round, in the order given: the fields of ``metrics.jsonl``, ``variant`` (the method's
      name as figures show it, with the redundancy of LBB), ``alpha`` (of power sampling, else NaN), ``reduced`` (what
      was cut down from the whole data set, in words; empty for nothing), ``seconds`` (of the whole round) and ``path``.

    Raises:
      FileNotFoundError: If a path holds no run.
    """
    frames = []
    for path in map(Path, paths):
        config = json.loads((path / "config.json").read_text())["config"]
        frame = pd.read_json(path / "metrics.jsonl", lines=True)
        method, options = config["acquisition"]["method"], config["acquisition"]
        power = options.get("power", False)
        frame["variant"] = variant_name(method, redundancy=options["redundancy"], power=power)
        samples = method in _ALWAYS_POWER or (power and method in _POWER_IF_ASKED)
        frame["alpha"] = options["alpha"] if samples else float("nan")
        frame["reduced"] = _reduction(config)
        if "seconds" not in frame:
            frame["seconds"] = frame["seconds_train"] + frame["seconds_predict"] + frame["seconds_acquire"]
        frame["path"] = str(path)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _reduction(config: dict) -> str:
    """What a run left out of its data set, and the length of training that went with it; empty for nothing."""
    sizes = {"base images": config["dataset"]["num_pool"], "test images": config["dataset"]["num_test"]}
    parts = [f"{size:,} {name}" for name, size in sizes.items() if size is not None]
    units = {"num_steps": "training steps", "num_epochs": "training epochs"}
    length = [f"{config['training'][field]} {unit}" for field, unit in units.items() if field in config["training"]]
    return ", ".join([*parts, *length]) if parts else ""


def summarise(runs: pd.DataFrame, *, at_labels: Iterable[int]) -> pd.DataFrame:
    """Accuracy at given numbers of labels, mean of the curve and seconds, for each variant.

    Args:
      runs: As `load_runs` returns them, of one experiment.
      at_labels: Numbers of labels; those at which there is no round are left out.

    Returns:
      A row per variant, in the order of ``runs``: for each number of labels the mean accuracy over seeds and, of
      several seeds, its standard deviation, the mean over the whole curve, and the seconds of all seeds together.
    """
    reached = [labels for labels in at_labels if (runs["labels"] == labels).any()]
    rows = []
    for variant, of_variant in runs.groupby("variant", sort=False):
        row = {"method": variant}
        for labels in reached:
            accuracy = of_variant.loc[of_variant["labels"] == labels, "accuracy"]
            spread = f" ± {accuracy.std():.3f}" if len(accuracy) > 1 else ""
            row[f"accuracy at {labels}"] = f"{accuracy.mean():.3f}{spread}"
        row["mean of curve"] = f"{of_variant['accuracy'].mean():.3f}"
        row["seconds"] = f"{of_variant['seconds'].sum():.1f}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("method")
