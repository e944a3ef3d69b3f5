"""The time of acquisition, from the output of ``experiments/benchmark_acquisition.py``."""

import json
import os
from collections.abc import Sequence

import pandas as pd

from lbb_jax import analysis, figures
from lbb_jax.json_lines import Record
from lbb_jax.paths import input_file
from lbb_jax.report.sections import Entry, Section, to_html, to_image

_REMEDY = "pass the output of experiments/benchmark_acquisition.py"
_POOL = ("N", "K", "C")
_PLACE = (*_POOL, "device")
# The fields of every record, and their types.
_FIELDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys((*_POOL, "b"), int),
    **dict.fromkeys(("device", "case"), str),
    "milliseconds": (int, float),
}
_COLUMNS = ("case", "redundancy", "b", "milliseconds", "ratio_to_bald", "share_of_dense", "peak_megabytes", "device")


def runtime(paths: Sequence[str | os.PathLike]) -> Section:
    """The times in files of JSON lines: figures and all times of each pool.

    Args:
      paths: The files; records without ``milliseconds``, such as those of a stream, are left out.

    Returns:
      The section, with a remark instead where ``paths`` is empty.

    Raises:
      PathError: If one is not there.
      ValueError: If a file holds anything else, or no times.
    """
    heading = "Runtime"
    if not paths:
        return Section(heading, [], note="No times were given (--benchmark=FILE).")
    by_place: dict[tuple[str | int, ...], list[Record]] = {}
    for record in (record for path in paths for record in read_times(path)):
        by_place.setdefault(tuple(record[name] for name in _PLACE), []).append(record)
    return Section(heading, [entry for records in by_place.values() for entry in _entries(records)])


def read_times(path: str | os.PathLike) -> list[Record]:
    """The timed records in a file with the output of ``experiments/benchmark_acquisition.py``.

    Raises:
      PathError: If it is not there.
      ValueError: If it holds anything else, or no times.
    """
    path = input_file(path, name="benchmark")
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not lines of JSON objects: {error}; {_REMEDY}") from error
    if not all(isinstance(record, dict) for record in records):
        raise ValueError(f"{path} is not lines of JSON objects; {_REMEDY}")
    timed = [record for record in records if "milliseconds" in record]
    if not timed:
        raise ValueError(f"{path} holds no times; {_REMEDY}")
    for record in timed:
        for name, kind in _FIELDS.items():
            if name not in record:
                raise ValueError(f"{path} has a record without {name!r}; {_REMEDY}")
            if not isinstance(record[name], kind):
                raise ValueError(f"{path} has a record with {name}={record[name]!r}; {_REMEDY}")
    return timed


def _entries(records: list[Record]) -> list[Entry]:
    """What is shown of the times on one pool and one kind of device."""
    num_points, num_draws, num_classes = (records[0][name] for name in _POOL)
    name = f"{num_points:,} points, {num_draws} draws, {num_classes} classes ({records[0]['device']})"
    image = to_image(figures.time_against_batch_size(records)) if _has_several_sizes(records) else None
    table = pd.DataFrame(records)
    table = to_html(table[[column for column in _COLUMNS if column in table]])
    return [Entry(f"Time to acquire: {name}", image=image, table=table, is_folded=image is None)]


def _has_several_sizes(records: list[Record]) -> bool:
    """Whether there is a method that was timed with several batch sizes, and so something to draw."""
    sizes: dict[tuple[str, str | None], set[int]] = {}
    for record in records:
        if record["case"] in analysis.NAMES:
            sizes.setdefault((record["case"], record.get("redundancy")), set()).add(record["b"])
    return any(len(of_method) > 1 for of_method in sizes.values())
