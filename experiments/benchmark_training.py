"""Times training and prediction and prints one JSON line for each case.

    python experiments/benchmark_training.py                              # the MNIST network: 1, 5 and 25 of them
    python experiments/benchmark_training.py --network=resnet18 --members=1 --members=5 --steps=2
    .venv-parity/bin/python experiments/benchmark_training.py --peers     # PyTorch too, in the same run

Times are medians, compilation excluded, and do not depend on what the images show: they are random.
"""

import json
from collections.abc import Iterator
from typing import Any

import jax
from absl import flags

from lbb_jax import experiment
from paper.benchmarks import training_cases

_NETWORK = flags.DEFINE_enum("network", "mnist_cnn", list(training_cases.CASES), "What is trained.")
_MEMBERS = flags.DEFINE_multi_integer("members", [1, 5, 25], "Numbers of networks.", lower_bound=1)
_AT_ONCE = flags.DEFINE_multi_integer(
    "at_once", None, "Numbers of networks side by side; one, and all, if not given.", lower_bound=1
)
_STEPS = flags.DEFINE_integer("steps", 20, "Optimizer steps that are timed together.", lower_bound=1)
_REPETITIONS = flags.DEFINE_integer("repetitions", 5, "Times that each case is timed.", lower_bound=1)
_DRAWS = flags.DEFINE_integer("draws", 100, "Dropout masks to predict with.", lower_bound=1)
_PEERS = flags.DEFINE_bool("peers", False, "Whether PyTorch is timed too.")


def main() -> None:
    """Times what the flags name."""
    experiment.check_platform()
    for record in _records():
        print(json.dumps(record | {"device": jax.devices()[0].device_kind}), flush=True)


def _records() -> Iterator[dict[str, Any]]:
    """The records, as each is done."""
    if _PEERS.value:
        from paper.benchmarks import torch_training

        yield torch_training.time_training(_NETWORK.value, num_steps=_STEPS.value, repetitions=_REPETITIONS.value)
    for num_members in _MEMBERS.value:
        for at_once in _AT_ONCE.value or sorted({1, num_members}):
            yield training_cases.time_training(
                training_cases.CASES[_NETWORK.value],
                num_members=num_members,
                members_at_once=at_once,
                num_steps=_STEPS.value,
                repetitions=_REPETITIONS.value,
            )
    if _NETWORK.value == "mnist_cnn":
        yield training_cases.time_masked_prediction(
            num_images=500, num_draws=_DRAWS.value, repetitions=_REPETITIONS.value
        )


if __name__ == "__main__":
    experiment.run_script(main)
