"""The file of measurements: lines of JSON, written whole after each seed and read back to be drawn."""

from collections.abc import Sequence
from pathlib import Path

from lbb_jax import files
from lbb_jax.errors import ExperimentError
from lbb_jax.json_lines import Record, parse_records, to_lines

_REMEDY = "restore it, or measure again with --config or --predictions"
# What every measurement says of its predictions.
_FIELDS = {"measurement": str, "source": str, "reduced": str, "seed": int}


def write(path: Path, records: Sequence[Record]) -> None:
    """Writes all measurements to ``path`` anew.

    Raises:
      ExperimentError: If it cannot be written to.
    """
    try:
        files.atomic_write(path, to_lines(records))
    except OSError as error:
        raise ExperimentError(f"{path} cannot be written to ({error})") from error


def read(path: Path) -> list[Record]:
    """The measurements in ``path``.

    Raises:
      ExperimentError: If it cannot be read, or a line is no measurement; the message has the line.
    """
    try:
        files.check_regular(path)
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{path} cannot be read ({error}): {_REMEDY}") from error
    records = parse_records(path, text, _check, remedy=_REMEDY)
    if not records:
        raise ExperimentError(f"{path} holds no measurements: {_REMEDY}")
    return records


def _check(before: Sequence[Record], record: Record) -> None:
    """Raises ValueError unless ``record`` is a measurement, with the fields of the others of its kind."""
    for name, kind in _FIELDS.items():
        if not isinstance(record.get(name), kind):
            raise ValueError(f"{name}={record.get(name)!r}: must be {'a text' if kind is str else 'an integer'}")
    alike = next((other for other in before if other["measurement"] == record["measurement"]), record)
    differing = sorted(alike.keys() ^ record.keys())
    if differing:
        raise ValueError(f"{differing[0]!r}: is a field of some {record['measurement']!r} and not of others")
