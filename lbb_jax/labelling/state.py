"""The state of a project, computed from its events by pure functions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lbb_jax.labelling.errors import LabellingError, first_of
from lbb_jax.labelling.log import Event

Label = str | None
_KINDS = ("add", "add_classes", "ask", "tell")


@dataclass
class ProjectState:
    """Where a project stands.

    Attributes:
      ids: Every id and its number, in the order in which they were added.
      classes: Every class, in the order in which they were added.
      labels: The latest label of every id that was told; None where it cannot be labelled.
      pending: Ids that were asked and neither told nor withdrawn, with the number of their batch.
      batches: The events of all batches, oldest first: batch ``n`` stands at ``n - 1``.
      audited: Audit points, with the class that was predicted when they were asked. A point that was withdrawn and then
        picked by a method is no audit point.
      corrections: How many labels were told that replaced another.
    """

    ids: dict[str, int]
    classes: list[str]
    labels: dict[str, Label] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    batches: list[Event] = field(default_factory=list)
    audited: dict[str, str] = field(default_factory=dict)
    corrections: int = 0

    @property
    def is_askable(self) -> list[bool]:
        """For every id in order: whether it may be asked."""
        return [id_ not in self.labels and id_ not in self.pending for id_ in self.ids]

    def pending_of(self, numbers: Iterable[int]) -> list[str]:
        """The pending ids of these batches."""
        numbers = set(numbers)
        return [id_ for id_, number in self.pending.items() if number in numbers]

    def news_in(self, labels: Mapping[str, Label]) -> dict[str, Label]:
        """The ``labels`` that were not told before, or were told with another value."""
        return {id_: label for id_, label in labels.items() if id_ not in self.labels or self.labels[id_] != label}


def replay(ids: Iterable[str], classes: Iterable[str], events: Iterable[Event], *, log: Path) -> ProjectState:
    """The state of a project that began with ``ids`` and ``classes`` after ``events``, the lines of the file ``log``.

    Raises:
      LabellingError: For an event of an unknown kind, one that lacks a field, and one that cannot have followed those
        before it. The message names the line.
    """
    state = ProjectState({id_: number for number, id_ in enumerate(ids)}, list(classes))
    for line, event in enumerate(events, start=1):
        if event.get("event") not in _KINDS:
            raise LabellingError(
                f"{log}, line {line}: is an event of an unknown kind, {event.get('event')!r}: a newer version of "
                "lbb_jax wrote it; update lbb_jax"
            )
        try:
            _apply(state, event)
        except LabellingError as error:
            raise LabellingError(f"{log} is damaged: line {line} {error}; restore the file from a backup") from error
    return state


def _apply(state: ProjectState, event: Event) -> None:
    match event:
        case {"event": "add", "ids": [*ids]}:
            _check(ids, lambda id_: id_ not in state.ids, "must be new ids")
            _check_distinct(ids)
            for id_ in ids:
                state.ids[id_] = len(state.ids)
        case {"event": "add_classes", "classes": [*classes]}:
            _check(classes, lambda name: name not in state.classes, "must be new classes")
            _check_distinct(classes)
            state.classes += classes
        case {
            "event": "ask",
            "batch": int(),
            "ids": [*_],
            "scores": [*_],
            "audit": dict(),
            "withdrawn": [*_],
            "method": str(),
            "kappa": int() | float() | None,
        }:
            _apply_ask(state, event)
        case {"event": "tell", "labels": dict(labels)}:
            classes = set(state.classes)
            _check(labels, state.ids.__contains__, "must be ids of the project")
            told = [label for label in labels.values() if label is not None]
            _check(told, classes.__contains__, "must be classes of the project")
            state.corrections += sum(id_ in state.labels for id_ in labels)
            state.labels.update(labels)
            for id_ in labels:
                state.pending.pop(id_, None)
        case _:
            raise LabellingError(f"lacks a field of the event {event['event']!r}, or has one of the wrong type")


def _apply_ask(state: ProjectState, event: Event) -> None:
    number, ids, scores, audit = event["batch"], event["ids"], event["scores"], event["audit"]
    if number != len(state.batches) + 1:
        raise LabellingError(f"has batch {number}, which must be {len(state.batches) + 1}")
    _check(event["withdrawn"], state.pending.__contains__, "must be pending to be withdrawn")
    for id_ in event["withdrawn"]:
        state.pending.pop(id_, None)

    def is_askable(id_: str) -> bool:
        return id_ in state.ids and id_ not in state.labels and id_ not in state.pending

    _check(ids, is_askable, "must be ids that can be asked")
    _check_distinct(ids)
    if len(scores) != len(ids) or not all(score is None or isinstance(score, int | float) for score in scores):
        raise LabellingError("must have a score for each id, a number or null")
    _check(audit, set(ids).__contains__, "must be among the ids asked")
    _check(audit.values(), state.classes.__contains__, "must be classes of the project")
    for id_ in ids:
        state.audited.pop(id_, None)
    state.audited.update(audit)
    state.pending.update(dict.fromkeys(ids, number))
    state.batches.append(event)


def _check(names: Iterable[Any], is_right: Callable[[str], bool], requirement: str) -> None:
    wrong = [name for name in names if not isinstance(name, str) or not is_right(name)]
    if wrong:
        raise LabellingError(f"has {first_of(wrong)}, which {requirement}")


def _check_distinct(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise LabellingError("has a name twice")
