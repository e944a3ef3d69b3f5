"""What the runs of one experiment acquired."""

import functools
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from lbb_jax import analysis, figures
from lbb_jax.examples import Examples
from lbb_jax.report.parts import Part, attempt


def parts(paths: Sequence[str]) -> list[Part]:
    """How diverse the batches were, and the images acquired first.

    Args:
      paths: The runs' folders. Their data set is read, too; where that is not there, the reason is given.

    Returns:
      The two parts.
    """
    load = functools.cache(lambda: (analysis.load_acquired(paths), analysis.load_pool(paths)))
    return [
        attempt("Diversity of the batches", lambda: _diversity(*load())),
        attempt("What was acquired first", lambda: (figures.acquired_images(*load()), None)),
    ]


def _diversity(acquired: pd.DataFrame, pool: Examples) -> tuple[Figure, pd.DataFrame]:
    diversity = analysis.batch_diversity(acquired, pool)
    return figures.batch_diversity(diversity), analysis.summarise_diversity(diversity)
