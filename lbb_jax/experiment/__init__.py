"""The host driver of a run: from a configuration and a folder to metrics, checkpoints and a figure."""

from lbb_jax.experiment import regimes, slurm
from lbb_jax.experiment.compilation import use_cache
from lbb_jax.experiment.configuration import ExperimentError, default_config, parse_arguments
from lbb_jax.experiment.driver import run
from lbb_jax.experiment.interruption import leave
from lbb_jax.experiment.messages import parse_flags, show_own_messages, show_warnings
from lbb_jax.experiment.sweep import run_sweep
from lbb_jax.experiment.variants import DEFAULT_METHODS, combine, experiment_name, load_config, parse_methods

__all__ = [
    "DEFAULT_METHODS",
    "ExperimentError",
    "combine",
    "default_config",
    "experiment_name",
    "leave",
    "load_config",
    "parse_arguments",
    "parse_flags",
    "parse_methods",
    "regimes",
    "run",
    "run_sweep",
    "show_own_messages",
    "show_warnings",
    "slurm",
    "use_cache",
]
