"""Which points each run acquired, and the pool that they were acquired from."""

import os
from collections.abc import Iterable, Sequence

import pandas as pd

from lbb_jax import datasets
from lbb_jax.analysis.curves import EXPERIMENT
from lbb_jax.analysis.runs import describe_runs, read_metrics
from lbb_jax.datasets.identity import identify
from lbb_jax.examples import Examples

_COLUMNS = ["path", *EXPERIMENT, "variant", "seed", "round", "labels", "order", "index", "gain"]


def load_acquired(paths: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Reads what any number of runs acquired.

    It gives no warnings of runs that stopped short or differ in their setup: `load_runs` does.

    Args:
      paths: Working directories, each with ``config.json`` and ``metrics.jsonl``.

    Returns:
      One row per acquired point, in the order acquired. Columns: ``path`` (as given), `EXPERIMENT`, ``variant``,
      ``seed`` and ``round`` as `load_runs` has them, ``labels`` (before the batch was acquired), ``order`` (in the
      batch, from 0), ``index`` (in the pool, all copies counted) and ``gain`` (the score when it was picked).

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths.
    """
    frames, _ = read_metrics(paths)
    rounds = pd.concat(frames, ignore_index=True)
    # The last round acquires nothing.
    rounds = rounds[rounds["acquired"].str.len() > 0]
    rounds["order"] = [list(range(len(batch))) for batch in rounds["acquired"]]
    points = rounds.explode(["acquired", "gains", "order"], ignore_index=True)
    points = points.rename(columns={"acquired": "index", "gains": "gain"})
    return points[_COLUMNS].astype({"order": int, "index": int, "gain": float})


def load_pool(paths: Sequence[str | os.PathLike]) -> Examples:
    """The pool that all of the runs acquired from, loaded anew.

    Args:
      paths: Working directories of runs on the same data set.

    Returns:
      The pool's examples; ``acquired["index"]`` counts in it.

    Raises:
      FileNotFoundError: If a path holds no run.
      ValueError: If there are no paths, if the runs' data sets differ in anything, or if the data are not those that a
        run was on.
      MissingDatasetError: If the data set's files are not there.
    """
    first, *others = runs = describe_runs(paths)
    for path, other in zip(paths[1:], others, strict=True):
        if other.config["dataset"] != first.config["dataset"]:
            raise ValueError(
                f"{path} is a run on the data set {other.config['dataset']}, {paths[0]} on {first.config['dataset']}; "
                "pass runs of one data set"
            )
    dataset = datasets.load(**first.config["dataset"])
    identity = identify(dataset)
    for path, run in zip(paths, runs, strict=True):
        differing = [name for name, value in run.data.items() if identity.get(name) != value]
        if differing:
            raise ValueError(
                f"{path} is a run on other data than those here: {differing[0]} was {run.data[differing[0]]}, and is "
                f"{identity.get(differing[0])}; bring the data that it ran on"
            )
    return dataset.pool
