"""Which points each run acquired, the pool that they were acquired from, and how diverse the batches are."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from lbb_jax import datasets
from lbb_jax.analysis.curves import EXPERIMENT, with_empty_texts
from lbb_jax.analysis.runs import describe_runs, read_metrics
from lbb_jax.datasets.identity import identify
from lbb_jax.errors import ExperimentError
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
            raise ExperimentError(
                f"{path} is a run on the data set {other.config['dataset']}, {paths[0]} on {first.config['dataset']}; "
                "pass runs of one data set"
            )
    try:
        dataset = datasets.load(**first.config["dataset"])
    except ValueError as error:
        raise ExperimentError(f"{paths[0]}: its data set cannot be loaded: {error}") from error
    identity = identify(dataset)
    for path, run in zip(paths, runs, strict=True):
        differing = [name for name, value in run.data.items() if identity.get(name) != value]
        if differing:
            raise ExperimentError(
                f"{path} is a run on other data than those here: {differing[0]} was {run.data[differing[0]]}, and is "
                f"{identity.get(differing[0])}; bring the data that it ran on"
            )
    return dataset.pool


def batch_diversity(acquired: pd.DataFrame, pool: Examples) -> pd.DataFrame:
    """Distinct base examples and class entropy of each acquired batch.

    Args:
      acquired: As `load_acquired` returns them.
      pool: The pool that the points were acquired from, as `load_pool` returns it.

    Returns:
      One row per experiment, variant, seed and round, in the order of ``acquired``: the columns `EXPERIMENT`,
      ``variant``, ``seed``, ``round``, ``labels`` (before the batch was acquired), ``size`` (points in the batch),
      ``distinct`` (base examples among them), ``distinct_share`` (``distinct / size``), ``class_entropy`` (entropy
      of the batch's true labels, nats) and ``max_class_entropy`` (the most that a batch of the size can have).

    Raises:
      ValueError: If ``acquired`` holds an index that the pool does not have.
    """
    largest = acquired["index"].max()
    if largest >= pool.num_examples:
        raise ValueError(
            f"acquired holds the index {largest}: the pool has {pool.num_examples} examples; pass the pool that these "
            "points are from"
        )
    num_classes = int(pool.labels.max()) + 1
    base = acquired["index"] % pool.num_base
    points = with_empty_texts(acquired).assign(base=base, label=np.asarray(pool.labels)[base])
    batches = points.groupby([*EXPERIMENT, "variant", "seed", "round"], sort=False)
    diversity = batches.agg(
        labels=("labels", "first"),
        size=("base", "size"),
        distinct=("base", "nunique"),
        class_entropy=("label", lambda labels: stats.entropy(labels.value_counts())),
    ).reset_index()
    diversity["distinct_share"] = diversity["distinct"] / diversity["size"]
    diversity["max_class_entropy"] = [_largest_class_entropy(size, num_classes) for size in diversity["size"]]
    return diversity


def summarise_diversity(diversity: pd.DataFrame) -> pd.DataFrame:
    """Means over all batches and seeds, for each variant.

    Args:
      diversity: As `batch_diversity` returns it, of one experiment.

    Returns:
      A row per variant, in the order of ``diversity``: the mean and the least number of distinct base examples in a
      batch, and the mean class entropy in nats.
    """
    by_variant = diversity.groupby("variant", sort=False)
    summary = by_variant.agg(
        batches=("size", "size"),
        distinct=("distinct", "mean"),
        fewest_distinct=("distinct", "min"),
        class_entropy=("class_entropy", "mean"),
    )
    return summary.round(3).rename_axis("method")


def _largest_class_entropy(size: int, num_classes: int) -> float:
    """Entropy of ``size`` labels spread over the classes as evenly as they can be, nats."""
    whole, rest = divmod(size, num_classes)
    return float(stats.entropy([whole + 1] * rest + [whole] * (num_classes - rest)))
