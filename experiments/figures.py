"""Draws one figure of finished runs and prints the numbers in it as a table.

    python experiments/figures.py --output=curves.png runs/demo/*/
    python experiments/figures.py --figure=label_savings --output=savings.png runs/demo/*/
    python experiments/figures.py --figure=performance_profile --output=profile.pdf runs/digits/*/ runs/mnist/*/
    python experiments/figures.py --figure=diversity --output=diversity.png runs/rmnist/*/
    python experiments/figures.py --figure=acquired --output=acquired.png runs/digits/*/

The runs are working directories of experiments/run.py: for a performance profile of any experiments, for the other
figures of one data set, posterior and batch size. The last two read the data set, too.
"""

import sys
from pathlib import Path

import pandas as pd
from absl import flags
from matplotlib.figure import Figure

from lbb_jax import analysis, experiment, figures, paths
from lbb_jax.examples import Examples

_FIGURE = flags.DEFINE_enum(
    "figure",
    "learning_curves",
    ["learning_curves", "label_savings", "area_differences", "performance_profile", "diversity", "acquired"],
    "What is drawn.",
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "The figure, in the format of its suffix; its name and .png if not given."
)
_AT_LABELS = flags.DEFINE_multi_integer("at_labels", [50, 100, 200], "Labels at which the table gives the accuracy.")


def main(folders: list[str]) -> None:
    """Compares the runs in ``folders``."""
    if not folders:
        raise experiment.ExperimentError("name at least one run's folder")
    output = f"{_FIGURE.value}.png" if _OUTPUT.value is None else _OUTPUT.value
    output = paths.output_file(output, name="--output", suffixes=figures.SUFFIXES)
    experiment.show_warnings()
    try:
        figure, table = _draw(analysis.find_runs(folders))
        figures.save(figure, output)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(f"{table}\n\n{_FIGURE.value.replace('_', ' ')}: {output}")


def _draw(folders: list[Path]) -> tuple[Figure, str]:
    """The figure that the flags name, and its table."""
    # First, since it warns of runs that stopped short.
    runs = analysis.load_runs(folders)
    if _FIGURE.value in ("diversity", "acquired"):
        return _draw_acquired(analysis.load_acquired(folders), analysis.load_pool(folders))
    match _FIGURE.value:
        case "learning_curves":
            return figures.learning_curves(runs), analysis.summarise(runs, at_labels=_AT_LABELS.value).to_string()
        case "label_savings":
            savings = analysis.labels_to_reach(runs)
            return figures.label_savings(savings), analysis.summarise_savings(savings).to_string()
        case "area_differences":
            differences = analysis.paired_differences(analysis.areas_under_curve(runs))
            table = differences[["variant", "difference", "low", "high", "num_seeds"]]
            return figures.area_differences(differences), table.to_string(index=False, float_format="{:.4f}".format)
        case "performance_profile":
            errors = analysis.final_errors(runs)
            return figures.performance_profile(errors), errors.to_string(float_format="{:.4f}".format)


def _draw_acquired(acquired: pd.DataFrame, pool: Examples) -> tuple[Figure, str]:
    """The figure of what was acquired that the flags name, and the table of the batches' diversity."""
    diversity = analysis.batch_diversity(acquired, pool)
    table = analysis.summarise_diversity(diversity).to_string()
    if _FIGURE.value == "diversity":
        return figures.batch_diversity(diversity), table
    return figures.acquired_images(acquired, pool), table


if __name__ == "__main__":
    experiment.run_script(main, takes_arguments=True)
