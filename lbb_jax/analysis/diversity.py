"""How diverse each acquired batch is: near-copies in it, and classes."""

import numpy as np
import pandas as pd
from scipy.special import entr

from lbb_jax.analysis.curves import EXPERIMENT, with_empty_texts
from lbb_jax.examples import Examples


def batch_diversity(acquired: pd.DataFrame, pool: Examples) -> pd.DataFrame:
    """Distinct base examples and class entropy of each acquired batch.

    Args:
      acquired: As `load_acquired` returns them.
      pool: That the points were acquired from, as `load_pool` returns it.

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
        class_entropy=("label", lambda labels: _entropy(labels.value_counts())),
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
    return _entropy(np.array([whole + 1] * rest + [whole] * (num_classes - rest)))


def _entropy(counts: np.ndarray | pd.Series) -> float:
    """Entropy of a class drawn with probability proportional to its count, nats."""
    # scipy.stats has this, too, and takes a second to import.
    return float(np.sum(entr(counts / counts.sum())))
