"""The state of a project, computed from its events by pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lbb_jax.labelling.errors import LabellingError
from lbb_jax.labelling.log import Event

Label = str | None


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


def replay(ids: Iterable[str], classes: Iterable[str], events: Iterable[Event]) -> ProjectState:
    """The state of a project that began with ``ids`` and ``classes`` after ``events``.

    Raises:
      LabellingError: For an event of an unknown kind.
    """
    state = ProjectState({id_: number for number, id_ in enumerate(ids)}, list(classes))
    for event in events:
        _apply(state, event)
    return state


def _apply(state: ProjectState, event: Event) -> None:
    match event:
        case {"event": "add", "ids": ids}:
            for id_ in ids:
                state.ids[id_] = len(state.ids)
        case {"event": "add_classes", "classes": classes}:
            state.classes += classes
        case {"event": "ask", "batch": number, "ids": ids, "withdrawn": withdrawn, "audit": audit}:
            for id_ in withdrawn:
                state.pending.pop(id_, None)
            for id_ in ids:
                state.audited.pop(id_, None)
            state.audited.update(audit)
            state.pending.update(dict.fromkeys(ids, number))
            state.batches.append(event)
        case {"event": "tell", "labels": labels}:
            state.corrections += sum(id_ in state.labels for id_ in labels)
            state.labels.update(labels)
            for id_ in labels:
                state.pending.pop(id_, None)
        case _:
            raise LabellingError(
                f"the log holds an event of an unknown kind, {event.get('event')!r}: a newer version of lbb_jax wrote "
                "it; update lbb_jax"
            )
