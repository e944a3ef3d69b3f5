"""Runs several acquisition methods on one experiment and gathers them in one table.

    python experiments/sweep.py --config=configs/digits.py --workdir=runs/digits
    python experiments/sweep.py --config=configs/digits.py --workdir=runs/alpha --processes=2 \
        --methods=random,power_bald:alpha=5,power_lbb:redundancy=tree:alpha=5

Methods are separated by commas, their options follow after colons: alpha=NUMBER (power_bald, power_lbb),
num_samples=INTEGER (batch_bald), redundancy=pairwise or tree and pair_weight=NUMBER (lbb, power_lbb),
num_targets=INTEGER (epig), power=True or False and with it alpha=NUMBER (epig, lbb_released). An option that is not
named is that of the configuration, any field of which can be overridden as --config.FIELD=VALUE.

Each method's run, with all seeds, has its own folder in the working directory, as experiments/run.py leaves it; the
complete ones are gathered in runs.csv, a row for every seed and round. A run that fails does not stop the others. The
same command again runs only what is not complete.
"""

import sys

from absl import app, flags
from ml_collections import config_flags

from lbb_jax import experiment

_CONFIG = config_flags.DEFINE_config_file("config", None, "Configuration file, with arguments after a colon.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of all runs; made if needed.")
_METHODS = flags.DEFINE_string("methods", experiment.DEFAULT_METHODS, "Methods and their options.")
_PROCESSES = flags.DEFINE_integer("processes", 1, "Runs at once, each in a process of its own if more than 1.")


def main(arguments: list[str]) -> None:
    """Runs what the flags describe and says what failed."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(arguments[1:])}")
    experiment.show_warnings()
    experiment.use_cache()
    try:
        variants = experiment.parse_methods(_METHODS.value)
        failures = experiment.run_sweep(_CONFIG.value, variants, _WORKDIR.value, num_processes=_PROCESSES.value)
    except experiment.ExperimentError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        experiment.leave(f"stopped; the same command goes on with {_WORKDIR.value} where it was")
    if len(failures) < len(variants):
        print(f"{len(variants) - len(failures)} of {len(variants)} runs are complete: {_WORKDIR.value}/runs.csv")
    if failures:
        lines = "".join(f"\n  {name}: {message}" for name, message in failures.items())
        sys.exit(f"error: {len(failures)} of {len(variants)} runs failed{lines}")


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    app.run(main)
