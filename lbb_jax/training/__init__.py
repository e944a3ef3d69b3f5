"""Ways of training one network on the labelled points of a pool: each a pure function, in `Training`."""

from lbb_jax.training.epochs import epochs
from lbb_jax.training.fine_tuning import fine_tuning
from lbb_jax.training.fixed_steps import adam_steps, fixed_steps
from lbb_jax.training.full_batch import full_batch
from lbb_jax.training.training import Progress, Training, start, step

__all__ = [
    "Progress",
    "Training",
    "adam_steps",
    "epochs",
    "fine_tuning",
    "fixed_steps",
    "full_batch",
    "start",
    "step",
]
