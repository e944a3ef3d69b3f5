"""Hands the runs of a sweep to SLURM, as jobs of their own."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from lbb_jax import references
from lbb_jax.experiment import runner
from lbb_jax.experiment.compilation import use_cache
from lbb_jax.experiment.configuration import ExperimentError, resolve_workdir
from lbb_jax.experiment.messages import show_own_messages


def submit(
    configs: Mapping[str, ConfigDict],
    workdir: str | os.PathLike,
    parameters: Mapping[str, Any],
    *,
    cluster: str = "slurm",
) -> dict[str, str]:
    """Submits every run that is not complete as a job, all in one array.

    A job calls `lbb_jax.experiment.run` for ``workdir/NAME``. After the jobs have ended, running the sweep itself
    gathers the table and resumes what was stopped.

    Args:
      configs: The configurations by the name of the run's folder, as `combine` returns them.
      workdir: Folder of all runs, on a file system that the jobs share; ``workdir/slurm`` receives what they print.
      parameters: What ``submitit.AutoExecutor`` is given, such as ``{"timeout_min": 600, "slurm_partition": "gpu"}``.
      cluster: Its name for ``submitit.AutoExecutor``; ``"local"`` for processes of this machine.

    Returns:
      The number of each job, by the name of the run.

    Raises:
      ExperimentError: If submitit or SLURM is not there, a parameter is not one of theirs, or ``workdir`` cannot be
        written to.
    """
    try:
        import submitit
    except ImportError as error:
        raise ExperimentError("--slurm needs submitit: pip install -e '.[slurm]'") from error
    workdir = resolve_workdir(workdir).absolute()
    left = runner.left_to_run(configs, workdir)
    try:
        executor = submitit.AutoExecutor(workdir / "slurm", cluster=cluster)
        executor.update_parameters(**parameters)
        with executor.batch():
            jobs = {name: executor.submit(_run, config, workdir / name, sys.path) for name, config in left.items()}
    except (NameError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ExperimentError(f"--slurm: {error}") from error
    return {name: job.job_id for name, job in jobs.items()}


def parse_parameters(text: str) -> dict[str, Any]:
    """Parses ``"NAME=VALUE,..."``; whole numbers become integers.

    >>> parse_parameters("timeout_min=600,slurm_partition=gpu")
    {'timeout_min': 600, 'slurm_partition': 'gpu'}

    Raises:
      ExperimentError: For a part that is not of this form.
    """
    parameters: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, separator, value = part.partition("=")
        if not separator:
            raise ExperimentError(f"--slurm: {part!r}: must be NAME=VALUE")
        parameters[name] = int(value) if value.isdecimal() else value
    return parameters


def _run(config: ConfigDict, workdir: Path, path: Sequence[str]) -> None:
    """Does the work of a job, which finds the modules that the sweep found in ``path``."""
    for folder in path:
        references.add_folder(folder)
    show_own_messages()
    use_cache()
    runner.run(config, workdir)
