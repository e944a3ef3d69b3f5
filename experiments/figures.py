"""Draws the learning curves of finished runs in one figure and prints them as a table.

    python experiments/figures.py --output=curves.png runs/demo/random runs/demo/bald

The runs are working directories of experiments/run.py, of one data set and posterior.
"""

from pathlib import Path

from absl import app, flags

from lbb_jax import analysis, figures

_OUTPUT = flags.DEFINE_string("output", "learning_curves.png", "The figure, in the format of its suffix (png, pdf).")
_AT_LABELS = flags.DEFINE_multi_integer("at_labels", [50, 100, 200], "Labels at which the table gives the accuracy.")


def main(arguments: list[str]) -> None:
    """Compares the runs named in ``arguments``."""
    if len(arguments) < 2:
        raise app.UsageError("name at least one run's folder")
    try:
        runs = analysis.load_runs(arguments[1:])
    except FileNotFoundError as error:
        raise app.UsageError(f"not a run's folder: {error}") from error
    figures.save(figures.learning_curves(runs), Path(_OUTPUT.value))
    print(analysis.summarise(runs, at_labels=_AT_LABELS.value).to_string())
    print(f"\nlearning curves: {_OUTPUT.value}")


if __name__ == "__main__":
    app.run(main)
