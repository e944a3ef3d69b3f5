"""Runs and sweeps: they take a configuration and a folder, and write metrics, checkpoints and a figure."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.experiment import slurm
    from lbb_jax.experiment.compilation import check_platform, use_cache
    from lbb_jax.experiment.config_file import (
        config_name,
        define_config,
        load_config,
        overridden_fields,
        refuse_overrides,
    )
    from lbb_jax.experiment.configuration import ExperimentError, default_config, parse_arguments
    from lbb_jax.experiment.interruption import leave
    from lbb_jax.experiment.messages import run_script, show_own_messages, show_warnings
    from lbb_jax.experiment.runner import run
    from lbb_jax.experiment.sweep import run_sweep
    from lbb_jax.experiment.sweep_specification import DEFAULT_METHODS, combine, experiment_name, parse_methods

__all__ = [
    "DEFAULT_METHODS",
    "ExperimentError",
    "check_platform",
    "combine",
    "config_name",
    "default_config",
    "define_config",
    "experiment_name",
    "leave",
    "load_config",
    "overridden_fields",
    "parse_arguments",
    "parse_methods",
    "refuse_overrides",
    "run",
    "run_script",
    "run_sweep",
    "show_own_messages",
    "show_warnings",
    "slurm",
    "use_cache",
]
