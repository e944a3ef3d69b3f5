"""Tables as `lbb_jax.analysis.load_runs` makes them, from learning curves written out in a test."""

import pandas as pd


def of_curves(curves, *, dataset="digits", batch_size=10, labels=(20, 30, 40)):
    """One experiment: ``{(variant, seed): accuracies}`` at ``labels``."""
    rows = [
        {
            "path": f"runs/{variant}",
            "dataset": dataset,
            "encoder": "",
            "network": "mlp",
            "posterior": "deep_ensemble",
            "variant": variant,
            "batch_size": batch_size,
            "reduced": "",
            "seed": seed,
            "labels": count,
            "accuracy": accuracy,
            "seconds": 1.5,
        }
        for (variant, seed), accuracies in curves.items()
        for count, accuracy in zip(labels, accuracies, strict=True)
    ]
    return pd.DataFrame(rows)
