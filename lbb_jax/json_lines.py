"""Files of JSON lines: an object in each."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lbb_jax.errors import ExperimentError

# The fields of a line: in a run, of one round of one seed.
Record = dict[str, Any]


def parse_records(
    path: Path,
    text: str,
    check: Callable[[Sequence[Record], Record], None],
    *,
    remedy: str,
    may_be_cut: bool = False,
) -> list[Record]:
    """The objects in lines of JSON.

    Args:
      path: The file, for messages.
      text: What it holds.
      check: Receives the objects of the lines before, and the object of the line; raises ValueError if the latter is
        wrong.
      remedy: What to do about a damaged file.
      may_be_cut: Whether a last line that was cut short is left out, as in a file that lines are appended to.

    Returns:
      The objects.

    Raises:
      ExperimentError: For a line that is not an object, or that ``check`` refuses.
    """
    records: list[Record] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            if may_be_cut and number == len(lines):
                break
            raise ExperimentError(f"{path} is damaged (line {number}: {error}): {remedy}") from error
        try:
            if not isinstance(record, dict):
                raise ValueError("it is not an object")
            check(records, record)
        except ValueError as error:
            raise ExperimentError(f"{path} is damaged (line {number}: {error}): {remedy}") from error
        records.append(record)
    return records


def read_lines(path: Path) -> list[Record]:
    """The objects in the lines of a file whose last line is complete.

    Raises:
      ExperimentError: For a line that is not JSON, or not an object.
    """
    return parse_records(path, path.read_text(encoding="utf-8"), lambda before, record: None, remedy="restore it")


def to_lines(records: Sequence[Record]) -> str:
    """Objects as lines of JSON."""
    return "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
