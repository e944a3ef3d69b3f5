"""What stands above a figure: the experiment, its seeds and whatever was reduced."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from lbb_jax import analysis, components
from lbb_jax.errors import ExperimentError


def dataset_title(name: str) -> str:
    """What figures call a data set; an ``r`` before its name stands for noisy copies, as in the paper."""
    if name not in components.DATASETS and name.startswith("r") and name[1:] in components.DATASETS:
        title = components.title("dataset", name[1:])
        return f"{'R' if title[0].isupper() else 'r'}{title}"
    return components.title("dataset", name)


def check_one_experiment(table: pd.DataFrame) -> None:
    """Raises ExperimentError unless ``table`` has rows, all of one experiment."""
    if table.empty:
        raise ExperimentError(
            "there is nothing to draw: pass at least one run, and for differences one besides the baseline"
        )
    experiments = analysis.with_empty_texts(table)[analysis.EXPERIMENT].drop_duplicates()
    if len(experiments) > 1:
        names = "; ".join(
            ", ".join(str(value) for value in row if value) for row in experiments.itertuples(index=False)
        )
        raise ExperimentError(f"runs of {len(experiments)} experiments ({names}): draw each in a figure of its own")


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


def with_names(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the columns `lbb_jax.analysis.EXPERIMENT`, with names for readers and without empty columns."""
    table = table.drop(columns=[name for name in ("encoder", "setup") if (table[name] == "").all()])
    table["dataset"] = table["dataset"].map(dataset_title)
    for section in ("network", "posterior"):
        table[section] = [components.title(section, name) for name in table[section]]
    return table.rename(columns={"dataset": "data set", "batch_size": "b", "setup": "apart by"})


def title_of(table: pd.DataFrame, spread: str) -> str:
    """The experiment as `describe_experiment` has it, ``spread`` and reductions."""
    table = analysis.with_empty_texts(table)
    return f"{describe_experiment(table.iloc[0])} ({spread}){reductions(table['reduced'].unique())}"


def of_seeds(shown: str, table: pd.DataFrame) -> str:
    """``shown`` with the number of seeds, such as "mean of 3 seeds"."""
    num_seeds = table["seed"].nunique()
    return f"{shown} of {num_seeds} seeds" if num_seeds > 1 else "1 seed"


def range_of(counts: pd.Series) -> str:
    """The smallest and the largest of ``counts`` as text; one number if they are all equal."""
    return f"{counts.min()}" if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"


def reductions(reduced: Iterable[str]) -> str:
    """A line for each reduction, to follow a title."""
    return "".join(f"\nreduced: {reduction}" for reduction in reduced if reduction)
