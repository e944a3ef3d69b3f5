"""Compares four acquisition methods on handwritten digits: a real experiment that needs no download.

    python experiments/demo.py --workdir=runs/demo

Each method has its own folder in the working directory. Ends with a table and the path of the figure. Runs that are
complete are not repeated.
"""

from pathlib import Path

from absl import flags

from lbb_jax import analysis, experiment, figures, paths

_DIGITS = Path(__file__).parent.parent / "configs" / "digits.py"
_CONFIG = experiment.define_config(str(_DIGITS), "Configuration that the methods share.")
_WORKDIR = flags.DEFINE_string("workdir", "runs/demo", "Folder of all runs; made if needed.")

_AT_LABELS = flags.DEFINE_multi_integer("at_labels", [50, 100, 200], "Labels at which the table gives the accuracy.")

METHODS = experiment.parse_methods("random,bald,lbb,power_lbb:redundancy=tree")


def main() -> None:
    """Runs the methods one after the other and compares them."""
    workdir = paths.output_folder(_WORKDIR.value, name="--workdir")
    set_here = {f"acquisition.{field}" for options in METHODS.values() for field in options}
    experiment.refuse_overrides(set_here, "the demo compares methods of its own; experiments/sweep.py takes others")
    experiment.show_own_messages()
    experiment.use_cache()
    try:
        for name, config in experiment.combine({"": _CONFIG.value}, METHODS).items():
            experiment.run(config, workdir / name)
    except KeyboardInterrupt:
        experiment.leave(f"stopped; the same command goes on with {workdir} where it was")
    runs = analysis.load_runs(workdir / name for name in METHODS)
    figure = workdir / "figures" / "learning_curves.png"
    figures.save(figures.learning_curves(runs), figure)
    print(analysis.summarise(runs, at_labels=_AT_LABELS.value).to_string())
    print(f"\nlearning curves: {figure}")


if __name__ == "__main__":
    experiment.run_script(main)
