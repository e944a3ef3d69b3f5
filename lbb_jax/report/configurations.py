"""The configurations of runs, and the software and hardware that they ran on."""

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from lbb_jax import experiment
from lbb_jax.report.parts import Part, Section, to_html


def parts(paths: Iterable[str]) -> list[Part]:
    """The configurations of one experiment's runs.

    Args:
      paths: The runs' folders.

    Returns:
      Folded tables: what all runs share that is not the default, what differs among the runs, and all fields.
    """
    configs = {path: _flatten(_read(path)["config"]) for path in paths}
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
    defaults = _flatten(json.loads(experiment.default_config().to_json()))
    table = pd.DataFrame({"here": values, "default": [_show(defaults.get(field)) for field in values.index]})
    return table[table["here"] != table["default"]].rename_axis("field")


def environments(paths: Iterable[str]) -> Section:
    """The versions and the hardware of the runs in ``paths``, a column for each combination."""
    described = [(path, _describe_environment(_read(path))) for path in paths]
    described.sort(key=lambda pair: json.dumps(pair[1]))
    columns = {}
    for number, (_, group) in enumerate(groupby(described, key=lambda pair: pair[1]), start=1):
        members = list(group)
        columns[str(number)] = {"runs": len(members), **members[0][1], "which": ", ".join(path for path, _ in members)}
    return Section("Versions and hardware", [Part("", table=to_html(pd.DataFrame(columns).rename_axis("environment")))])


def _read(path: str) -> dict[str, Any]:
    return json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))


def _flatten(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields by names such as ``acquisition.method``."""
    flat = {}
    for name, value in fields.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _show(value: Any) -> str:
    """A value as JSON; nothing for a field that is not there or not set."""
    return "" if value is None else json.dumps(value).strip('"')


def _describe_environment(description: Mapping[str, Any]) -> dict[str, str]:
    platform = description["platform"]
    devices = [f"{len(list(same))} × {kind}" for kind, same in groupby(sorted(platform["devices"]))]
    return description["versions"] | {
        "backend": platform["backend"],
        "devices": ", ".join(devices),
        "machine": f"{platform['machine']}, {platform['system']}",
    }
