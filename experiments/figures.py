"""Draws one figure of finished runs and prints the numbers in it as a table.

    python experiments/figures.py --output=curves.png runs/demo/*/
    python experiments/figures.py --figure=label_savings --output=savings.png runs/demo/*/
    python experiments/figures.py --figure=performance_profile --output=profile.pdf runs/digits/*/ runs/mnist/*/
    python experiments/figures.py --figure=diversity --output=diversity.png runs/rmnist/*/
    python experiments/figures.py --figure=acquired --output=acquired.png runs/digits/*/

The runs are working directories of experiments/run.py: for a performance profile of any experiments, for the other
figures of one data set, posterior and batch size. The last two read the data set, too.
"""

from absl import flags

from lbb_jax import analysis, experiment, figures, paths

_FIGURE = flags.DEFINE_enum("figure", "learning_curves", list(figures.FIGURES), "What is drawn.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "The figure, in the format of its suffix; its name and .png if not given."
)
_AT_LABELS = flags.DEFINE_multi_integer("at_labels", [50, 100, 200], "Labels at which the table gives the accuracy.")


def main(folders: list[str]) -> None:
    """Compares the runs in ``folders``."""
    output = f"{_FIGURE.value}.png" if _OUTPUT.value is None else _OUTPUT.value
    output = paths.output_file(output, name="--output", suffixes=figures.SUFFIXES)
    experiment.show_warnings()
    options = {"at_labels": _AT_LABELS.value} if _FIGURE.value == "learning_curves" else {}
    runs = analysis.load_runs(analysis.find_runs(folders))
    figure, table = figures.FIGURES[_FIGURE.value].draw(runs, **options)
    figures.save(figure, output)
    print(f"{table.to_string()}\n\n{_FIGURE.value.replace('_', ' ')}: {output}")


if __name__ == "__main__":
    experiment.run_script(main, needs_arguments="name at least one run's folder", errors=(OSError, ValueError))
