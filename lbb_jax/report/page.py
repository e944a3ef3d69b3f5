"""The report as one self-contained page of HTML."""

import json
import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import jinja2
import pandas as pd

from lbb_jax import analysis, figures
from lbb_jax.report.runtime import runtime
from lbb_jax.report.sections import Entry, Section, attempt, to_html
from lbb_jax.run_folder import Description, default_fields

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("lbb_jax.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(
    paths: Sequence[str | os.PathLike],
    *,
    benchmarks: Sequence[str | os.PathLike] = (),
    sections: Sequence[Section] = (),
) -> str:
    """The report on finished runs.

    Args:
      paths: Working directories of runs, of any experiments.
      benchmarks: Files with the output of ``experiments/benchmark_acquisition.py``.
      sections: Further sections, which follow the overview.

    Returns:
      The HTML. It holds its figures, loads nothing and runs no script. What the runs do not allow to be shown, such as
      label savings without a run of random acquisition, is replaced by the reason.

    Raises:
      FileNotFoundError: If a path holds no run.
      PathError: If a file of times is not there.
      ValueError: If there are no paths, or a file holds no times.
    """
    runs = analysis.load_runs(paths)
    all_sections = [
        _overview(runs),
        *sections,
        *(_of_experiment(experiment, of_one) for experiment, of_one in analysis.split_by_experiment(runs)),
        _of_all(runs),
        runtime(benchmarks),
        _environments(runs["path"].unique().tolist()),
    ]
    return _TEMPLATES.get_template("report.html").render(sections=all_sections)


def _overview(runs: pd.DataFrame) -> Section:
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
    return Section("What was run", [Entry("", table=to_html(figures.with_names(pd.DataFrame(rows))))])


def _of_experiment(experiment: dict[str, object], runs: pd.DataFrame) -> Section:
    """The figures and the configurations of one experiment."""
    reduced = experiment["reduced"]
    rows = [row for row in figures.FIGURES.values() if row.is_of_one_experiment]
    return Section(
        figures.describe_experiment(experiment) + (", reduced" if reduced else ""),
        [*(attempt(row.heading, row.draw, runs) for row in rows), *_configurations(list(runs["path"].unique()))],
        note=f"Reduced: {reduced}." if reduced else "",
    )


def _of_all(runs: pd.DataFrame) -> Section:
    """The figures over all experiments, which take at least two."""
    heading = "All experiments together"
    if sum(1 for _ in analysis.split_by_experiment(runs)) < 2:
        return Section(heading, [], note="A performance profile takes at least two experiments; this is one.")
    rows = [row for row in figures.FIGURES.values() if not row.is_of_one_experiment]
    return Section(heading, [attempt(row.heading, row.draw, runs) for row in rows])


def _configurations(paths: Sequence[str]) -> list[Entry]:
    """The configurations of one experiment's runs.

    Args:
      paths: The runs' folders.

    Returns:
      Folded tables: what all runs share that is not the default, what differs among the runs, and all fields.
    """
    runs = analysis.describe_runs(paths)
    configs = {path: dict(analysis.flatten(run.config)) for path, run in zip(paths, runs, strict=True)}
    fields = dict.fromkeys(field for config in configs.values() for field in config)
    values = pd.DataFrame({path: [_show(config.get(field)) for field in fields] for path, config in configs.items()})
    values.index = pd.Index(fields)
    is_shared = values.nunique(axis=1) == 1
    tables = {
        "Configuration, where it differs from the defaults": _not_default(values[is_shared].iloc[:, 0]),
        "Configuration, where it differs among the runs": values[~is_shared].T.rename_axis("run"),
        "All of the configurations": values.rename_axis("field"),
    }
    return [Entry(heading, table=to_html(table), is_folded=True) for heading, table in tables.items() if table.size]


def _not_default(values: pd.Series) -> pd.DataFrame:
    """The fields in ``values`` that differ from `lbb_jax.experiment.default_config`, beside their defaults."""
    defaults = dict(analysis.flatten(default_fields()))
    table = pd.DataFrame({"here": values, "default": [_show(defaults.get(field)) for field in values.index]})
    return table[table["here"] != table["default"]].rename_axis("field")


def _environments(paths: Sequence[str]) -> Section:
    """The versions and the hardware of the runs in ``paths``, a column for each combination."""
    runs = analysis.describe_runs(paths)
    described = [(path, _describe_environment(run)) for path, run in zip(paths, runs, strict=True)]
    described.sort(key=lambda pair: json.dumps(pair[1]))
    columns = {}
    for number, (_, group) in enumerate(groupby(described, key=lambda pair: pair[1]), start=1):
        members = list(group)
        columns[str(number)] = {"runs": len(members), **members[0][1], "which": ", ".join(path for path, _ in members)}
    return Section(
        "Versions and hardware", [Entry("", table=to_html(pd.DataFrame(columns).rename_axis("environment")))]
    )


def _show(value: Any) -> str:
    """A value as JSON; nothing for a field that is not there or not set."""
    return "" if value is None else json.dumps(value).strip('"')


def _describe_environment(run: Description) -> dict[str, str]:
    """Versions, hardware and settings of JAX; what a run did not record is left out."""
    hardware = dict(run.platform)
    devices = [f"{len(list(same))} × {kind}" for kind, same in groupby(sorted(hardware.pop("devices", ())))]
    machine = [hardware.pop(name, "") for name in ("machine", "system")]
    return {
        **{name: str(version) for name, version in run.versions.items()},
        "backend": hardware.pop("backend", ""),
        "devices": ", ".join(devices),
        "machine": ", ".join(filter(None, machine)),
        **{name: _show(value) for name, value in (hardware | run.settings).items()},
    }
