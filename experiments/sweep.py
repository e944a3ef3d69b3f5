"""Runs several acquisition methods on one experiment and gathers them in one table.

    python experiments/sweep.py --config=configs/digits.py --workdir=runs/digits
    python experiments/sweep.py --config=configs/digits.py --workdir=runs/alpha --processes=2 \
        --methods=random,power_bald:alpha=5,power_lbb:redundancy=tree:alpha=5

Methods are separated by commas, their options follow after colons: alpha=NUMBER (power_bald, power_lbb),
num_samples=INTEGER (batch_bald), redundancy=pairwise or tree, pair_weight=NUMBER and pairs=exact or chi2 (lbb,
power_lbb), num_targets=INTEGER (epig), sampling=top, power, softmax or softrank and with it alpha=NUMBER (bald,
entropy, margin, least_confident, epig, lbb_released). A method of your own is module:attribute, and takes the options
of its function. An option that is not named has its value in the configuration. Any field of the configuration can be
overridden as --config.FIELD=VALUE, except the method and what --methods sets.

With --also=FILE[:ARGUMENTS], any number of times, the same is done for further experiments, with the same overrides.

Each method's run, with all seeds, has its own folder in the working directory (in one named after the experiment, if
there are several), as experiments/run.py leaves it; the complete ones are gathered in runs.csv, a row for every seed
and round. A run that fails does not stop the others. The same command again runs only what is not complete.

Several runs at once: --processes=N on this machine, --devices=0,1,... one on each of these GPUs, or
--slurm=timeout_min=600,slurm_partition=gpu as jobs (submitit's parameters; the same command without --slurm gathers the
table when they have ended).
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict

from lbb_jax import experiment, paths

_CONFIG = experiment.define_config(None, "Configuration file, with arguments after a colon.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of all runs; made if needed.")
_METHODS = flags.DEFINE_string("methods", experiment.DEFAULT_METHODS, "Methods and their options.")
_ALSO = flags.DEFINE_multi_string("also", [], "A further experiment: its configuration file with arguments.")
_PROCESSES = flags.DEFINE_integer("processes", 1, "Runs at once, each in a process of its own if more than 1.")
_DEVICES = flags.DEFINE_list("devices", [], "GPUs by number, to run one run on each at a time.")
_SLURM = flags.DEFINE_string("slurm", None, "Parameters of the jobs to submit to SLURM, as NAME=VALUE,...")


def main() -> None:
    """Runs what the flags describe and says what failed."""
    workdir = paths.output_folder(_WORKDIR.value, name="--workdir")
    variants = experiment.parse_methods(_METHODS.value)
    set_here = {f"acquisition.{field}" for fields in variants.values() for field in fields}
    experiment.refuse_overrides(set_here, f"--methods={_METHODS.value} sets it: name the methods and options there")
    experiment.show_warnings()
    experiment.use_cache()
    configs = experiment.combine(_experiments(), variants)
    if _SLURM.value is not None:
        _submit(configs, workdir)
        return
    try:
        failures = experiment.run_sweep(configs, workdir, num_processes=_PROCESSES.value, devices=tuple(_DEVICES.value))
    except KeyboardInterrupt:
        experiment.leave(f"stopped; the same command goes on with {workdir} where it was")
    if len(failures) < len(configs):
        print(f"{len(configs) - len(failures)} of {len(configs)} runs are complete: {workdir}/runs.csv")
    if failures:
        lines = "".join(f"\n  {name}: {message}" for name, message in failures.items())
        sys.exit(f"error: {len(failures)} of {len(configs)} runs failed{lines}")


def _experiments() -> dict[str, ConfigDict]:
    """The configurations that ``--config`` and ``--also`` name, by the names of their folders."""
    experiments = {experiment.experiment_name(experiment.config_name()): _CONFIG.value}
    for reference in _ALSO.value:
        name = experiment.experiment_name(reference)
        if name in experiments:
            raise experiment.ExperimentError(f"--also={reference}: is named twice; leave one out")
        experiments[name] = experiment.load_config(reference, experiment.overridden_fields())
    return experiments


def _submit(configs: Mapping[str, ConfigDict], workdir: Path) -> None:
    """Submits the runs as jobs, and says which."""
    jobs = experiment.slurm.submit(configs, workdir, experiment.slurm.parse_parameters(_SLURM.value))
    for name, job in jobs.items():
        print(f"job {job}: {name}")
    print(f"{len(jobs)} jobs submitted; the same command without --slurm gathers the table when they have ended")


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    experiment.run_script(main)
