"""Runs one active-learning experiment: one data set, posterior and acquisition method, all seeds.

    python experiments/run.py --config=configs/digits.py --config.acquisition.method=lbb --workdir=runs/digits/lbb

The configurations are the files in configs/; each begins with its arguments, the command that runs it and what to
expect. Any field can be overridden as --config.FIELD=VALUE. The working directory receives config.json,
metrics.jsonl, checkpoints/ and figures/; the same command again goes on where a stopped run left off.
"""

import sys

from absl import app, flags
from ml_collections import config_flags

from lbb_jax import datasets, experiment

_CONFIG = config_flags.DEFINE_config_file("config", None, "Configuration file, with arguments after a colon.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of this run; made if needed.")


def main(arguments: list[str]) -> None:
    """Runs the experiment that the flags describe."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(arguments[1:])}")
    experiment.show_own_messages()
    experiment.use_cache()
    try:
        experiment.run(_CONFIG.value, _WORKDIR.value)
    except (experiment.ExperimentError, datasets.MissingDatasetError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        experiment.leave(f"stopped; the same command goes on with {_WORKDIR.value} where it was")
    print(f"done: {_WORKDIR.value}/metrics.jsonl, {_WORKDIR.value}/figures/learning_curve.png")


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    app.run(main, flags_parser=experiment.parse_flags)
