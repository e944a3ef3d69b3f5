"""The runs in results/, put together by the experiments that they are of."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lbb_jax import analysis


class Experiment(NamedTuple):
    """Runs that can be compared.

    Attributes:
      name: The folder that holds their folders, relative to the results; several experiments may be in one.
      runs: As `lbb_jax.analysis.load_runs` returns them.
    """

    name: str
    runs: pd.DataFrame


def folders(root: Path, results: Path) -> dict[str, tuple[Path, ...]]:
    """The folders of the runs below ``root``, put together by the folder that holds them.

    Args:
      root: A folder in ``results``, or that itself.
      results: The folder of all results. A run that stands right in it is by itself.

    Returns:
      The runs' folders, by the name of what holds them, relative to ``results``.
    """
    found: dict[str, tuple[Path, ...]] = {}
    for path in sorted(config.parent for config in root.rglob("config.json")):
        holder = path if path.parent == results else path.parent
        name = holder.relative_to(results).as_posix()
        found[name] = (*found.get(name, ()), path)
    return found


@functools.cache
def experiments(name: str, paths: tuple[Path, ...]) -> tuple[Experiment, ...]:
    """The experiments of the runs that stand together under a name, as `folders` has them."""
    runs = analysis.load_runs(paths)
    return tuple(Experiment(name, of_one) for _, of_one in analysis.split_by_experiment(runs))


def all_experiments(results: Path) -> Iterator[Experiment]:
    """Every experiment in the folder of all results."""
    for name, paths in folders(results, results).items():
        yield from experiments(name, paths)


def files(paths: tuple[Path, ...]) -> list[Path]:
    """The files that say what the runs are and what they measured."""
    return [path / name for path in paths for name in ("config.json", "metrics.jsonl")]
