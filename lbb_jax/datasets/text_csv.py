"""A data set of the user's own: texts in CSV files, as a frozen encoder turns them into vectors. Needs ``text``."""

import csv
import functools
from pathlib import Path

import numpy as np

from lbb_jax import paths, text
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
      label_column: The column of the labels, which are classes by their names.
      test_share: Without a test file, the share of the texts that is held out to test on, stratified by class.

    Returns:
      The texts as vectors ``[n, D]`` float32, made when they are first read and kept in the user's cache folder, with
      the statistics of `encoded_texts.standardised`.

    Raises:
      PathError: If there is no such file or folder.
      ValueError: For a file without these columns, an empty text or label, and a class of the test file that the
        training file lacks; the message names the file and the line. Also if the encoder cannot be read.
    """
    place = paths.existing(path, name="path")
    train_file = place / "train.csv" if place.is_dir() else place
    test_file = place / "test.csv" if place.is_dir() and (place / "test.csv").exists() else None
    train_texts, train_labels = _read(train_file, text_column, label_column)
    test_texts, test_labels = train_texts, None
    if test_file is not None:
        test_texts, test_labels = _read(test_file, text_column, label_column)
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


def _read(file: Path, text_column: str, label_column: str) -> tuple[list[str], classes.Rows]:
    """The texts of a file, and their labels: those of two columns."""
    texts, labels = [], []
    with paths.input_file(file, name="path").open(newline="", encoding="utf-8-sig") as opened:
        rows = csv.DictReader(opened, strict=True)
        try:
            for column in (text_column, label_column):
                if column not in (rows.fieldnames or ()):
                    raise ValueError(
                        f"{file}: has no column {column!r}; it has {', '.join(rows.fieldnames or ()) or 'none'}; set "
                        "text_column and label_column"
                    )
            for row in rows:
                if not (row[text_column] or "").strip() or not (row[label_column] or "").strip():
                    empty = text_column if not (row[text_column] or "").strip() else label_column
                    raise ValueError(
                        f"{file}, line {rows.line_num}: the column {empty!r} is empty; fill it, or leave it out"
                    )
                texts.append(row[text_column])
                labels.append(row[label_column])
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(
                f"{file}, line {rows.line_num + 1}: is no CSV in UTF-8 ({error}); save it as such"
            ) from error
    if not texts:
        raise ValueError(f"{file}: holds no rows")
    return texts, classes.Rows(np.asarray(labels), f"{file}, row {{row}}")
