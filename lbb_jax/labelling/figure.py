"""A picture of a project's status."""

import io

import numpy as np
from matplotlib.figure import Figure

from lbb_jax.labelling.status import SETTLED_KAPPA, Status

SUFFIXES = (".pdf", ".png", ".svg")


def draw(status: Status) -> Figure:
    """Labels by class, and the stopping signals batch by batch; panels without data say so.

    Args:
      status: What `lbb_jax.labelling.Project.status` returns.
    """
    figure = Figure(figsize=(9, 6), layout="constrained")
    panels = figure.subplots(2, 2)
    _draw_labels(panels[0, 0], status)
    _draw_audit(panels[0, 1], status)
    _draw_series(panels[1, 0], [None, *status.kappas], "agreement with the batch before (kappa)")
    if status.kappas:
        panels[1, 0].axhline(SETTLED_KAPPA, color="grey", linestyle=":")
    method = status.best_scores[-1][0] if status.best_scores else ""
    scores = [score if name == method else None for name, score in status.best_scores]
    _draw_series(panels[1, 1], scores, f"best score ({method})" if method else "best score")
    return figure


def encoded(figure: Figure, suffix: str) -> bytes:
    """The figure as a file with one of the endings in `SUFFIXES`."""
    file = io.BytesIO()
    figure.savefig(file, format=suffix.removeprefix("."), dpi=150)
    return file.getvalue()


def _draw_labels(axes, status: Status) -> None:
    positions = range(len(status.by_class))
    axes.barh(positions, list(status.by_class.values()))
    axes.set_yticks(positions, [_escaped(name) for name in status.by_class])
    axes.invert_yaxis()
    axes.set_xlabel("labels")
    axes.set_title(f"{status.labelled} labelled, {status.pending} pending, {status.skipped} skipped", fontsize="medium")


def _draw_audit(axes, status: Status) -> None:
    found = {"latest model, if it was\nnot trained on them": status.audit_latest, "when asked": status.audit_when_asked}
    found = {name: accuracy for name, accuracy in found.items() if accuracy}
    axes.set_title("accuracy on audit points", fontsize="medium")
    if not found:
        _say_nothing(axes)
        return
    shares = np.array([accuracy.right / accuracy.count for accuracy in found.values()])
    ends = np.array([(accuracy.low, accuracy.high) for accuracy in found.values()]).T
    positions = np.arange(len(found))
    axes.errorbar(shares, positions, xerr=np.abs(ends - shares), fmt="o", capsize=4)
    axes.set_yticks(positions, list(found))
    axes.set(xlim=(0, 1), ylim=(-0.5, len(found) - 0.5), xlabel="share predicted right, 95 % interval")


def _draw_series(axes, values: list[float | None], label: str) -> None:
    """Values of batches 1, 2, ...; there is a gap where one is None."""
    numbers = np.array([np.nan if value is None else value for value in values], float)
    axes.set_title(label, fontsize="medium")
    if not np.isfinite(numbers).any():
        _say_nothing(axes)
        return
    axes.plot(np.arange(1, len(numbers) + 1), numbers, marker="o")
    axes.set_xlabel("batch")
    axes.xaxis.get_major_locator().set_params(integer=True)


def _say_nothing(axes) -> None:
    axes.text(0.5, 0.5, "nothing yet", ha="center", va="center", transform=axes.transAxes, color="grey")
    axes.set_axis_off()


def _escaped(text: str) -> str:
    """Text in which no dollar sign starts mathematics."""
    return text.replace("$", r"\$")
