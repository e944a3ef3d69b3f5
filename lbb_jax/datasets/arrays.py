"""A data set of the user's own, in NumPy's files."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lbb_jax import paths
from lbb_jax.datasets import classes, statistics
from lbb_jax.datasets.source import Source, Split
from lbb_jax.ranges import Share, Switch, Text

NEEDED, OPTIONAL = ("train_features", "train_labels"), ("test_features", "test_labels")


def load(*, path: Text, standardise: Switch = True, test_share: Share = 0.2) -> Source:
    """Opens a data set of arrays.

    Args:
      path: An ``.npz`` file, or a folder of ``.npy`` files, which are mapped: ``train_features``, ``train_labels`` and,
        both or neither, ``test_features`` and ``test_labels``. Features are vectors ``[n, D]``, or images
        ``[n, height, width]`` or ``[n, height, width, channels]``, of any dtype of numbers. Labels are texts or whole
        numbers ``[n]``.
      standardise: Whether the mean over the training examples is subtracted from the features, and the result divided
        by their standard deviation: for each channel of images, and for each feature of vectors.
      test_share: Without test arrays, the share of the examples that is held out to test on, stratified by class.

    Raises:
      PathError: If there is nothing at ``path``, or it cannot be read.
      ValueError: For arrays that are missing, damaged, or do not fit together, and for labels or features that are not
        as above; the message names the file and the row.
    """
    arrays = _open(paths.existing(path, name="path"))
    for name in ("train", "test"):
        if f"{name}_features" in arrays:
            _check_shapes(name, arrays[f"{name}_features"], arrays[f"{name}_labels"])
    train_features, test_features = arrays["train_features"], arrays.get("test_features")
    names, train_part, test_part = classes.split(arrays["train_labels"], arrays.get("test_labels"), test_share)
    if test_features is not None and test_features.values.shape[1:] != train_features.values.shape[1:]:
        raise ValueError(
            f"{test_features.at(0)}: examples have the shape {test_features.values.shape[1:]}, and those of "
            f"{train_features.at(0)} {train_features.values.shape[1:]}: must be the same"
        )
    train = _split(train_features, train_part)
    test = _split(train_features if test_features is None else test_features, test_part)
    mean, std = np.float32(0), np.float32(1)
    if standardise:
        mean, std = statistics.of_blocks(lambda start, stop: train.read(start, stop)[0], train.num_examples)
    return Source(train, test, len(names), mean=mean, std=std, class_names=names)


def _open(path: Path) -> dict[str, classes.FileRows]:
    """The arrays at ``path``, by name, each with the place of its rows."""
    if path.is_dir():
        files = {name: path / f"{name}.npy" for name in (*NEEDED, *OPTIONAL)}
        found = {name: _read(file) for name, file in files.items() if file.exists()}
    else:
        found = _read_archive(path)
    for name in NEEDED if not found.keys() & set(OPTIONAL) else (*NEEDED, *OPTIONAL):
        if name not in found:
            there = ", ".join(found) or "none of them"
            raise ValueError(
                f"path={path}: has no array {name}; there must be {' and '.join(NEEDED)}, and both or neither of "
                f"{' and '.join(OPTIONAL)}; there is {there}"
            )
    return found


def _read(file: Path) -> classes.FileRows:
    with _explained(f"{file}"):
        return classes.FileRows(np.load(file, mmap_mode="r", allow_pickle=False), f"{file}[{{row}}]")


def _read_archive(path: Path) -> dict[str, classes.FileRows]:
    found = {}
    # NumPy leaves a damaged file open.
    with path.open("rb") as file:
        with _explained(f"path={path}"):
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is no .npz file")
        for name in (*NEEDED, *OPTIONAL):
            if name in archive:
                with _explained(f"{name} of {path}"):
                    found[name] = classes.FileRows(archive[name], f"{path}: {name}[{{row}}]")
    return found


@contextlib.contextmanager
def _explained(place: str) -> Iterator[None]:
    """Says which array cannot be read, and what to do."""
    try:
        yield
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        if "pickle" in str(error).lower() or "Python objects" in str(error):
            raise ValueError(
                f"{place}: is no array of numbers or texts (rows of unequal lengths, or Python objects); save one of a "
                "fixed dtype, such as np.asarray(labels, dtype=str)"
            ) from error
        raise ValueError(f"{place}: cannot be read ({error}); save it again, by np.savez or np.save") from error


def _check_shapes(name: str, features: classes.FileRows, labels: classes.FileRows) -> None:
    shape, dtype = features.values.shape, features.values.dtype
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise ValueError(
            f"{features.at(0)}: {name}_features has the shape {shape}: must be vectors [n, D], or images "
            "[n, height, width] or [n, height, width, channels]"
        )
    if dtype.kind not in "biuf":
        raise ValueError(f"{features.at(0)}: {name}_features are of {dtype}: must be numbers")
    if labels.values.shape != shape[:1]:
        raise ValueError(
            f"{labels.at(0)}: {name}_labels has the shape {labels.values.shape}: must be {shape[:1]}, one for each of "
            f"the {shape[0]} examples of {name}_features"
        )


def _split(features: classes.FileRows, part: classes.SplitRows) -> Split:
    """The examples ``part.rows`` of an array, each read when it is asked for."""

    def read(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        wanted = part.rows[start:stop]
        block = np.asarray(features.values[wanted])
        if block.ndim == 3:
            block = block[..., None]
        if block.dtype.kind == "f":
            is_fault = ~np.isfinite(block).reshape(len(block), -1).all(axis=1)
            if is_fault.any():
                row = int(wanted[np.argmax(is_fault)])
                raise ValueError(f"{features.at(row)}: holds NaN or infinity; leave the example out, or correct it")
        return block.astype(np.float32) if block.dtype == np.float64 else block, part.labels[start:stop]

    return Split(len(part.rows), read)
