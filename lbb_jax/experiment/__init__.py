"""The host driver of a run: from a configuration and a folder to metrics, checkpoints and a figure."""

from lbb_jax.experiment import regimes
from lbb_jax.experiment.compilation import use_cache
from lbb_jax.experiment.configuration import ExperimentError, default_config, parse_arguments
from lbb_jax.experiment.driver import run
from lbb_jax.experiment.interruption import leave
from lbb_jax.experiment.messages import show_own_messages, show_warnings
from lbb_jax.experiment.sweep import run_sweep
from lbb_jax.experiment.variants import DEFAULT_METHODS, parse_methods

__all__ = [
    "DEFAULT_METHODS",
    "ExperimentError",
    "default_config",
    "leave",
    "parse_arguments",
    "parse_methods",
    "regimes",
    "run",
    "run_sweep",
    "show_own_messages",
    "show_warnings",
    "use_cache",
]
