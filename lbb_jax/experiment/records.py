"""What a run writes down: its configuration with the versions it ran with, and one line per seed and round."""

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from lbb_jax.experiment.configuration import ExperimentError, dataset_name
from lbb_jax.experiment.rounds import Finished
from lbb_jax.files import write_whole

PACKAGES = ("lbb_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "tensorflow-datasets")

Record = dict[str, Any]


def check_config(path: Path, config: ConfigDict) -> None:
    """Holds ``config`` against the one in ``path``, if there is one.

    Raises:
      ExperimentError: If they differ; the message shows every field that does.
    """
    if not path.exists():
        return
    differences = _differences(_read_config(path)["config"], json.loads(config.to_json()))
    if differences:
        raise ExperimentError(
            f"{path.parent} holds a run of another configuration; choose another --workdir, or set "
            + "; ".join(differences)
        )


def check_data(path: Path, identity: dict[str, Any]) -> None:
    """Holds the data of a run against those that the one in ``path``, if there is one, began with.

    Raises:
      ExperimentError: If they differ; the message shows in what.
    """
    if not path.exists():
        return
    differences = _differences(_read_config(path).get("data", identity), identity, "data")
    if differences:
        raise ExperimentError(
            f"{path.parent} holds a run on other data, or with another encoder; choose another --workdir, or bring "
            + "; ".join(differences)
        )


def write_config(path: Path, config: ConfigDict, identity: dict[str, Any]) -> None:
    """Writes the resolved configuration, the data's identity, versions and platform to ``path``, if not there yet."""
    if path.exists():
        return
    content = {
        "config": json.loads(config.to_json()),
        "data": identity,
        "versions": {name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "platform": {
            "backend": jax.default_backend(),
            "devices": [device.device_kind for device in jax.devices()],
            "machine": platform.machine(),
            "system": platform.system(),
        },
    }
    write_whole(path, json.dumps(content, indent=2) + "\n")


def _read_config(path: Path) -> dict[str, Any]:
    """What `write_config` wrote."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, error) from error
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise _damaged(path, "it holds no configuration")
    return content


def _damaged(path: Path, what: object) -> ExperimentError:
    return ExperimentError(f"{path} is damaged ({what}): restore it, or remove {path.parent} to start again")


def _differences(before: Any, now: Any, name: str = "config") -> list[str]:
    """``field=value there (value here)`` for every field that differs between two nested dictionaries."""
    if isinstance(before, dict) and isinstance(now, dict):
        fields = sorted(before.keys() | now.keys())
        return [line for field in fields for line in _differences(before.get(field), now.get(field), f"{name}.{field}")]
    return [] if before == now else [f"{name}={before!r} (here: {now!r})"]


def read_records(path: Path) -> list[Record]:
    """The lines of ``path``, oldest first; none where there is no such file.

    Raises:
      ExperimentError: If one is not a JSON object.
    """
    if not path.exists():
        return []
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise _damaged(path, error) from error
    if not all(isinstance(record, dict) for record in records):
        raise _damaged(path, "a line is not an object")
    return records


def write_records(path: Path, records: list[Record]) -> None:
    """Writes all lines to ``path`` anew."""
    write_whole(path, "".join(json.dumps(record, allow_nan=False) + "\n" for record in records))


def of_rounds_before(round_number: int, records: list[Record], num_seeds: int) -> list[Record]:
    """The records of the rounds before ``round_number``.

    Raises:
      ExperimentError: If some are missing.
    """
    kept = [record for record in records if record["round"] < round_number]
    if len(kept) != round_number * num_seeds:
        raise ExperimentError(
            f"metrics.jsonl holds {len(kept)} lines of the {round_number} rounds before the last checkpoint, not "
            f"{round_number * num_seeds}; restore it, or remove checkpoints/ to start again"
        )
    return kept


def of_round(config: ConfigDict, finished: Finished) -> list[Record]:
    """The lines of ``metrics.jsonl`` for a round, one for each seed; seconds are a seed's share."""
    return [_of_seed(config, finished, seed) for seed in range(config.seeds)]


def _of_seed(config: ConfigDict, finished: Finished, seed: int) -> Record:
    done = jax.tree.map(lambda leaf: leaf[seed], finished.round)
    count = int(done.batch.num_labelled)
    stages = finished.seconds_of_stages or dict.fromkeys(("train", "predict", "acquire"))

    def share(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds / config.seeds, 6)

    return {
        "seed": seed,
        "round": int(done.round),
        "labels": int(done.labels),
        "accuracy": float(done.metrics.accuracy),
        "nll": float(done.metrics.nll),
        "ece": float(done.metrics.ece),
        "method": config.acquisition.method,
        "dataset": dataset_name(config),
        "posterior": config.posterior.name,
        "batch_size": config.batch_size,
        "acquired": done.batch.picked.indices[:count].tolist(),
        "gains": done.batch.picked.scores[:count].tolist(),
        "seconds": share(finished.seconds),
        **{f"seconds_{stage}": share(seconds) for stage, seconds in stages.items()},
    }


def check_finite(finished: Finished, unit: str) -> None:
    """Raises ExperimentError at the first loss, of a ``unit`` of training, prediction or metric that is not finite."""
    done = finished.round
    remedy = "lower config.training.learning_rate"
    where = f"seed {{}}, round {int(done.round[0])}"
    faults = np.argwhere(~np.isfinite(done.losses))
    if len(faults):
        seed, member, number = faults[0]
        raise ExperimentError(
            f"{where.format(seed)}: the loss of member {member} is {done.losses[seed, member, number]} at {unit} "
            f"{number}; {remedy}"
        )
    for seed in np.flatnonzero(done.batch.num_faults):
        count = done.batch.num_faults[seed]
        raise ExperimentError(f"{where.format(seed)}: {count} of the pool's predictions are NaN; {remedy}")
    for name, values in done.metrics._asdict().items():
        for seed in np.flatnonzero(~np.isfinite(values)):
            raise ExperimentError(f"{where.format(seed)}: the {name} of the test examples is {values[seed]}; {remedy}")
