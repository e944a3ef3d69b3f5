import numpy as np
import pandas as pd

from lbb_jax import analysis


def areas(experiments):
    """Rows of `areas_under_curve`: of each experiment by name, the areas of each variant by seed."""
    rows = [
        {
            "dataset": name,
            "encoder": "",
            "network": "mlp",
            "posterior": "deep_ensemble",
            "batch_size": 10,
            "reduced": "",
        }
        | {"setup": "", "variant": variant, "seed": seed, "area": area}
        for name, by_variant in experiments.items()
        for variant, of_variant in by_variant.items()
        for seed, area in enumerate(of_variant)
    ]
    return pd.DataFrame(rows)


def test_wins_are_counted_over_experiments():
    low, high, far = [0.5, 0.6, 0.55], [0.6, 0.71, 0.65], [0.9, 0.3, 0.7]
    table = analysis.wins(
        areas({"digits": {"BALD": low, "LBB": high, "Random": far}, "mnist": {"LBB": high, "BALD": low}})
    )
    assert table.loc["LBB", "BALD"] == 2
    assert table.loc["BALD", "LBB"] == 0
    assert table.loc["LBB", "Random"] == table.loc["Random", "LBB"] == 0
    assert np.isnan(table.loc["LBB", "LBB"])


def test_what_was_never_run_together_is_no_draw():
    table = analysis.wins(areas({"digits": {"BALD": [0.1, 0.2]}, "mnist": {"LBB": [0.1, 0.2], "Random": [0.5]}}))
    assert table.isna().all().all()
