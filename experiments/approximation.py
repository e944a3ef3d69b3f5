"""Measures how far approximations of a batch's total correlation are from it, and what each method's batches tell.

    python experiments/approximation.py --config=configs/digits.py --workdir=runs/approximation/digits
    python experiments/approximation.py --config=configs/mnist.py:mc_dropout,mlp,small \
        --config.posterior.num_draws=50 --labels=50 --workdir=runs/approximation/mnist
    python experiments/approximation.py --predictions=log_probs.npy --workdir=runs/approximation/own
    python experiments/approximation.py --workdir=runs/approximation/own    # draws the figures anew

The posterior of the configuration is trained on a few labels, once for each seed; instead of it, the predictions of any
model can be given: a file of log-probabilities [N, K, C]. The working directory receives measurements.jsonl, a line for
each measurement, and the figures.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from absl import app, flags

from lbb_jax import acquisition, experiment, figures, paths
from paper.approximation import figures as study_figures
from paper.approximation import measurements, predictions, study
from paper.approximation.predictions import Predictions

_CONFIG = experiment.define_config(None, "Configuration file, with arguments after a colon.")
_PREDICTIONS = flags.DEFINE_string("predictions", None, "A .npy file of log-probabilities [N, K, C].")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the measurements; made if needed.")
_LABELS = flags.DEFINE_integer("labels", 50, "Points that the posterior is trained on.", lower_bound=1)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Number of trainings, each on points of its own.", lower_bound=1)
_METHODS = flags.DEFINE_string("methods", study.METHODS, "Methods and their options, as for experiments/sweep.py.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 50, "The largest batch.", lower_bound=2)
_REPETITIONS = flags.DEFINE_integer("repetitions", 3, "Batches of each random choice, for each seed.", lower_bound=1)
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 20_000, "Label configurations to sample.", lower_bound=2)

# The fields of the configuration that the flags above stand for.
_SET_HERE = ("acquisition", "initial_size", "batch_size", "final_size", "seeds")


def main() -> None:
    """Measures what the flags name and draws it."""
    if _CONFIG.value is not None and _PREDICTIONS.value is not None:
        raise app.UsageError("--config and --predictions: give only one of them")
    workdir = paths.output_folder(_WORKDIR.value, name="--workdir")
    if _CONFIG.value is not None:
        experiment.refuse_overrides(_SET_HERE, "--methods, --batch_size, --labels and --seeds set what is measured")
    experiment.show_warnings()
    experiment.use_cache()
    experiment.check_platform()
    path = workdir / "measurements.jsonl"
    if _CONFIG.value is not None or _PREDICTIONS.value is not None:
        try:
            _measure(path)
        except (FileNotFoundError, ValueError) as error:
            raise experiment.ExperimentError(str(error)) from error
    elif not path.exists():
        raise app.UsageError(f"there is no {path}: give --config or --predictions to make it")
    measured = measurements.read(path)
    for name, draw in study_figures.FIGURES.items():
        figures.save(draw(measured), workdir / f"{name}.png")
        print(f"{name.replace('_', ' ')}: {workdir}/{name}.png")


def _measure(path: Path) -> None:
    """Writes the measurements of all seeds to ``path``, anew after each seed."""
    variants = _variants()
    done = []
    for of_seed in _predictions():
        done += study.measure(
            jax.random.key(of_seed.seed),
            of_seed,
            variants,
            batch_size=_BATCH_SIZE.value,
            repetitions=_REPETITIONS.value,
            num_samples=_NUM_SAMPLES.value,
        )
        measurements.write(path, done)
        print(f"{of_seed.source}, seed {of_seed.seed}: {len(done)} measurements in {path}", flush=True)


def _variants() -> dict[str, dict[str, Any]]:
    """The methods that the flag names, all of which use predictions alone."""
    variants = experiment.parse_methods(_METHODS.value)
    allowed = [name for name, method in acquisition.METHODS.items() if not method.uses_embeddings]
    for method in (fields["method"] for fields in variants.values()):
        if method not in allowed:
            raise experiment.ExperimentError(
                f"--methods: {method!r}: needs embeddings, but only predictions are given; must be one of "
                f"{', '.join(map(repr, allowed))}"
            )
    return variants


def _predictions() -> Iterator[Predictions]:
    """The predictions that the flags name."""
    if _PREDICTIONS.value is not None:
        yield predictions.from_file(_PREDICTIONS.value, name="--predictions")
    else:
        yield from predictions.of_posterior(
            _CONFIG.value, num_labels=_LABELS.value, num_seeds=_SEEDS.value, name="--labels"
        )


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir"])
    experiment.run_script(main)
