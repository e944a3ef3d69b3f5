"""A labelling project: a folder that keeps the state of labelling.

``project.json``      the ids and the classes that the project began with
``log.jsonl``         what was asked, told and added, a line for each event; only ever appended
``batches/``          a file for each batch, to be filled in: ``0001.csv``, or ``0001.json`` for Label Studio
``predictions/``      the likeliest class of each point when a batch was asked: ``0001.npy``

The log alone defines the state of the project. A batch is logged when all its files are on the disk under temporary
names. The files are renamed after that, at the latest when the project is opened again.
"""

import builtins
import contextlib
import json
import operator
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import filelock

from lbb_jax import files, paths
from lbb_jax.labelling import label_studio, tables
from lbb_jax.labelling.errors import LabellingError, first_of
from lbb_jax.labelling.log import Log
from lbb_jax.labelling.names import as_classes, as_name, as_names
from lbb_jax.labelling.state import Label, ProjectState, replay
from lbb_jax.labelling.status import Status, status_of

if TYPE_CHECKING:
    import numpy as np

FORMATS = ("csv", "label-studio")
# How long a writer waits for another one.
LOCK_SECONDS = 60.0
_VERSION = 1
_STAGED = ".staged-"


class Batch(NamedTuple):
    """Points to be labelled.

    Attributes:
      number: 1 for a project's first batch.
      ids: The ids, in the order picked; audit points come last.
      indices: Their rows in the predictions, ``[b]`` int.
      scores: The method's score of each, ``[b]`` float32; NaN for audit points.
    """

    number: int
    ids: list[str]
    indices: "np.ndarray"
    scores: "np.ndarray"


class Told(NamedTuple):
    """What a call of `Project.tell` changed.

    Attributes:
      new: How many points were told for the first time, those that cannot be labelled among them.
      corrected: The ids whose label replaced another, with the old label and the new one.
      unchanged: How many had been told the same before.
    """

    new: int
    corrected: dict[str, tuple[Label, Label]]
    unchanged: int


class Project:
    """A project on disk; `create` and `open` make one. Several processes may use it: one writes at a time.

    Attributes:
      path: Its folder.
    """

    def __init__(self, path: Path):
        self.path = path
        content = _read_description(path / "project.json")
        self._first_classes: list[str] = content["classes"]
        self._first_ids: list[str] = content["ids"]
        self._log = Log(path / "log.jsonl")
        if any(self._staged_files()):
            with _alone(self.path):
                self._publish(len(self._state().batches))

    @property
    def ids(self) -> list[str]:
        """All ids, in the order in which they were added."""
        return list(self._state().ids)

    @property
    def classes(self) -> list[str]:
        """The names of all classes, in the order of the columns of predictions: that in which they were added."""
        return self._state().classes

    @property
    def pending(self) -> dict[str, int]:
        """The ids that wait for a label, with the numbers of their batches."""
        return self._state().pending

    def labels(self, *, audit: bool = True) -> dict[str, str]:
        """The latest label of each labelled id.

        Args:
          audit: Whether audit points are among them. A model that is judged by audit points must be trained without
            them.
        """
        state = self._state()
        left_out = {} if audit else state.audited
        return {id_: label for id_, label in state.labels.items() if label is not None and id_ not in left_out}

    def status(self) -> Status:
        """Counts, pending batches and stopping signals. Changes nothing."""
        state = self._state()
        return status_of(state, self._predictions_of(len(state.batches), state) if state.audited else None)

    def ask(
        self,
        log_probs: Any,
        *,
        method: Any = "power_lbb",
        batch_size: int = 32,
        seed: int = 0,
        ids: Iterable[Any] | None = None,
        classes: Sequence[str] | None = None,
        subset: bool = False,
        audit: float = 0.0,
        renew: bool | Iterable[int] = False,
        format: str = "csv",
        data: Mapping[str, Mapping[str, str]] | None = None,
        **options: Any,
    ) -> Batch:
        """Picks the next batch, and writes its file and the log before it is returned.

        Points that are labelled, cannot be labelled, or are pending are not picked. The random numbers are those of
        ``jax.random.fold_in(jax.random.key(seed), number)``, with the number of the batch: the same call on a copy of
        the folder picks the same points.

        Args:
          log_probs: Log-probabilities ``[N, K, C]``, as `lbb_jax.acquisition.acquire` takes them.
          method: A method of acquisition.
          batch_size: Points to ask, the audit points among them.
          seed: Seed of the random numbers, at least 0.
          ids: The ids of the rows, in any order; None if the rows are all ids of the project in its order.
          classes: The classes of the columns, in any order; None for all of the project in its order. Classes that are
            not named, such as one that was added after the model was trained, have probability 0.
          subset: Whether points that could be asked may be missing from ``ids``.
          audit: Share of the batch that is drawn uniformly from what could be asked, to judge the model by.
          renew: True to withdraw all that is pending first, or the numbers of the batches to withdraw. Withdrawn points
            may be asked again, also by this call.
          format: ``"csv"``, or ``"label-studio"`` for a file of tasks.
          data: What a task shows for each id, such as ``{"img_1": {"image": "https://..."}}``; for Label Studio only.
          **options: Options of the method. Arrays have a row for each row of ``log_probs``.

        Returns:
          The batch.

        Raises:
          LabellingError: If the rows do not match the ids, too few points are left, an argument is out of range, or the
            folder cannot be written to.
          ValueError, TypeError: As `lbb_jax.acquisition.acquire`. Nothing has changed then.
        """
        # Projects that only tell need no arrays.
        import numpy as np

        from lbb_jax.acquisition import checks
        from lbb_jax.labelling import picking, predictions

        _check_format(format, data)
        seed = check_seed(seed)
        log_probs = checks.read_predictions("log_probs", log_probs)
        row_ids = None if ids is None else as_names(ids, what="id")
        named = None if classes is None else as_names(classes, what="class")
        with _alone(self.path):
            state = self._state()
            log_probs = predictions.in_order(log_probs, named, state.classes)
            self._publish(len(state.batches))
            withdrawn = _withdrawn(state, renew)
            for id_ in withdrawn:
                del state.pending[id_]
            askable = [id_ for id_, may in zip(state.ids, state.is_askable, strict=True) if may]
            rows = predictions.rows_of(len(log_probs), row_ids, state.ids, askable, subset=subset)
            names = list(state.ids) if row_ids is None else row_ids
            available = np.array(state.is_askable)[rows]
            likeliest = predictions.likeliest(log_probs)
            predictions.check_predicted(likeliest, available, names)
            number = len(state.batches) + 1
            picks = picking.pick(
                log_probs,
                available,
                **{"method": method, "batch_size": batch_size, "seed": seed, "number": number, "audit": audit},
                options=options,
            )
            batch = Batch(number, [names[row] for row in picks.rows], picks.rows, picks.scores)
            scores = picking.scores_as_json(picks.scores)
            audited = picks.rows[len(picks.rows) - picks.num_audited :]
            in_order = predictions.spread(likeliest, rows, len(state.ids))
            before = self._predictions_of(number - 1, state)
            event = {
                **{"event": "ask", "batch": number, "ids": batch.ids, "scores": scores},
                "audit": {names[row]: state.classes[likeliest[row]] for row in audited},
                **{"withdrawn": withdrawn, "method": _name_of(method), "seed": seed},
                "options": picking.described(options),
                "kappa": None if before is None else predictions.kappa(before, in_order),
            }
            self._stage("predictions", f"{number:04d}.npy", files.npy_bytes(in_order))
            if format == "csv":
                file = f"{number:04d}.csv", tables.batch_table(batch.ids, scores)
            else:
                file = f"{number:04d}.json", label_studio.tasks(number, batch.ids, scores, data)
            self._stage("batches", *file)
            self._log.append(event)
            self._publish(number)
        return batch

    def tell(self, labels: Mapping[Any, Any]) -> Told:
        """Records labels; all of them or, on an error, none.

        Points that were never asked may be told, such as a first set of labels. A label for a point that has one is a
        correction. Repeating a label changes nothing.

        Args:
          labels: A class for each id, or None where it cannot be labelled, so that it is never asked again.

        Raises:
          LabellingError: For an unknown id or class; if the folder cannot be written to.
        """
        told = {
            as_name(id_, what="id"): None if label is None else as_name(label, what="label")
            for id_, label in labels.items()
        }
        with _alone(self.path):
            state = self._state()
            wrong = [(id_, label) for id_, label in told.items() if label is not None and label not in state.classes]
            if wrong:
                raise LabellingError(
                    f"label {wrong[0][1]!r} of {wrong[0][0]!r}: is no class of the project; its classes are "
                    f"{first_of(state.classes, 20)}, to which new ones may be added, and None stands for a point that "
                    "cannot be labelled; nothing was told"
                )
            unknown = [id_ for id_ in told if id_ not in state.ids]
            if unknown:
                raise LabellingError(
                    f"{first_of(unknown)}: no id of the project; add it first, or leave it out; nothing was told"
                )
            news = state.news_in(told)
            if news:
                self._log.append({"event": "tell", "labels": news})
        corrected = {id_: (state.labels[id_], label) for id_, label in news.items() if id_ in state.labels}
        return Told(len(news) - len(corrected), corrected, len(told) - len(news))

    def add(self, ids: Iterable[Any]) -> int:
        """Adds the ids that the project does not have yet, behind those that it has, and returns how many.

        Raises:
          LabellingError: For what is no id; if the folder cannot be written to.
        """
        names = as_names(ids, what="id")
        with _alone(self.path):
            known = self._state().ids
            new = [id_ for id_ in names if id_ not in known]
            if new:
                self._log.append({"event": "add", "ids": new})
        return len(new)

    def add_classes(self, classes: Iterable[Any]) -> int:
        """Adds the classes that the project does not have yet, behind those that it has, and returns how many.

        Labels stay unchanged. From then on, predictions must have a column for each new class, or name their classes.

        Raises:
          LabellingError: For what is no name of a class; if the folder cannot be written to.
        """
        names = as_names(classes, what="class")
        with _alone(self.path):
            known = self._state().classes
            new = [name for name in names if name not in known]
            as_classes([*known, *new])
            if new:
                self._log.append({"event": "add_classes", "classes": new})
        return len(new)

    def batch_path(self, number: int) -> Path:
        """The file of a batch.

        Raises:
          LabellingError: If there is none.
        """
        names = [f"{number:04d}.csv", f"{number:04d}.json"]
        found = [self.path / "batches" / name for name in names if (self.path / "batches" / name).exists()]
        if not found:
            raise LabellingError(f"{self.path / 'batches'}: has no file of batch {number}")
        return found[0]

    def _state(self) -> ProjectState:
        return replay(self._first_ids, self._first_classes, self._log.read(), log=self._log.path)

    def _stage(self, folder: str, name: str, content: str | bytes) -> None:
        files.atomic_write(self.path / folder / f"{_STAGED}{name}", content)

    def _staged_files(self) -> list[Path]:
        return [path for folder in ("batches", "predictions") for path in (self.path / folder).glob(f"*{_STAGED}*")]

    def _publish(self, num_batches: int) -> None:
        """Gives the files of logged batches their names; what was staged for a batch never logged is removed."""
        for path in self._staged_files():
            staged = re.fullmatch(rf"{_STAGED}((\d+)\.\w+)", path.name)
            if staged and int(staged[2]) <= num_batches:
                os.replace(path, path.with_name(staged[1]))
            else:
                path.unlink()

    def _predictions_of(self, number: int, state: ProjectState) -> "np.ndarray | None":
        """The likeliest class of each id when a batch was asked, -1 for none; None where no file holds such classes."""
        import numpy as np

        path = self.path / "predictions" / f"{number:04d}.npy"
        # NumPy's reader raises many kinds of errors for a damaged file.
        with contextlib.suppress(Exception), builtins.open(path, "rb") as file:
            classes = np.lib.format.read_array(file, allow_pickle=False)
            if classes.dtype == np.int32 and classes.ndim == 1 and len(classes) <= len(state.ids):
                return classes if np.all((classes >= -1) & (classes < len(state.classes))) else None
        return None


def create(folder: str | os.PathLike, *, ids: Iterable[Any], classes: Iterable[Any]) -> Project:
    """Makes a project in a folder, which may be there already.

    Args:
      folder: The folder; its other files are not touched.
      ids: The ids of the points, strings or integers, distinct. Rows of predictions come in their order.
      classes: The names of the classes, in the order of the columns of predictions.

    Raises:
      PathError: If the folder cannot be written to.
      LabellingError: If there is a project already, or ids or classes are not what they should be.
    """
    path = paths.output_folder(folder, name="folder")
    content = {"version": _VERSION, "classes": as_classes(classes), "ids": as_names(ids, what="id")}
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabellingError(f"{path}: cannot be made ({error}); choose another folder") from error
    with _alone(path):
        if (path / "project.json").exists():
            raise LabellingError(f"{path}: is a project already; open it, or choose another folder")
        if (path / "log.jsonl").exists():
            raise LabellingError(
                f"{path}: holds the log of a project whose project.json is gone; restore that from a backup, or choose "
                "another folder"
            )
        files.atomic_write(path / "project.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return Project(path)


def open(folder: str | os.PathLike) -> Project:
    """The project in a folder. A project whose process was killed continues from the end of its log.

    Raises:
      PathError: If it is no path of a folder.
      LabellingError: If there is no project, or one that is damaged.
    """
    path = paths.folder(folder, name="folder")
    if not (path / "project.json").exists():
        raise LabellingError(f"{path}: is no labelling project, for it has no project.json; create one first")
    return Project(path)


def _read_description(path: Path) -> dict[str, Any]:
    try:
        with builtins.open(path, encoding="utf-8") as file:
            content = json.load(file)
        if content["version"] == _VERSION:
            for name in ("classes", "ids"):
                if not isinstance(content[name], list):
                    raise LabellingError(f"{name}: must be a list, not {type(content[name]).__name__}")
            return {"classes": as_classes(content["classes"]), "ids": as_names(content["ids"], what="id")}
    except OSError as error:
        raise LabellingError(f"{path} cannot be read ({error}); nothing was changed") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise LabellingError(f"{path} is damaged ({error!r}); restore it from a backup") from error
    version = content["version"]
    raise LabellingError(f"{path}: has version {version!r}, which this lbb_jax does not read; update lbb_jax")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keeps other writers out of a folder, and says what failed where it cannot be written to."""
    lock = filelock.FileLock(path / ".lock", timeout=LOCK_SECONDS)
    try:
        with lock:
            yield
    except filelock.Timeout as error:
        raise LabellingError(
            f"{path}: another process has been writing there for {LOCK_SECONDS:.0f} s; try again when it is done"
        ) from error
    except NotImplementedError as error:
        raise LabellingError(f"{path}: its file system cannot lock files ({error}); choose another") from error
    except OSError as error:
        raise LabellingError(
            f"{path}: cannot be written to ({error}); what was written before is kept, and the call can be repeated"
        ) from error


def _withdrawn(state: ProjectState, renew: bool | Iterable[int]) -> list[str]:
    """The pending ids that ``renew`` withdraws."""
    if isinstance(renew, bool):
        return list(state.pending) if renew else []
    numbers = [operator.index(number) for number in renew]
    unknown = [number for number in numbers if not 1 <= number <= len(state.batches)]
    if unknown:
        raise LabellingError(f"renew: there is no batch {first_of(unknown)}; there are {len(state.batches)}")
    return state.pending_of(numbers)


def _check_format(format: str, data: Any) -> None:
    if format not in FORMATS:
        raise LabellingError(f"format={format!r}: must be one of {first_of(FORMATS)}")
    if data is not None and format == "csv":
        raise LabellingError("data: is what tasks of Label Studio show; pass format='label-studio', too")


def check_seed(seed: Any) -> int:
    """``seed`` as an integer; raises LabellingError if it is none, or too large for a key."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number < 2**32:
        raise LabellingError(f"seed={seed!r}: must be an integer from 0 to {2**32 - 1}")
    return number


def _name_of(method: Any) -> str:
    return method if isinstance(method, str) else getattr(method, "__name__", repr(method))
