"""A model's predictions as files hold them: log-probabilities ``[N, K, C]``, and which row belongs to which id."""

import os
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lbb_jax import paths
from lbb_jax.arguments import check_predictions
from lbb_jax.labelling import tables
from lbb_jax.labelling.errors import LabellingError, first_of
from lbb_jax.labelling.names import as_names

# Names of arrays that hold probabilities, not their logarithms.
_PROBABILITIES = ("probs", "probabilities")
_ROWS_PER_BLOCK = 4096


class PredictionFile(NamedTuple):
    """What a file of predictions holds.

    Attributes:
      log_probs: Log-probabilities ``[N, K, C]``.
      ids: The id of each row; None where the file names none.
      classes: The class of each column; None where the file names none.
    """

    log_probs: np.ndarray
    ids: list[str] | None
    classes: list[str] | None


def read(
    path: str | os.PathLike, *, probabilities: bool = False, ids: str | os.PathLike | None = None
) -> PredictionFile:
    """Predictions from a ``.npy`` file, or from an ``.npz`` file that may hold ``ids`` and ``classes`` beside them.

    Args:
      path: The file. Arrays called ``probs`` or ``probabilities`` are taken as probabilities.
      probabilities: Whether the file holds probabilities and not their logarithms.
      ids: A text file with the id of each row, an id a line.

    Raises:
      PathError: If a file is not there.
      LabellingError: If it is not what it should be. Nothing is unpickled.
      ValueError: If the array is not a floating-point one of three axes, none of them empty.
      TypeError: If ids or classes are no list of names.
    """
    arrays = _load(path, name="PREDICTIONS")
    named_ids, named_classes = arrays.pop("ids", None), arrays.pop("classes", None)
    if len(arrays) != 1:
        raise LabellingError(
            f"{path}: holds the arrays {first_of(arrays)}: must be one array of predictions, such as log_probs or "
            "probs, beside ids and classes"
        )
    ((name, values),) = arrays.items()
    are_probabilities = probabilities or name in _PROBABILITIES
    if are_probabilities:
        values = logarithms(values, name=str(path))
    check_predictions(values, name=f"{path}: {name}")
    if not are_probabilities:
        _check_logarithms(values, name=str(path))
    if ids is not None:
        row_ids = tables.read_distinct_ids(ids, name="--ids")
    else:
        row_ids = None if named_ids is None else as_names(named_ids.tolist(), what="id", file=str(path))
    classes = None if named_classes is None else as_names(named_classes.tolist(), what="class", file=str(path))
    if row_ids is not None and len(row_ids) != len(values):
        raise LabellingError(f"{ids or path}: has {len(row_ids)} ids for the {len(values)} rows of {path}")
    return PredictionFile(values, row_ids, classes)


def read_array(path: str | os.PathLike, *, name: str) -> np.ndarray:
    """The one array of a ``.npy`` or ``.npz`` file.

    Raises:
      PathError: If there is no such file.
      LabellingError: If it holds anything else.
    """
    arrays = _load(path, name=name)
    if len(arrays) != 1:
        raise LabellingError(f"{name}={path}: holds the arrays {first_of(arrays)}: must be one")
    return next(iter(arrays.values()))


def logarithms(probs: Any, *, name: str = "probs") -> np.ndarray:
    """Logarithms of probabilities, in float32; whether rows sum to 1 is left to `lbb_jax.acquisition.acquire`.

    Raises:
      LabellingError: For values that are no probabilities.
    """
    values = np.asarray(probs)
    if not np.issubdtype(values.dtype, np.floating):
        raise LabellingError(f"{name} has dtype {values.dtype}: must be floating point")
    if np.any((values < 0) | (values > 1 + 1e-3)):
        raise LabellingError(f"{name}: holds values below 0 or above 1, which are no probabilities")
    with np.errstate(divide="ignore"):
        return np.log(values.astype(np.float32))


def rows_of(
    num_rows: int, row_ids: Sequence[str] | None, known: dict[str, int], needed: Sequence[str], *, subset: bool
) -> np.ndarray:
    """The number of each row's id in the project, ``[N]``.

    Args:
      num_rows: The number of rows ``N``.
      row_ids: The ids of the rows; None if they are all ids of the project in its order.
      known: The ids of the project and their numbers.
      needed: The ids that may be asked.
      subset: Whether some of ``needed`` may have no row.

    Raises:
      LabellingError: If rows and ids do not match; the message names the first ids.
    """
    if row_ids is None:
        if num_rows != len(known):
            raise LabellingError(
                f"the predictions have {num_rows} rows, and the project has {len(known)} ids, {first_of(known, 3)}: "
                "give a row for each id in this order, or name the ids of the rows"
            )
        return np.arange(num_rows)
    if len(row_ids) != num_rows:
        raise LabellingError(f"there are {len(row_ids)} ids for the {num_rows} rows of the predictions")
    unknown = [id_ for id_ in row_ids if id_ not in known]
    if unknown:
        raise LabellingError(
            f"the predictions have rows for {first_of(unknown)}, not in the project; add these ids to it, or leave the "
            "rows out"
        )
    missing = set(needed).difference(row_ids)
    if missing and not subset:
        in_order = [id_ for id_ in needed if id_ in missing]
        raise LabellingError(
            f"the predictions have no row for {first_of(in_order)}, which could be asked; predict every such point, or "
            "say that only those predicted may be picked (--subset, subset=True)"
        )
    return np.array([known[id_] for id_ in row_ids])


def in_order(log_probs: Any, classes: Sequence[str] | None, expected: Sequence[str]) -> Any:
    """``log_probs[N, K, C]`` with its columns in the order of the project's classes.

    Args:
      log_probs: The columns are those of ``classes``, or of ``expected`` if ``classes`` is None.
      classes: The names of the columns. Those of ``expected`` that are not among them have probability 0.
      expected: The classes of the project.

    Raises:
      LabellingError: If ``classes`` holds one that is not in ``expected``, or not as many as there are columns.
    """
    named = list(expected if classes is None else classes)
    shape = log_probs.shape
    if shape[2] != len(named):
        raise LabellingError(
            f"the predictions have shape {shape}: must be [points, draws, {len(named)}], with a column for each of "
            f"the classes {first_of(named)}; if the model does not know all of them, name those that it does"
        )
    if named == list(expected):
        return log_probs
    if set(named) - set(expected):
        raise LabellingError(
            f"the predictions are of the classes {first_of(named, 20)}, and the project has {first_of(expected, 20)}"
        )
    values = np.asarray(log_probs)
    # The last column, at -1, is that of the classes that are not named.
    padded = np.concatenate([values, np.full((*shape[:2], 1), -np.inf, values.dtype)], axis=2)
    return padded[:, :, [named.index(name) if name in named else -1 for name in expected]]


def likeliest(log_probs: Any) -> np.ndarray:
    """The class of largest mean probability of each row of ``log_probs[N, K, C]``, ``[N]`` int32; -1 for NaN."""
    classes = []
    for start in range(0, len(log_probs), _ROWS_PER_BLOCK):
        # What is no log-probability may overflow; `lbb_jax.acquisition.acquire` refuses it.
        with np.errstate(over="ignore"):
            mean = np.exp(np.asarray(log_probs[start : start + _ROWS_PER_BLOCK], np.float32)).mean(axis=1)
        classes.append(np.where(np.isnan(mean).any(axis=1), -1, mean.argmax(axis=1)))
    return np.concatenate(classes).astype(np.int32)


def check_predicted(classes: np.ndarray, available: np.ndarray, ids: Sequence[str]) -> None:
    """Raises LabellingError if an available point has no prediction.

    Args:
      classes: What `likeliest` returns, ``[N]``.
      available: Bool ``[N]``.
      ids: The id of each row.
    """
    missing = [ids[row] for row in np.flatnonzero(available & (classes < 0)).tolist()]
    if missing:
        raise LabellingError(
            f"the predictions hold NaN for {first_of(missing)}, which could be asked; predict every such point, or "
            "leave its row out and say that only those predicted may be picked (--subset, subset=True)"
        )


def spread(classes: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """The classes of rows in the order of a project's ``count`` ids, -1 for those without a row."""
    in_order = np.full(count, -1, np.int32)
    in_order[numbers] = classes
    return in_order


def kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Cohen's kappa between two predictions of classes, over the points that both predict.

    Args:
      first: Classes ``[N]``, -1 for none.
      second: Classes ``[M]`` of the same points; points that only one of the two has stand at its end.

    Returns:
      The agreement beyond what the shares of the classes give by chance: 1 for the same predictions, 0 for independent
      ones; None where no point has both.
    """
    length = min(len(first), len(second))
    first, second = first[:length], second[:length]
    both = (first >= 0) & (second >= 0)
    first, second = first[both], second[both]
    if not len(first):
        return None
    size = 1 + max(first.max(), second.max())
    shares = [np.bincount(classes, minlength=size) / len(first) for classes in (first, second)]
    agreement, by_chance = np.mean(first == second), np.dot(*shares)
    # Both predict one class everywhere.
    return 1.0 if by_chance >= 1 else float((agreement - by_chance) / (1 - by_chance))


def _check_logarithms(values: np.ndarray, *, name: str) -> None:
    """Raises LabellingError for what looks like probabilities; all else is left to `lbb_jax.acquisition.acquire`."""
    block = values[:_ROWS_PER_BLOCK]
    if np.all((block >= 0) & (block < 2)) and np.allclose(block.sum(axis=2, dtype=np.float32), 1, atol=1e-2):
        raise LabellingError(f"{name}: holds probabilities, not their logarithms; add --probabilities")


def _load(path: str | os.PathLike, *, name: str) -> dict[str, np.ndarray]:
    """The arrays of a file by name; that of a ``.npy`` file is ``log_probs``, mapped, not read."""
    file = paths.input_file(path, name=name)
    try:
        if file.suffix == ".npz":
            # `numpy.load` would also take a single array, and members that are none.
            with zipfile.ZipFile(file) as archive:
                return {member.removesuffix(".npy"): _member(archive, member) for member in archive.namelist()}
        return {"log_probs": np.lib.format.open_memmap(file, mode="r")}
    # The readers of damaged files, NumPy's and zlib's, raise many kinds of errors.
    except Exception as error:
        kind = "an .npz file of arrays that are not objects" if file.suffix == ".npz" else "a .npy file"
        raise LabellingError(f"{name}={path}: cannot be read as {kind} ({error})") from error


def _member(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
