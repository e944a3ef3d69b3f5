"""What is read off the runs of one experiment, and of all together."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lbb_jax import analysis, components, figures
from lbb_jax.report import batches, configurations
from lbb_jax.report.parts import Part, Section, attempt, embed, to_html


def overview(runs: pd.DataFrame) -> Section:
    """A table of the experiments: what was run, how large, and what was reduced."""
    rows = []
    for experiment, of_experiment in analysis.split_by_experiment(runs):
        rows.append(
            experiment
            | {
                "labels": f"{of_experiment['labels'].min():,} to {of_experiment['labels'].max():,}",
                "variants": of_experiment["variant"].nunique(),
                "seeds": figures.range_of(of_experiment.groupby("variant")["seed"].nunique()),
                "hours": f"{of_experiment['seconds'].sum() / 3600:.2f}",
                "reduced": experiment["reduced"] or "nothing",
            }
        )
    return Section("What was run", [Part("", table=to_html(_named(pd.DataFrame(rows))))])


def experiment_sections(runs: pd.DataFrame) -> list[Section]:
    """A section for each experiment, in the order of ``runs``: curves, savings, areas, batches and configurations."""
    return [_section(experiment, of_experiment) for experiment, of_experiment in analysis.split_by_experiment(runs)]


def profile(runs: pd.DataFrame) -> Section:
    """The performance profile over all experiments, which takes two at the least."""
    heading = "All experiments together"
    count = sum(1 for _ in analysis.split_by_experiment(runs))
    if count < 2:
        return Section(heading, [], note="A performance profile takes at least two experiments; this is one.")

    def draw() -> tuple[Figure, pd.DataFrame]:
        errors = analysis.final_errors(runs)
        table = errors.map("{:.4f}".format, na_action="ignore").reset_index()
        return figures.performance_profile(errors), _named(table)

    return Section(heading, [attempt("Performance profile, and final error rates", draw)])


def _section(experiment: dict[str, object], runs: pd.DataFrame) -> Section:
    reduced, paths = experiment["reduced"], list(runs["path"].unique())
    return Section(
        figures.describe_experiment(experiment) + (", reduced" if reduced else ""),
        [
            Part(
                "Learning curves",
                image=embed(figures.learning_curves(runs)),
                table=to_html(analysis.summarise(runs, at_labels=_quarters(runs["labels"]))),
            ),
            attempt("Label savings", lambda: _label_savings(runs)),
            attempt("Areas under the learning curves, less that of random", lambda: _area_differences(runs)),
            *batches.parts(paths),
            *configurations.parts(paths),
        ],
        note=f"Reduced: {reduced}." if reduced else "",
    )


def _label_savings(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    savings = analysis.labels_to_reach(runs)
    return figures.label_savings(savings), analysis.summarise_savings(savings)


def _area_differences(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    differences = analysis.paired_differences(analysis.areas_under_curve(runs))
    figure = figures.area_differences(differences)
    ends = f"{differences['confidence'].iloc[0]:.0%} from"
    columns = {"variant": "method", "difference": "difference", "low": ends, "high": "to", "num_seeds": "seeds"}
    table = differences[list(columns)].copy()
    for name in ("difference", "low", "high"):
        table[name] = table[name].map("{:+.4f}".format)
    return figure, table.rename(columns=columns).set_index("method")


def _quarters(labels: pd.Series) -> list[int]:
    """The rounds at the beginning, after a quarter, half and three quarters of the way, and at the end."""
    sizes = np.unique(labels)
    return sizes[np.unique(np.linspace(0, len(sizes) - 1, 5).astype(int))].tolist()


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """With the columns of an experiment as a reader would call them."""
    table = table.drop(columns=[name for name in ("encoder", "setup") if (table[name] == "").all()])
    table["dataset"] = table["dataset"].map(figures.dataset_title)
    for section in ("network", "posterior"):
        table[section] = [components.title(section, name) for name in table[section]]
    return table.rename(columns={"dataset": "data set", "batch_size": "b", "setup": "apart by"})
