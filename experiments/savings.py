"""How many labels a method saves compared with random: as a table, a figure and a sentence.

    python experiments/savings.py --output=savings.png results/digits_demo/*/
    python experiments/savings.py --accuracy=0.9 --output=savings.png pilot.csv

It reads finished runs of one experiment, which are working directories of experiments/run.py, or a pilot of your own: a
CSV file with the columns method, seed, labels and accuracy, where the method called random is the baseline. The
accuracy to reach is that of random with all its labels, if none is named.
"""

from absl import flags

from lbb_jax import analysis, experiment, figures, paths

_ACCURACY = flags.DEFINE_float("accuracy", None, "The accuracy to reach, above 0 and at most 1.")
_BASELINE = flags.DEFINE_string("baseline", "Random", "The baseline, by its name in figures.")
_OUTPUT = flags.DEFINE_string("output", "savings.png", "The figure, in the format of its suffix.")


def main(folders: list[str]) -> None:
    """Compares the runs in ``folders``, or in one CSV file."""
    output = paths.output_file(_OUTPUT.value, name="--output", suffixes=figures.SUFFIXES)
    experiment.show_warnings()
    is_pilot = len(folders) == 1 and folders[0].lower().endswith(".csv")
    runs = analysis.read_pilot(folders[0]) if is_pilot else analysis.load_runs(analysis.find_runs(folders))
    found = analysis.savings(runs, accuracy=_ACCURACY.value, baseline=_BASELINE.value)
    figures.save(figures.savings(found), output)
    sentence = analysis.say_savings(found)
    print(f"{analysis.tabulate_savings(found).to_string()}\n\n{sentence}\n\nsavings: {output}")


if __name__ == "__main__":
    experiment.run_script(
        main,
        needs_arguments="name the folder of at least one run, or a CSV file",
        errors=(OSError, ValueError),
    )
