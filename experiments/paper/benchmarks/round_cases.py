"""A round of the MNIST experiment, stage by stage, and a whole experiment; and by PyTorch, in a Python that has it."""

import functools
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from lbb_jax import acquisition, batching, examples, loop, networks, posteriors, training
from lbb_jax.errors import ExperimentError
from lbb_jax.examples import Data
from lbb_jax.json_lines import Record
from paper.benchmarks.timing import seconds_of

_NUM_CLASSES = 10
_TORCH_ROUND = Path(__file__).with_name("torch_round.py")
# PyTorch's forms that are worth a trial in each stage, as `torch_round` names them.
FORMS = {
    "train": ("plain", "channels last", "compiled", "compiled, channels last", "vmap"),
    "predict": ("plain", "channels last", "compiled", "compiled, channels last", "compiled, frozen", "vmap"),
    "acquire": ("plain",),
    "experiment": ("channels last, compiled to predict",),
}


class RoundSizes(NamedTuple):
    """What a round takes, or an experiment.

    Attributes:
      members: Networks of the ensemble.
      steps: Optimizer steps of each, with minibatches of 64.
      images: Images of the pool, all of them predicted.
      labelled: Images that are trained on, by an experiment in its first round.
      acquired: Images that are acquired in a round.
      rounds: Rounds. The last of several acquires nothing, a single one does.
      tested: Images to test on in each round of an experiment.
    """

    members: int = 5
    steps: int = 384
    images: int = 60_000
    labelled: int = 260
    acquired: int = 10
    rounds: int = 1
    tested: int = 2_000

    @property
    def final(self) -> int:
        """Images that are labelled in the end."""
        return self.labelled + self.acquired * max(1, self.rounds - 1)

    def units(self, stage: str) -> int:
        """What PyTorch counts: steps to train, images to predict, points to acquire, or rounds."""
        return {"train": self.steps, "predict": self.images, "acquire": self.acquired, "experiment": self.rounds}[stage]


# Those of configs/mnist.py:small.
REDUCED = RoundSizes(steps=96, images=10_000, labelled=20, rounds=19)


def time_stages(stages: Sequence[str], sizes: RoundSizes) -> dict[str, Record]:
    """Seconds of stages ("train", "predict", "acquire") by lbb_jax, and the seconds to compile each."""
    settings, data = _settings(sizes), Data(_images(sizes.images), _images(sizes.acquired))
    state = jax.jit(loop.init, static_argnums=2)(jax.random.key(0), data, settings)
    compiled: dict[str, tuple[Callable[[], Any], float]] = {}
    params = jax.eval_shape(functools.partial(loop.train, settings=settings), state, data)[0]
    params = jax.tree.map(lambda leaf: 0.05 * jax.random.normal(jax.random.key(1), leaf.shape), params)
    log_probs = jax.nn.log_softmax(3 * jax.random.normal(jax.random.key(2), (sizes.images, sizes.members, 10)))
    for stage, function, *arguments in (
        ("train", loop.train, state, data),
        ("predict", loop.predict, state, params, data),
        ("acquire", loop.acquire, state, loop.MethodInputs(log_probs)),
    ):
        if stage in stages:
            compiled[stage] = _compile(functools.partial(function, settings=settings), *arguments)
    return {
        stage: {"seconds": round(seconds_of(call), 4), "compile_seconds": round(seconds, 1)}
        for stage, (call, seconds) in compiled.items()
    }


def time_experiment(sizes: RoundSizes) -> Record:
    """Seconds of all rounds by lbb_jax, each stage a program of its own, and the seconds to compile them."""
    settings, data = _settings(sizes), Data(_images(sizes.images), _images(sizes.tested))
    begin = jax.jit(functools.partial(loop.init, settings=settings))
    train, evaluate, predict, acquire = (
        jax.jit(functools.partial(stage, settings=settings))
        for stage in (loop.train, loop.evaluate, loop.predict, loop.acquire)
    )

    def rounds(count: int) -> Any:
        state, measured = begin(jax.random.key(0), data), []
        for number in range(1, count + 1):
            params, _ = train(state, data)
            measured.append(evaluate(state, params, data))
            if number < count:
                state, _ = acquire(state, predict(state, params, data))
        return state, measured

    first, again = (seconds_of(lambda: rounds(2)) for _ in range(2))
    return {
        "seconds": round(seconds_of(lambda: rounds(sizes.rounds)), 4),
        "compile_seconds": round(first - again, 1),
    }


def time_torch(python: str, stage: str, forms: Sequence[str], sizes: RoundSizes, *, units: int) -> list[Record]:
    """Seconds of a stage by PyTorch, a record for each form.

    Args:
      python: An interpreter that has PyTorch.
      stage: "train", "predict", "acquire" or "experiment".
      forms: As `torch_round` names them.
      sizes: As for `time_stages` and `time_experiment`.
      units: Steps, images, points or rounds; `RoundSizes.units` gives them for the whole.

    Raises:
      ExperimentError: If PyTorch fails; the message ends with what it says.
    """
    settings: dict[str, Any] = {"stage": stage, "forms": list(forms), "units": units, "num_members": sizes.members}
    settings["num_images"] = sizes.labelled if stage == "train" else sizes.images
    if stage == "experiment":
        settings |= {"num_labelled": sizes.final, "num_tested": sizes.tested}
        settings |= {"num_steps": sizes.steps, "num_acquired": sizes.acquired}
    result = subprocess.run([python, str(_TORCH_ROUND), json.dumps(settings)], capture_output=True, text=True)
    if result.returncode:
        raise ExperimentError(f"--peer={python}: failed to time PyTorch: {result.stderr[-1000:]}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def _settings(sizes: RoundSizes) -> loop.Settings:
    """The experiment of configs/mnist.py."""
    network = networks.functional(networks.ConvolutionalClassifier(_NUM_CLASSES, dropout_rates=(0.25, 0.25, 0.5)))
    steps = training.adam_steps(learning_rate=1e-3, num_steps=sizes.steps, batch_size=64)
    at_once = 1 if batching.is_on_cpu() else None
    return loop.Settings(
        posterior=posteriors.deep_ensemble(network, steps, num_members=sizes.members, members_at_once=at_once),
        acquire=functools.partial(acquisition.large_batch_bald, redundancy="tree"),
        num_classes=_NUM_CLASSES,
        initial_size=sizes.labelled,
        batch_size=sizes.acquired,
        final_size=sizes.final,
    )


def _images(count: int) -> examples.Examples:
    """Random images, all classes equally often."""
    features = np.random.default_rng(0).integers(256, size=(count, 28, 28, 1), dtype=np.uint8)
    return examples.create(features, np.arange(count) % _NUM_CLASSES, mean=np.float32(33.3), std=np.float32(78.6))


def _compile(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[[], Any], float]:
    """A call of the compiled function, and the seconds that it took to compile."""
    start = time.perf_counter()
    program = jax.jit(function).lower(*arguments).compile()
    return lambda: program(*arguments), time.perf_counter() - start
