"""Files that people and their programs fill in: lists of ids, and tables with a column of labels."""

import csv
import io
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lbb_jax import csv_tables
from lbb_jax.labelling.errors import LabellingError, first_of
from lbb_jax.labelling.names import SKIP, as_names
from lbb_jax.labelling.state import Label

BATCH_COLUMNS = ("id", "score", "label")


def read_text_lines(path: str | os.PathLike, *, name: str) -> list[str]:
    """The lines of a text file without surrounding spaces; empty ones are left out.

    Args:
      path: The file, in UTF-8.
      name: The argument that names it, for messages.

    Raises:
      PathError: If there is no such file.
      TableError: If it is not in UTF-8.
    """
    return [line.strip() for line in csv_tables.read_text(path, name=name).splitlines() if line.strip()]


def read_ids(path: str | os.PathLike, *, name: str) -> list[str]:
    """Ids from a text file, an id a line, or from the column ``id`` of a file that ends in ``.csv``."""
    if Path(path).suffix.lower() != ".csv":
        return read_text_lines(path, name=name)
    return [row["id"] for _, row in csv_tables.read_rows(path, ["id"], name=name)]


def read_distinct_ids(path: str | os.PathLike, *, name: str) -> list[str]:
    """`read_ids` for ids of a project or of rows, each of which is there once; LabellingError names the file if not."""
    return as_names(read_ids(path, name=name), what="id", file=f"{name}={path}")


def read_labels(path: str | os.PathLike, *, ids: Collection[str], classes: Sequence[str]) -> dict[str, Label]:
    """What the columns ``id`` and ``label`` of a CSV file tell; rows without a label tell nothing.

    Args:
      path: The file.
      ids: The ids that are allowed.
      classes: The classes that are allowed. ``SKIP`` stands for a point that cannot be labelled.

    Raises:
      PathError: If there is no such file.
      TableError: As `lbb_jax.csv_tables.read_rows`.
      LabellingError: For an id or label that is not allowed, and an id with two labels. The message names row and
        column.
    """
    labels: dict[str, Label] = {}
    faults = []
    for number, row in csv_tables.read_rows(path, ["id", "label"], name="labels"):
        id_, text = row["id"], row["label"]
        where = f"{path}, row {number}"
        label = None if text == SKIP else text
        if id_ not in ids:
            faults.append(f"{where}, column id: {id_!r} is no id of the project")
        elif text and text != SKIP and text not in classes:
            faults.append(
                f"{where}, column label: {text!r} is no class of the project; its classes are "
                f"{first_of(classes, 20)}, to which lbb-jax add --classes adds, and {SKIP} stands for a point that "
                "cannot be labelled"
            )
        elif text and labels.get(id_, label) != label:
            faults.append(f"{where}, column label: {id_!r} has another label further up; leave one of the two")
        elif text:
            labels[id_] = label
    if faults:
        more = f" (and {len(faults) - 1} more rows are wrong)" if len(faults) > 1 else ""
        raise LabellingError(f"{faults[0]}{more}; nothing was told")
    return labels


def shown(label: Label) -> str:
    """A label as files have it."""
    return SKIP if label is None else label


def batch_table(ids: Iterable[str], scores: Iterable[float | None]) -> str:
    """The CSV file of a batch: ``id,score,label``, with labels to be filled in."""
    texts = ["" if score is None else f"{score:.6g}" for score in scores]
    return table(BATCH_COLUMNS, ((id_, text, "") for id_, text in zip(ids, texts, strict=True)))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV file with a line of headings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def read_task_data(path: str | os.PathLike) -> Mapping[str, dict[str, str]]:
    """What tasks show for each id: the columns of a CSV file other than ``id``.

    Raises:
      PathError: If there is no such file.
      TableError: As `lbb_jax.csv_tables.read_rows`.
      LabellingError: For a file with no other column, and an id that stands there twice.
    """
    rows = csv_tables.read_rows(path, ["id"], name="--data")
    data: dict[str, dict[str, str]] = {}
    for number, row in rows:
        if row["id"] in data:
            raise LabellingError(f"{path}, row {number}, column id: {row['id']!r} stands further up, too")
        data[row["id"]] = {name: value for name, value in row.items() if name != "id"}
    if not any(data.values()):
        raise LabellingError(
            f"{path}: has no column beside id; add one with what is to be shown, such as text or image"
        )
    return data
