"""Run folders as the driver leaves them, without a run or where a run is stopped."""

import contextlib
import json

import pytest

from lbb_jax import experiment
from lbb_jax.experiment import environment
from lbb_jax.run_folder import Description, RunFolder, dataset_name


def write(path, accuracies=((0.5,),), *, batches=None, data=(), **overrides):
    """Writes a run that took all its rounds.

    Args:
      path: Its folder.
      accuracies: For each seed the accuracies of its rounds, which set the final size.
      batches: The points that every seed acquired, of each round; as many in each as the batch size if not given.
      data: What the run knows of its data.
      **overrides: Fields of the configuration that are not the default, by names with dots.

    Returns:
      The folder.
    """
    config = experiment.default_config()
    config.update_from_flattened_dict(overrides)
    config.seeds, num_rounds = len(accuracies), len(accuracies[0])
    if "final_size" not in overrides:
        config.final_size = config.initial_size + (num_rounds - 1) * config.batch_size
    if batches is None:
        batches = [list(range(config.batch_size))] * (num_rounds - 1) + [[]]
    folder = RunFolder(path)
    folder.write_description(describe(config, data))
    folder.keep_records(
        [
            line(config, seed=seed, round=number, accuracy=of_seed[number], acquired=list(batches[number]))
            for number in range(num_rounds)
            for seed, of_seed in enumerate(accuracies)
        ]
    )
    return folder.path


@contextlib.contextmanager
def stopped_after_saving(count):
    """A context in which whatever runs is stopped once so many checkpoints have been saved, as by Ctrl-C."""
    original, saved = RunFolder.save, []

    def save(self, states):
        original(self, states)
        saved.append(states)
        if len(saved) == count:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(RunFolder, "save", save)
        with pytest.raises(KeyboardInterrupt):
            yield


def describe(config, data=()):
    """What ``config.json`` says of a run that begins here."""
    return Description(
        config=json.loads(config.to_json()),
        data=dict(data),
        versions=environment.versions(),
        platform=environment.hardware(),
        settings=environment.settings(),
        names={},
    )


def line(config, *, seed, round, accuracy, acquired):
    """A line of ``metrics.jsonl``, which took six seconds."""
    return {
        **{"seed": seed, "round": round, "accuracy": accuracy, "nll": 1.5, "ece": 0.1},
        "labels": min(config.initial_size + round * config.batch_size, config.final_size),
        **{"method": config.acquisition.method, "dataset": dataset_name(config)},
        **{"posterior": config.posterior.name, "batch_size": config.batch_size},
        **{"acquired": acquired, "gains": [0.5 / (order + 1) for order in range(len(acquired))]},
        **{"seconds": 6.0, "seconds_train": 1.0, "seconds_predict": 2.0, "seconds_acquire": 3.0},
    }


def change_config(path, **changes):
    """Edits parts of ``config.json``: ``config={"seeds": None}`` sets a field, and ... as a value removes it."""
    file = RunFolder(path).config
    content = json.loads(file.read_text())
    for part, fields in changes.items():
        for name, value in fields.items():
            *sections, last = name.split(".")
            within = content[part]
            for section in sections:
                within = within[section]
            if value is ...:
                del within[last]
            else:
                within[last] = value
    file.write_text(json.dumps(content, indent=2))
