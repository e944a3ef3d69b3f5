"""What a run writes down of a round: one line for each seed."""

import jax
from ml_collections import ConfigDict

from lbb_jax.experiment.configuration import dataset_name
from lbb_jax.experiment.rounds import Finished
from lbb_jax.run_folder import Record


def of_round(config: ConfigDict, finished: Finished) -> list[Record]:
    """The lines of ``metrics.jsonl`` for a round, one for each seed; seconds are a seed's share."""
    return [_of_seed(config, finished, seed) for seed in range(config.seeds)]


def _of_seed(config: ConfigDict, finished: Finished, seed: int) -> Record:
    done = jax.tree.map(lambda leaf: leaf[seed], finished.round)
    count = int(done.batch.num_labelled)
    stages = finished.seconds_of_stages or dict.fromkeys(("train", "predict", "acquire"))

    def share(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds / config.seeds, 6)

    return {
        "seed": seed,
        "round": int(done.round),
        "labels": int(done.labels),
        "accuracy": float(done.metrics.accuracy),
        "nll": float(done.metrics.nll),
        "ece": float(done.metrics.ece),
        "method": config.acquisition.method,
        "dataset": dataset_name(config),
        "posterior": config.posterior.name,
        "batch_size": config.batch_size,
        "acquired": done.batch.picked.indices[:count].tolist(),
        "gains": done.batch.picked.scores[:count].tolist(),
        "seconds": share(finished.seconds),
        **{f"seconds_{stage}": share(seconds) for stage, seconds in stages.items()},
    }
