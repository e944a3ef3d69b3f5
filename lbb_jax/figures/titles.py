"""What stands above a figure: the experiment, its seeds and whatever was reduced."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lbb_jax import analysis, components


def dataset_title(name: str) -> str:
    """What figures call a data set; an ``r`` before its name stands for noisy copies, as in the paper."""
    if name not in components.DATASETS and name.startswith("r") and name[1:] in components.DATASETS:
        return f"R{components.title('dataset', name[1:])}"
    return components.title("dataset", name)


def check_one_experiment(table: pd.DataFrame) -> None:
    """Raises ValueError unless ``table`` has rows, all of one experiment."""
    experiments = analysis.with_empty_texts(table)[analysis.EXPERIMENT].drop_duplicates()
    if table.empty:
        raise ValueError(
            "there is nothing to draw: pass at least one run, and for differences one besides the baseline"
        )
    if len(experiments) > 1:
        names = "; ".join(
            ", ".join(str(value) for value in row if value) for row in experiments.itertuples(index=False)
        )
        raise ValueError(f"runs of {len(experiments)} experiments ({names}): draw each in a figure of its own")


def describe_experiment(experiment: Mapping[str, Any]) -> str:
    """Data set, encoder if any, network, posterior, batch size, and what else tells it from others, if anything.

    Args:
      experiment: The values of the columns `lbb_jax.analysis.EXPERIMENT` by name.
    """
    dataset = dataset_title(experiment["dataset"])
    network = components.title("network", experiment["network"])
    posterior = components.title("posterior", experiment["posterior"])
    size, setup = f"batches of {experiment['batch_size']}", experiment.get("setup", "")
    parts = [dataset, experiment["encoder"], network, posterior, size, setup]
    return ", ".join(filter(None, parts))


def describe(table: pd.DataFrame, spread: str) -> str:
    """The experiment as `describe_experiment` has it, ``spread`` and reductions."""
    table = analysis.with_empty_texts(table)
    return f"{describe_experiment(table.iloc[0])} ({spread}){reductions(table['reduced'].unique())}"


def of_measurement(records: Sequence[Mapping[str, Any]], measurement: str) -> pd.DataFrame:
    """The records of one kind of measurement as a table."""
    chosen = [record for record in records if record["measurement"] == measurement]
    if not chosen:
        raise ValueError(f"records hold no measurement {measurement!r}: pass those of experiments/approximation.py")
    return pd.DataFrame(chosen)


def describe_source(table: pd.DataFrame, spread: str) -> str:
    """Where predictions are from, ``spread`` and reductions.

    Args:
      table: With the columns ``source``, ``reduced`` and ``seed``.
      spread: What is shown of how many seeds.

    Raises:
      ValueError: If the rows are of several sources or there are none.
    """
    sources = table["source"].unique()
    if len(sources) != 1:
        raise ValueError(f"measurements of {len(sources)} sources ({'; '.join(sources)}): draw each in its own figure")
    return f"{sources[0]} ({spread}){reductions(table['reduced'].unique())}"


def of_seeds(shown: str, table: pd.DataFrame) -> str:
    """What is ``shown`` of how many seeds."""
    num_seeds = table["seed"].nunique()
    return f"{shown} of {num_seeds} seeds" if num_seeds > 1 else "1 seed"


def range_of(counts: pd.Series) -> str:
    """The least and the largest of ``counts``, or the one that they all are."""
    return f"{counts.min()}" if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"


def reductions(reduced: Iterable[str]) -> str:
    """A line for each reduction, to follow a title."""
    return "".join(f"\nreduced: {reduction}" for reduction in reduced if reduction)
