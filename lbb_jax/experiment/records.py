"""What a run writes down: its configuration with the versions it ran with, and one line per seed and round."""

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from lbb_jax.experiment.configuration import ExperimentError
from lbb_jax.files import write_whole

PACKAGES = ("lbb_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "tensorflow-datasets")

Record = dict[str, Any]


def write_config(path: Path, config: ConfigDict) -> None:
    """Writes the resolved configuration, versions and platform to ``path``.

    Raises:
      ExperimentError: If ``path`` holds another configuration; the message shows every field that differs.
    """
    resolved = json.loads(config.to_json())
    if path.exists():
        differences = _differences(json.loads(path.read_text())["config"], resolved)
        if differences:
            raise ExperimentError(
                f"{path.parent} holds a run of another configuration; choose another --workdir, or set "
                + "; ".join(differences)
            )
        return
    content = {
        "config": resolved,
        "versions": {name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "platform": {
            "backend": jax.default_backend(),
            "devices": [device.device_kind for device in jax.devices()],
            "machine": platform.machine(),
            "system": platform.system(),
        },
    }
    write_whole(path, json.dumps(content, indent=2) + "\n")


def _differences(before: Any, now: Any, name: str = "config") -> list[str]:
    """``field=value there (value here)`` for every field that differs between two nested dictionaries."""
    if isinstance(before, dict) and isinstance(now, dict):
        fields = sorted(before.keys() | now.keys())
        return [line for field in fields for line in _differences(before.get(field), now.get(field), f"{name}.{field}")]
    return [] if before == now else [f"{name}={before!r} (here: {now!r})"]


def read_records(path: Path) -> list[Record]:
    """The lines of ``path``, oldest first; none where there is no such file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_records(path: Path, records: list[Record]) -> None:
    """Writes all lines to ``path`` anew."""
    write_whole(path, "".join(json.dumps(record, allow_nan=False) + "\n" for record in records))
