"""Tables in CSV files, as spreadsheets and other programs write them."""

import csv
import io
import os
from collections.abc import Sequence

from lbb_jax import paths

Row = dict[str, str]


class TableError(ValueError):
    """A file is no such table; the message names it, and the row as a spreadsheet shows it."""


def read_rows(path: str | os.PathLike, columns: Sequence[str], *, name: str) -> list[tuple[int, Row]]:
    """The rows of a CSV file with a line of headings, each with its number as a spreadsheet shows it.

    Commas, semicolons and tabs separate columns, whichever the headings have. Spaces around a field are no part of it,
    and rows without any text are left out.

    Args:
      path: The file, in UTF-8.
      columns: Headings that it must have.
      name: The argument that names it, for messages.

    Raises:
      PathError: If there is no such file.
      TableError: If it is not in UTF-8, lacks one of ``columns``, has a heading twice, or a row has more fields than
        there are headings.
    """
    text = read_text(path, name=name)
    headings = text.split("\n", 1)[0]
    separator = max(",;\t", key=headings.count)
    # The limit is that of the whole process. To put it back could break a reader of another thread, so it only grows.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [[field.strip() for field in fields] for fields in reader]
    except csv.Error as error:
        raise TableError(f"{path}, row {reader.line_num}: is no row of a CSV file ({error})") from error
    head = rows[0] if rows else []
    missing = [column for column in columns if column not in head]
    if missing:
        there = ", ".join(map(repr, head)) or "none"
        raise TableError(f"{path}: has no column {missing[0]!r}; its columns are {there}")
    repeated = [column for column in head if column and head.count(column) > 1]
    if repeated:
        raise TableError(f"{path}: has the column {repeated[0]!r} more than once; leave one, or rename the others")
    numbered = [(number, row) for number, row in enumerate(rows[1:], start=2) if any(row)]
    for number, row in numbered:
        if any(row[len(head) :]):
            raise TableError(f"{path}, row {number}: has {len(row)} fields where there are {len(head)} columns")
    return [(number, dict.fromkeys(head, "") | dict(zip(head, row, strict=False))) for number, row in numbered]


def read_text(path: str | os.PathLike, *, name: str) -> str:
    """The text of a file in UTF-8, with or without a byte-order mark.

    Raises:
      PathError: If there is no such file.
      TableError: If it is not in UTF-8, or cannot be read.
    """
    file = paths.input_file(path, name=name)
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not in UTF-8 ({error}); save it as CSV or text in UTF-8") from error
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error})") from error
