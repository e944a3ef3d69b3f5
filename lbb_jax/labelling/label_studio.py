"""Label Studio: batches as tasks to import, and its JSON export as labels.

Every task carries its score as the score of a prediction without a result. The Data Manager of the Community Edition
can sort by this score ("Prediction score"), and labellers see no suggestion that could influence them.
"""

import html
import json
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lbb_jax import paths
from lbb_jax.labelling.errors import LabellingError, first_of
from lbb_jax.labelling.state import Label

# The name of the tag of choices in the labelling interface.
CHOICE = "label"
_OBJECTS = {"image": "Image", "audio": "Audio", "video": "Video", "html": "HyperText"}


def tasks(
    number: int,
    ids: Sequence[str],
    scores: Sequence[float | None],
    data: Mapping[str, Mapping[str, str]] | None,
) -> str:
    """The tasks of a batch as a file to import.

    Args:
      number: The batch's number.
      ids: The ids, which tasks carry as ``id``.
      scores: The scores; a point without one gets no prediction, and so stands at an end of the sorted list.
      data: What tasks show for each id; None for the id alone.

    Raises:
      LabellingError: If ``data`` lacks one of the ids.
    """
    missing = [id_ for id_ in ids if data is not None and id_ not in data]
    if missing:
        raise LabellingError(
            f"data: has nothing to show for {first_of(missing)}, which are to be asked; add rows for them"
        )
    content = [
        {"data": {**({} if data is None else data[id_]), "id": id_}, "predictions": _predictions(number, score)}
        for id_, score in zip(ids, scores, strict=True)
    ]
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def interface(classes: Sequence[str], columns: Collection[str]) -> str:
    """The labelling interface of a Label Studio project, to be pasted into its settings.

    Args:
      classes: The choices.
      columns: What tasks show: ``image``, ``audio``, ``video`` and ``html`` as such, anything else as text.
    """
    objects = [
        f"  <{_OBJECTS.get(column, 'Text')} name={_quoted(column)} value={_quoted('$' + column)}/>"
        for column in columns
    ]
    choices = [f"    <Choice value={_quoted(name)}/>" for name in classes]
    return "\n".join(
        [
            "<View>",
            *objects,
            f'  <Choices name="{CHOICE}" toName={_quoted(next(iter(columns)))} choice="single" required="true">',
            *choices,
            "  </Choices>",
            "</View>\n",
        ]
    )


def read_export(path: str | os.PathLike, *, ids: Collection[str], classes: Sequence[str]) -> dict[str, Label]:
    """The labels in a JSON export; tasks without an annotation tell nothing.

    If a task has several annotations, the one changed last counts. A skipped task is a point that cannot be labelled.

    Args:
      path: The file, exported as JSON.
      ids: The ids that are allowed.
      classes: The classes that are allowed.

    Raises:
      PathError: If there is no such file.
      LabellingError: If it is no such export, or holds an id or class that is not allowed; the message names the task.
    """
    file = paths.input_file(path, name="export")
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise LabellingError(f"{path}: is no JSON ({error}); export from Label Studio as JSON") from error
    if not isinstance(content, list):
        raise LabellingError(f"{path}: is no list of tasks; export from Label Studio as JSON")
    labels: dict[str, Label] = {}
    for position, task in enumerate(content, start=1):
        id_, answers = _read_task(path, position, task)
        where = f"{path}, task {position}"
        if id_ not in ids:
            raise LabellingError(f"{where}, data.id: {id_!r} is no id of the project; nothing was told")
        for label in answers:
            if label is not None and label not in classes:
                raise LabellingError(
                    f"{where}, id {id_!r}: {label!r} is no class of the project; its classes are "
                    f"{first_of(classes, 20)}; nothing was told"
                )
        if answers and id_ in labels and labels[id_] != answers[-1]:
            raise LabellingError(f"{where}: {id_!r} has another label in an earlier task; remove one of the two")
        if answers:
            labels[id_] = answers[-1]
    return labels


def _predictions(number: int, score: float | None) -> list[dict[str, Any]]:
    return [] if score is None else [{"model_version": f"batch {number}", "score": score, "result": []}]


def _read_task(path: str | os.PathLike, position: int, task: Any) -> tuple[str, list[Label]]:
    """The id of a task and its answers, in the order in which they were last changed."""
    try:
        annotations = sorted(task["annotations"], key=lambda annotation: annotation.get("updated_at") or "")
        answers = [_answer(annotation) for annotation in annotations]
        return str(task["data"]["id"]), [answer for is_one, answer in answers if is_one]
    except LabellingError as error:
        raise LabellingError(f"{path}, task {position}: {error}; nothing was told") from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise LabellingError(
            f"{path}, task {position}: is no task of a batch with its annotations ({error!r}); import what ask wrote, "
            "and export as JSON, not as JSON-MIN; nothing was told"
        ) from error


def _answer(annotation: Mapping[str, Any]) -> tuple[bool, Label]:
    """Whether an annotation says anything, and what."""
    if annotation.get("was_cancelled"):
        return True, None
    parts = [part for part in annotation["result"] if part.get("type") == "choices"]
    # An interface may have further choices, or only one under another name.
    ours = [part for part in parts if part.get("from_name") == CHOICE] or parts
    choices = [choice for part in ours for choice in part["value"]["choices"]]
    if len(choices) > 1 or not all(isinstance(choice, str) for choice in choices):
        raise LabellingError(f"an annotation has the choices {first_of(choices)}, where there must be one, a text")
    return bool(choices), choices[0] if choices else None


def _quoted(text: str) -> str:
    return f'"{html.escape(text)}"'
