"""How often each variant beats each other one."""

from itertools import permutations

import numpy as np
import pandas as pd

from lbb_jax.analysis.curves import split_by_experiment
from lbb_jax.analysis.verdicts import Side, Verdict, verdict_at

_CONFIDENCE = 0.95


def wins(areas: pd.DataFrame) -> pd.DataFrame:
    """In how many experiments a variant is above another by more than chance.

    A variant wins an experiment against another if the 95 % interval of the paired difference of their areas over seeds
    lies above 0. Nothing is corrected for the number of comparisons: one comparison in twenty without a true difference
    is decided by chance, one in forty on each side.

    Args:
      areas: One row per experiment, variant and seed, as `areas_under_curve` returns them.

    Returns:
      A row and a column for each variant: the number of experiments that the variant of the row wins against that of
      the column. NaN where no experiment has two seeds of both.

    Raises:
      ValueError: As `paired_difference`.
    """
    variants = list(areas["variant"].unique())
    table = pd.DataFrame(np.nan, index=pd.Index(variants, name="above"), columns=pd.Index(variants, name="below"))
    for _, of_experiment in split_by_experiment(areas):
        by_seed = of_experiment.pivot(index="seed", columns="variant", values="area")
        for first, second in permutations(by_seed.columns, 2):
            differences = (by_seed[first] - by_seed[second]).dropna().to_numpy()
            if len(differences) > 1:
                is_won = verdict_at(differences, Side.ABOVE, confidence=_CONFIDENCE) is Verdict.HOLDS
                table.loc[first, second] = np.nan_to_num(table.loc[first, second]) + is_won
    return table
