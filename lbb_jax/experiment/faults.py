"""Numbers that are not finite: which they are, where they arose, and a remedy if the numbers suggest one."""

import jax
import numpy as np

from lbb_jax.errors import ExperimentError
from lbb_jax.examples import Examples
from lbb_jax.loop import Data, Round

# If a loss has grown by more than this factor, training diverged, and a smaller step would have lowered it.
_DIVERGED = 10


def check_finite(done: Round, data: Data, unit: str) -> None:
    """Raises ExperimentError at the first number of a round that is not finite.

    Args:
      done: The round of all seeds, as NumPy arrays with a leading axis ``[S]``.
      data: What it was trained and evaluated on.
      unit: The unit of training that one loss belongs to, "step" or "epoch".
    """
    where = f"seed {{}}, round {int(done.round[0])}: "
    faults = np.argwhere(~np.isfinite(done.losses))
    if len(faults):
        seed, member, number = faults[0]
        raise ExperimentError(where.format(seed) + _about_loss(done.losses[seed, member], member, number, unit, data))
    for seed in np.flatnonzero(done.batch.num_faults):
        raise ExperimentError(
            where.format(seed)
            + f"{done.batch.num_faults[seed]} of the pool's predictions are NaN, after losses that are all finite; "
            + _cause(data, _last_losses(done.losses[seed], unit))
        )
    for name, values in done.metrics._asdict().items():
        for seed in np.flatnonzero(~np.isfinite(values)):
            raise ExperimentError(
                where.format(seed)
                + f"the {name} of the test examples is {values[seed]}; "
                + _about_metric(values[seed], data)
            )


def _about_loss(losses: np.ndarray, member: int, number: int, unit: str, data: Data) -> str:
    """What is known of the first loss of a member that is not finite."""
    seen = f"the loss of member {member} is {losses[number]} at {unit} {number}; "
    if number == 0:
        within = "" if unit == "step" else ", or within it"
        return seen + _cause(data, f"it is so before the first {unit} has ended{within}: look at the network's outputs")
    before = losses[:number]
    history = f"before, it went from {before[0]:.4g} to {before[-1]:.4g}"
    if before[-1] > _DIVERGED * max(before[0], 1):
        return seen + _cause(data, f"{history}: training diverged; lower config.training.learning_rate")
    return seen + _cause(
        data,
        f"{history}: one {unit} took the parameters there; look for a gradient of the network that is not finite, or "
        "lower config.training.learning_rate",
    )


def _last_losses(losses: np.ndarray, unit: str) -> str:
    return (
        f"the largest loss of the last {unit} is {losses[:, -1].max():.4g}: if that is large, training diverged; "
        "otherwise look at the network's outputs for inputs that it was not trained on"
    )


def _about_metric(value: float, data: Data) -> str:
    if np.isposinf(value):
        return _cause(data, "a test example's own class has probability 0: look at the network's outputs")
    return _cause(data, "look at the network's outputs for the test examples")


def _cause(data: Data, otherwise: str) -> str:
    """A text that names inputs that are not finite as the cause; if all inputs are finite, ``otherwise``."""
    for name, examples in (("pool", data.pool), ("test", data.test), ("validation", data.validation)):
        found = None if examples is None else _faulty_input(examples)
        if found is not None:
            return f"the {name} examples are at fault: {found}; correct the data"
    return f"all inputs are finite, and {otherwise}"


def _faulty_input(examples: Examples) -> str | None:
    """The first base example whose input is not finite, or the normalisation that makes it so."""
    if examples.std is not None:
        for name, values in (("mean", examples.mean), ("std", examples.std)):
            if not np.isfinite(values).all():
                return f"their {name} is not finite"
        if not np.all(examples.std):
            return "their std is 0 somewhere, and inputs are divided by it"
    if not jax.numpy.issubdtype(examples.features.dtype, np.floating):
        return None
    features = np.asarray(examples.features, np.float32).reshape(len(examples.features), -1)
    faulty = np.flatnonzero(~np.isfinite(features).all(axis=1))
    return (
        f"{len(faulty)} of {len(features)} have inputs that are not finite, the first is {faulty[0]}"
        if len(faulty)
        else None
    )
