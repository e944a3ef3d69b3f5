"""A data set of the user's own: texts in CSV files, which a frozen encoder turns into vectors. Needs ``text``."""

import functools
from pathlib import Path

import numpy as np

from lbb_jax import csv_tables, paths, text
from lbb_jax.datasets import classes, encoded_texts
from lbb_jax.datasets.source import Source
from lbb_jax.ranges import Count, Share, Text


def load(
    *,
    path: Text,
    encoder: Text = "minilm",
    max_length: Count = 128,
    text_column: Text = "text",
    label_column: Text = "label",
    test_share: Share = 0.2,
) -> Source:
    """Opens the texts of one or two files.

    Args:
      path: A CSV file with a header; or a folder that holds ``train.csv`` and, if there is a test split, ``test.csv``.
      encoder: A checkpoint, as `lbb_jax.text.locate` takes it.
      max_length: Tokens of a text that the encoder reads.
      text_column: The column of the texts.
      label_column: The column of the labels, which are names of classes.
      test_share: Without a test file, the share of the texts that is held out to test on, stratified by class.

    Returns:
      The texts as vectors ``[n, D]`` float32, made when they are first read and kept in the user's cache folder, with
      the statistics of `encoded_texts.standardised`.

    Raises:
      PathError: If there is no such file or folder.
      ValueError: For a file without these columns, an empty text or label, and a class of the test file that the
        training file lacks; the message names the file and the row. Also if the encoder cannot be read.
    """
    place, columns = paths.existing(path, name="path"), (text_column, label_column)
    train_file = place / "train.csv" if place.is_dir() else place
    test_file = place / "test.csv" if place.is_dir() and (place / "test.csv").exists() else None
    train_texts, train_labels = _read(train_file, *columns)
    test_texts, test_labels = (train_texts, None) if test_file is None else _read(test_file, *columns)
    names, train, test = classes.split(train_labels, test_labels, test_share)
    parts = [
        ([texts[row] for row in part.rows], part.labels) for texts, part in ((train_texts, train), (test_texts, test))
    ]
    text_encoder = text.load_text_encoder(encoder, max_length=max_length)
    splits = [
        encoded_texts.vectors(
            text_encoder,
            len(texts),
            functools.partial(_block, texts, labels),
            description=f"embedding {train_file.name}",
        )
        for texts, labels in parts
    ]
    return encoded_texts.standardised(*splits, text_encoder, names)


def _block(texts: list[str], labels: np.ndarray, start: int, stop: int) -> tuple[list[str], np.ndarray]:
    return texts[start:stop], labels[start:stop]


def _read(file: Path, text_column: str, label_column: str) -> tuple[list[str], classes.FileRows]:
    """The texts and the labels of a file, each from its column."""
    rows = csv_tables.read_rows(file, (), name="path")
    there = list(rows[0][1]) if rows else []
    for number, row in rows:
        for column in (text_column, label_column):
            if column not in row:
                raise ValueError(
                    f"{file}: has no column {column!r}; it has {', '.join(there)}; set text_column and label_column"
                )
            if not row[column]:
                raise ValueError(f"{file}, row {number}: the column {column!r} is empty; fill it, or leave it out")
    if not rows:
        raise ValueError(f"{file}: holds no rows")
    numbers, values = zip(*rows, strict=True)
    labels = classes.FileRows(np.asarray([row[label_column] for row in values]), f"{file}, row {{row}}", numbers)
    return [row[text_column] for row in values], labels
