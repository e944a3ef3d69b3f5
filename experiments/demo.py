"""Compares four acquisition methods on handwritten digits: a real experiment that needs no download.

    python experiments/demo.py --workdir=runs/demo

Each method has its own folder in the working directory. Ends with a table and the path of the figure. Runs that are
complete are not repeated.
"""

import copy
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from lbb_jax import analysis, experiment, figures

_DIGITS = Path(__file__).parent.parent / "configs" / "digits.py"
_CONFIG = config_flags.DEFINE_config_file("config", str(_DIGITS), "Configuration that the methods share.")
_WORKDIR = flags.DEFINE_string("workdir", "runs/demo", "Folder of all runs; made if needed.")

_AT_LABELS = flags.DEFINE_multi_integer("at_labels", [50, 100, 200], "Labels at which the table gives the accuracy.")

METHODS = {
    "random": {"method": "random"},
    "bald": {"method": "bald"},
    "lbb": {"method": "lbb"},
    "power_lbb_tree": {"method": "power_lbb", "redundancy": "tree"},
}


def main(arguments: list[str]) -> None:
    """Runs the methods one after the other and compares them."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(arguments[1:])}")
    experiment.show_own_messages()
    experiment.use_cache()
    workdir = Path(_WORKDIR.value)
    try:
        for name, options in METHODS.items():
            config = copy.deepcopy(_CONFIG.value)
            config.acquisition.update(options)
            experiment.run(config, workdir / name)
    except experiment.ExperimentError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        experiment.leave(f"stopped; the same command goes on with {workdir} where it was")
    runs = analysis.load_runs(workdir / name for name in METHODS)
    figure = workdir / "figures" / "learning_curves.png"
    figures.save(figures.learning_curves(runs), figure)
    print(analysis.summarise(runs, at_labels=_AT_LABELS.value).to_string())
    print(f"\nlearning curves: {figure}")


if __name__ == "__main__":
    app.run(main, flags_parser=experiment.parse_flags)
