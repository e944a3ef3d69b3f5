"""Runs one active-learning experiment: one data set, posterior and acquisition method, all seeds.

    python experiments/run.py --config=configs/digits.py --config.acquisition.method=lbb --workdir=runs/digits/lbb

The configurations are the files in configs/; each begins with its arguments, the command that runs it and what to
expect. Any field can be overridden as --config.FIELD=VALUE. The working directory receives config.json,
metrics.jsonl, checkpoints/ and figures/; the same command again resumes a stopped run.
"""

from absl import flags

from lbb_jax import experiment, paths

_CONFIG = experiment.define_config(None, "Configuration file, with arguments after a colon.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of this run; made if needed.")


def main() -> None:
    """Runs the experiment that the flags describe."""
    workdir = paths.folder(_WORKDIR.value, name="--workdir")
    experiment.show_own_messages()
    experiment.use_cache()
    try:
        experiment.run(_CONFIG.value, workdir)
    except KeyboardInterrupt:
        experiment.leave(f"stopped; the same command goes on with {workdir} where it was")
    print(f"done: {workdir}/metrics.jsonl, {workdir}/figures/learning_curve.png")


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    experiment.run_script(main)
