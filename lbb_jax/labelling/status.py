"""The progress of a project, and its stopping signals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from lbb_jax.labelling.state import ProjectState

if TYPE_CHECKING:
    import numpy as np

# "A Method for Stopping Active Learning Based on Stabilizing Predictions and the Need for User-Adjustable Stopping",
# Bloodgood and Vijay-Shanker, CoNLL 2009.
SETTLED_KAPPA = 0.99
SETTLED_ASKS = 3


class Accuracy(NamedTuple):
    """A share of right predictions, with its exact (Clopper-Pearson) 95 % interval.

    Attributes:
      right: Points predicted right.
      count: Points predicted.
      low: Lower end of the interval of ``right / count``.
      high: Upper end.
    """

    right: int
    count: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.right / self.count:.3f} ({self.low:.3f} to {self.high:.3f}, {self.count} points)"


@dataclass(frozen=True)
class Status:
    """Where a project stands; as a string, what ``lbb-jax status`` prints.

    Attributes:
      ids: Number of ids.
      labelled: Number of ids with a label.
      skipped: Number of ids that cannot be labelled.
      pending: Number of ids that wait for a label.
      left: Number of ids that may be asked.
      by_class: Number of labels of each class.
      pending_batches: For each batch with pending ids, their number.
      asked: Number of batches.
      corrections: Number of labels told that replaced another.
      kappas: For each batch from the second on, Cohen's kappa between the classes predicted when it and the one before
        were asked; None where they have no points in common.
      best_scores: For each batch, its method and the best score it picked (for most methods a gain in nats); None where
        the batch has none.
      audit_when_asked: How many of the labelled audit points were predicted right when they were asked. No model had
        seen their labels then, but these are the models of earlier batches.
      audit_latest: How many of them the latest predictions have right. It is held-out accuracy only if the model was
        not trained on them: on ``labels(audit=False)``.
    """

    ids: int
    labelled: int
    skipped: int
    pending: int
    left: int
    by_class: dict[str, int]
    pending_batches: dict[int, int]
    asked: int
    corrections: int
    kappas: list[float | None] = field(default_factory=list)
    best_scores: list[tuple[str, float | None]] = field(default_factory=list)
    audit_when_asked: Accuracy | None = None
    audit_latest: Accuracy | None = None

    @property
    def is_settled(self) -> bool:
        """Whether predictions have hardly changed for three asks, by Bloodgood and Vijay-Shanker's rule."""
        recent = [kappa for kappa in self.kappas[-SETTLED_ASKS:] if kappa is not None]
        return len(recent) == SETTLED_ASKS and sum(recent) / SETTLED_ASKS >= SETTLED_KAPPA

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {count:,}" for name, count in self.by_class.items())
        batches = ", ".join(f"{number:04d} ({count})" for number, count in self.pending_batches.items())
        lines = [
            f"labelled   {self.labelled:,} of {self.ids:,}: {classes}",
            f"pending    {self.pending:,}" + (f" in batches {batches}" if batches else ""),
            f"skipped    {self.skipped:,}",
            f"left       {self.left:,}",
            f"batches    {self.asked:,}",
            f"corrected  {self.corrections:,}",
        ]
        return "\n".join([*lines, *self._signals()])

    def _signals(self) -> list[str]:
        lines = []
        if self.kappas:
            settled = "settled" if self.is_settled else "not settled"
            lines.append(
                f"agreement of successive predictions (kappa): {_recent(self.kappas)}; {settled} "
                f"(a mean of {SETTLED_KAPPA} over {SETTLED_ASKS} asks is)"
            )
        if self.best_scores:
            method = self.best_scores[-1][0]
            scores = [score if name == method else None for name, score in self.best_scores]
            lines.append(f"best score of a batch ({method}): {_recent(scores)}")
        if self.audit_latest:
            lines.append(f"accuracy on audit points, if the model was not trained on them: {self.audit_latest}")
        if self.audit_when_asked:
            lines.append(f"accuracy on audit points, by the model that asked them: {self.audit_when_asked}")
        return lines


def status_of(state: ProjectState, latest: "np.ndarray | None") -> Status:
    """The status of a project.

    Args:
      state: The state of the project.
      latest: The latest predictions, a class for each id in order, -1 for none; None where there are none.
    """
    labels = [label for label in state.labels.values() if label is not None]
    pending = list(state.pending.values())
    when_asked, by_latest = _judgements(state, latest)
    return Status(
        ids=len(state.ids),
        labelled=len(labels),
        skipped=len(state.labels) - len(labels),
        pending=len(pending),
        left=sum(state.is_askable),
        by_class={name: labels.count(name) for name in state.classes},
        pending_batches={number: pending.count(number) for number in sorted(set(pending))},
        asked=len(state.batches),
        corrections=state.corrections,
        kappas=[batch["kappa"] for batch in state.batches[1:]],
        best_scores=[(batch["method"], _best(batch["scores"])) for batch in state.batches],
        audit_when_asked=accuracy_of(when_asked),
        audit_latest=accuracy_of(by_latest),
    )


def accuracy_of(judgements: Sequence[bool]) -> Accuracy | None:
    """The share of True, with its interval; None for none."""
    if not judgements:
        return None
    # SciPy takes long to import, and only projects with audit points need it.
    from scipy import special

    right, count = sum(judgements), len(judgements)
    low = float(special.betaincinv(right, count - right + 1, 0.025)) if right else 0.0
    high = float(special.betaincinv(right + 1, count - right, 0.975)) if right < count else 1.0
    return Accuracy(right, count, low, high)


def _judgements(state: ProjectState, latest: "np.ndarray | None") -> tuple[list[bool], list[bool]]:
    """For labelled audit points: whether they were predicted right when asked, and by the latest predictions."""
    when_asked, by_latest = [], []
    for id_, predicted in state.audited.items():
        label, number = state.labels.get(id_), state.ids[id_]
        if label is None:
            continue
        when_asked.append(predicted == label)
        if latest is not None and number < len(latest) and latest[number] >= 0:
            by_latest.append(state.classes[latest[number]] == label)
    return when_asked, by_latest


def _best(scores: Sequence[float | None]) -> float | None:
    return max((score for score in scores if score is not None), default=None)


def _recent(values: Sequence[float | None]) -> str:
    """The last five values, in words."""
    return ", ".join("none" if value is None else f"{value:.3g}" for value in values[-5:])
