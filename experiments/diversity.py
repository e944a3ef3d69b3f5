"""Writes how diverse the batches of finished runs are, beside the runs, where the site finds it without their data.

    python experiments/diversity.py runs/mnist/*/

The runs are working directories of experiments/run.py, of one data set, in one folder; the data set is read. The file,
diversity.csv in that folder, has a line for each run and number of labels: the mean over seeds of the distinct base
examples in the batch and of the entropy of its classes in nats, and the fewest distinct ones.
"""

from pathlib import Path

from absl import flags

from lbb_jax import analysis, experiment, paths
from lbb_jax.files import atomic_write

_OUTPUT = flags.DEFINE_string("output", None, "The file; diversity.csv beside the runs if it is not given.")


def main(folders: list[str]) -> None:
    """Measures the batches of the runs in ``folders``."""
    found = analysis.find_runs(folders)
    output = found[0].resolve().parent / "diversity.csv" if _OUTPUT.value is None else Path(_OUTPUT.value)
    output = paths.output_file(output, name="--output", suffixes=(".csv",))
    acquired = analysis.load_acquired(found)
    names = acquired.drop_duplicates("variant").set_index("variant")["path"].map(lambda path: Path(path).name)
    diversity = analysis.batch_diversity(acquired, analysis.load_pool(found))
    by_round = diversity.assign(run=diversity["variant"].map(names)).groupby(["run", "labels", "size"], sort=False)
    table = by_round.agg(
        distinct=("distinct", "mean"),
        fewest_distinct=("distinct", "min"),
        class_entropy=("class_entropy", "mean"),
        max_class_entropy=("max_class_entropy", "max"),
    )
    atomic_write(output, table.round(4).reset_index().to_csv(index=False))
    print(f"{len(table)} lines: {output}")


if __name__ == "__main__":
    experiment.run_script(main, needs_arguments="name at least one run's folder", errors=(OSError, ValueError))
