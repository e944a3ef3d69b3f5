"""Files that people and their programs fill in: lists of ids, and tables with a column of labels."""

import csv
import io
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lbb_jax import paths
from lbb_jax.labelling.errors import LabellingError, first_of
from lbb_jax.labelling.names import SKIP
from lbb_jax.labelling.state import Label

BATCH_COLUMNS = ("id", "score", "label")


def read_lines(path: str | os.PathLike, *, name: str) -> list[str]:
    """The lines of a text file without surrounding spaces; empty ones are left out.

    Args:
      path: The file, in UTF-8.
      name: The argument that names it, for messages.

    Raises:
      PathError: If there is no such file.
      LabellingError: If it is not in UTF-8.
    """
    return [line.strip() for line in _read_text(path, name).splitlines() if line.strip()]


def read_ids(path: str | os.PathLike, *, name: str) -> list[str]:
    """Ids from a text file, an id a line, or from the column ``id`` of a file that ends in ``.csv``."""
    if Path(path).suffix.lower() != ".csv":
        return read_lines(path, name=name)
    return [row["id"] for _, row in read_rows(path, ["id"], name=name)]


def read_rows(path: str | os.PathLike, columns: Sequence[str], *, name: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a line of headings, each with its number as a spreadsheet shows it.

    Commas, semicolons and tabs separate columns, whichever the headings have. Rows without any text are left out.

    Args:
      path: The file, in UTF-8.
      columns: Headings that it must have.
      name: The argument that names it, for messages.

    Raises:
      PathError: If there is no such file.
      LabellingError: If it is not in UTF-8, lacks one of ``columns``, or a row has more fields than there are headings.
    """
    text = _read_text(path, name)
    headings = text.split("\n", 1)[0]
    separator = max(",;\t", key=headings.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [[field.strip() for field in fields] for fields in reader]
    except csv.Error as error:
        raise LabellingError(f"{path}, row {reader.line_num}: is no row of a CSV file ({error})") from error
    head = rows[0] if rows else []
    missing = [column for column in columns if column not in head]
    if missing:
        raise LabellingError(f"{path}: has no column {first_of(missing)}; its columns are {first_of(head, 10)}")
    numbered = [(number, row) for number, row in enumerate(rows[1:], start=2) if any(row)]
    for number, row in numbered:
        if any(row[len(head) :]):
            raise LabellingError(f"{path}, row {number}: has {len(row)} fields where there are {len(head)} columns")
    return [(number, dict.fromkeys(head, "") | dict(zip(head, row, strict=False))) for number, row in numbered]


def read_labels(path: str | os.PathLike, *, ids: Collection[str], classes: Sequence[str]) -> dict[str, Label]:
    """What the columns ``id`` and ``label`` of a CSV file tell; rows without a label tell nothing.

    Args:
      path: The file.
      ids: The ids that may stand there.
      classes: The classes that may. ``SKIP`` stands for a point that cannot be labelled.

    Raises:
      PathError: If there is no such file.
      LabellingError: For what `read_rows` refuses, an id or label that is not allowed, and an id with two labels. The
        message names row and column.
    """
    labels: dict[str, Label] = {}
    faults = []
    for number, row in read_rows(path, ["id", "label"], name="labels"):
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
    """What tasks show of each id: the columns of a CSV file beside ``id``.

    Raises:
      PathError: If there is no such file.
      LabellingError: For what `read_rows` refuses, a file with no other column, and an id that stands there twice.
    """
    rows = read_rows(path, ["id"], name="--data")
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


def _read_text(path: str | os.PathLike, name: str) -> str:
    file = paths.input_file(path, name=name)
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabellingError(f"{path}: is not in UTF-8 ({error}); save it as CSV or text in UTF-8") from error
    except OSError as error:
        raise LabellingError(f"{path}: cannot be read ({error})") from error
