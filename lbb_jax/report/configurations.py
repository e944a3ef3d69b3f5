"""The configurations of runs, and the software and hardware that they ran on."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from lbb_jax import analysis, experiment
from lbb_jax.report.parts import Part, Section, to_html
from lbb_jax.run_folder import Description


def parts(paths: Sequence[str]) -> list[Part]:
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
    return [Part(heading, table=to_html(table), is_folded=True) for heading, table in tables.items() if table.size]


def _not_default(values: pd.Series) -> pd.DataFrame:
    """The fields in ``values`` that are not what `lbb_jax.experiment.default_config` has, with that beside them."""
    defaults = dict(analysis.flatten(json.loads(experiment.default_config().to_json())))
    table = pd.DataFrame({"here": values, "default": [_show(defaults.get(field)) for field in values.index]})
    return table[table["here"] != table["default"]].rename_axis("field")


def environments(paths: Sequence[str]) -> Section:
    """The versions and the hardware of the runs in ``paths``, a column for each combination."""
    runs = analysis.describe_runs(paths)
    described = [(path, _describe_environment(run)) for path, run in zip(paths, runs, strict=True)]
    described.sort(key=lambda pair: json.dumps(pair[1]))
    columns = {}
    for number, (_, group) in enumerate(groupby(described, key=lambda pair: pair[1]), start=1):
        members = list(group)
        columns[str(number)] = {"runs": len(members), **members[0][1], "which": ", ".join(path for path, _ in members)}
    return Section("Versions and hardware", [Part("", table=to_html(pd.DataFrame(columns).rename_axis("environment")))])


def _show(value: Any) -> str:
    """A value as JSON; nothing for a field that is not there or not set."""
    return "" if value is None else json.dumps(value).strip('"')


def _describe_environment(run: Description) -> dict[str, str]:
    """Versions, hardware, and the settings of JAX that are not its own; what was not written is left out."""
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
