"""Whole learning curves as one number each."""

import numpy as np
import pandas as pd

from lbb_jax.analysis.curves import by_experiment, describe


def areas_under_curve(runs: pd.DataFrame) -> pd.DataFrame:
    """The area under each learning curve, by the trapezoidal rule, divided by the range of labels.

    So it is the mean accuracy over the range, from 0 to 1, whatever the distances between rounds.

    Args:
      runs: As `load_runs` returns them.

    Returns:
      One row per experiment, variant and seed, in the order of ``runs``: the columns `EXPERIMENT`, ``variant``,
      ``seed`` and ``area``.

    Raises:
      ValueError: If curves of an experiment begin or end at different numbers of labels, if two runs have the same
        variant and seed, or if a curve has only one round.
    """
    rows = []
    for experiment, curves in by_experiment(runs):
        for curve in curves:
            width = curve.labels[-1] - curve.labels[0]
            if width == 0:
                raise ValueError(
                    f"{describe(experiment)}: {curve.variant} has only one round, and no area; pass runs that "
                    "acquire labels"
                )
            area = float(np.trapezoid(curve.accuracy, curve.labels) / width)
            rows.append(experiment | {"variant": curve.variant, "seed": curve.seed, "area": area})
    return pd.DataFrame(rows)
