"""Labels of files converted to class numbers, and the examples that are held out for testing."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lbb_jax.extras import needs

_LOGGER = logging.getLogger(__name__)


class FileRows(NamedTuple):
    """Labels or features as a file holds them.

    Attributes:
      values: Labels ``[n]``: texts, integers, bools, or whole numbers in floating point; or features ``[n, ...]``.
      place: Names the file and a row of it, for messages: ``"train.csv, row {row}"``.
      numbers: The number of each row as a reader of the file counts it; None if rows count from 0.
    """

    values: np.ndarray
    place: str
    numbers: Sequence[int] | None = None

    def at(self, row: int) -> str:
        """Where row ``row`` stands."""
        return self.place.format(row=row if self.numbers is None else self.numbers[row])


class SplitRows(NamedTuple):
    """One side of a split: the examples to learn from, or those to test on.

    Attributes:
      rows: Their rows in the file, in ascending order.
      labels: Their labels, as numbers of classes, int32.
    """

    rows: np.ndarray
    labels: np.ndarray


def split(train: FileRows, test: FileRows | None, test_share: float) -> tuple[tuple[str, ...], SplitRows, SplitRows]:
    """The names of the classes, the examples to learn from, and those to test on.

    Args:
      train: The labels of the training file.
      test: Those of the test file; None to hold out a share of the training file, stratified by class.
      test_share: The share that is held out then.

    Raises:
      ValueError: For labels that cannot be used; the message names the file and the row.
    """
    names, labels, test_labels = _encode(train, test)
    if test_labels is not None:
        return names, SplitRows(np.arange(len(labels)), labels), SplitRows(np.arange(len(test_labels)), test_labels)
    train_rows, test_rows = _hold_out(labels, names, test_share, train)
    return names, SplitRows(train_rows, labels[train_rows]), SplitRows(test_rows, labels[test_rows])


def _encode(train: FileRows, test: FileRows | None) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """Numbers the classes that the training labels name: texts in alphabetical order, numbers by their size."""
    values = _whole(train)
    found, first, numbers = np.unique(values, return_index=True, return_inverse=True)
    if len(found) < 2:
        raise ValueError(f"{train.at(int(first[0]))}: all labels are {found[0]!s}; there must be at least two classes")
    encoded_test = None if test is None else _number(_whole(test), found, test, train)
    return tuple(map(str, found)), numbers.astype(np.int32), encoded_test


def _whole(rows: FileRows) -> np.ndarray:
    """The labels as texts or integers; ValueError if one is missing."""
    values = rows.values
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{rows.at(0)}: labels have the shape {values.shape}: must be [n], one for each example")
    if values.dtype.kind in "US":
        values = np.char.strip(values.astype(str))
        _refuse(rows, values == "", "has no label; leave it out")
    elif values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            _refuse(rows, ~np.isfinite(values), "has no label; leave it out")
            _refuse(rows, values != np.trunc(values), "has a label that is no whole number")
        values = values.astype(np.int64)
    elif values.dtype.kind not in "iub":
        raise ValueError(f"{rows.at(0)}: labels are of {values.dtype}: must be texts or whole numbers")
    return values


def _refuse(rows: FileRows, is_fault: np.ndarray, problem: str) -> None:
    if is_fault.any():
        raise ValueError(f"{rows.at(int(np.argmax(is_fault)))}: {problem}")


def _number(values: np.ndarray, found: np.ndarray, test: FileRows, train: FileRows) -> np.ndarray:
    if (values.dtype.kind in "US") != (found.dtype.kind in "US"):
        raise ValueError(f"{test.at(0)}: labels are of {values.dtype}, and those of {train.at(0)} of {found.dtype}")
    places = np.minimum(np.searchsorted(found, values), len(found) - 1)
    unknown = found[places] != values
    if unknown.any():
        row = int(np.argmax(unknown))
        raise ValueError(
            f"{test.at(row)}: the class {values[row]!s} is none of the {len(found)} of the training examples; add "
            "training examples of it, or leave its test examples out"
        )
    return places.astype(np.int32)


def _hold_out(labels: np.ndarray, names: Sequence[str], share: float, rows: FileRows) -> tuple[np.ndarray, np.ndarray]:
    """The rows to learn from and those to test on, the same ones every time; the log says so."""
    with needs("experiments"):
        from sklearn.model_selection import train_test_split

    counts = np.bincount(labels, minlength=len(names))
    if counts.min() < 2:
        row = int(np.flatnonzero(labels == np.argmin(counts))[0])
        raise ValueError(
            f"{rows.at(row)}: the only example of the class {names[np.argmin(counts)]!r}; a test split is held "
            "out of every class, so give the class another example, or bring a test split"
        )
    num_test = round(share * len(labels))
    if not len(counts) <= num_test <= len(labels) - len(counts):
        raise ValueError(
            f"test_share={share}: is {num_test} of {len(labels)} examples; both parts need at least "
            f"{len(counts)}, one of each class"
        )
    train, test = train_test_split(np.arange(len(labels)), test_size=num_test, random_state=0, stratify=labels)
    _LOGGER.info(
        "no test split: %s of %s examples are held out to test on, stratified by class",
        f"{num_test:,}",
        f"{len(labels):,}",
    )
    return np.sort(train), np.sort(test)


def describe_labels(labels: np.ndarray, names: Sequence[str]) -> str:
    """The numbers of examples and classes of a pool in words, with its rarest and its most frequent class."""
    counts = np.bincount(labels, minlength=len(names))
    rarest, most = int(np.argmin(counts)), int(np.argmax(counts))
    said = f"{len(labels):,} examples of {len(names)} classes"
    if counts[rarest] == counts[most]:
        return f"{said}, {counts[most]:,} each"
    return f"{said}, from {counts[rarest]:,} ({names[rarest]}) to {counts[most]:,} ({names[most]})"
