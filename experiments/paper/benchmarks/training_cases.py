"""Training several networks at once, and predicting with many dropout masks, timed on random images."""

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from lbb_jax import examples, labelled_set, networks, posteriors, training
from lbb_jax.json_lines import Record
from lbb_jax.loop import Data
from paper.benchmarks.timing import seconds_of, time_beside

BATCH_SIZE = 64
NUM_CLASSES = 10
_NUM_LABELLED = 256


class NetworkCase(NamedTuple):
    """A network and how it is trained.

    Attributes:
      name: The name of the case.
      module: The network, without dropout.
      image_shape: The shape of one input.
      make_optimizer: The paper's optimizer for it.
    """

    name: str
    module: nn.Module
    image_shape: tuple[int, int, int]
    make_optimizer: Callable[[], optax.GradientTransformation]


CASES = {
    case.name: case
    for case in (
        NetworkCase(
            "mnist_cnn",
            networks.ConvolutionalClassifier(NUM_CLASSES, dropout_rates=(0.0, 0.0, 0.0)),
            (28, 28, 1),
            lambda: optax.adam(1e-3),
        ),
        NetworkCase("resnet18", networks.ResNet18(NUM_CLASSES), (32, 32, 3), lambda: optax.sgd(0.05, momentum=0.9)),
    )
}


def time_training(
    case: NetworkCase, *, num_members: int, members_at_once: int, num_steps: int, repetitions: int
) -> Record:
    """Times the training of an ensemble, compilation excluded.

    Args:
      case: What is trained.
      num_members: Networks.
      members_at_once: How many are trained side by side; the others wait.
      num_steps: Optimizer steps of each network.
      repetitions: Runs, of which the median counts.

    Returns:
      Milliseconds per step of one network.
    """
    fit, _ = compile_training(case, num_members=num_members, members_at_once=members_at_once, num_steps=num_steps)
    seconds = [seconds_of(fit) for _ in range(repetitions)]
    return {
        "case": f"training, {case.name}",
        "networks": num_members,
        "at_once": members_at_once,
        "batch_size": BATCH_SIZE,
        "milliseconds_per_network_step": round(1e3 * statistics.median(seconds) / (num_steps * num_members), 2),
    }


def compile_training(
    case: NetworkCase,
    *,
    num_members: int,
    members_at_once: int,
    num_steps: int,
    compute_dtype: Any = jnp.float32,
) -> tuple[Callable[[], Any], Any]:
    """A call that trains an ensemble, and its compiled program; the arguments are those of `time_training`."""
    data = _data(case)
    posterior = posteriors.deep_ensemble(
        networks.functional(case.module, compute_dtype=compute_dtype),
        training.fixed_steps(case.make_optimizer(), num_steps=num_steps, batch_size=BATCH_SIZE),
        num_members=num_members,
        members_at_once=members_at_once,
    )
    labelled = labelled_set.create(jnp.arange(_NUM_LABELLED), capacity=_NUM_LABELLED)
    params = posterior.init(jax.random.key(0), examples.inputs(data.pool, jnp.arange(1)))
    fit = jax.jit(posterior.fit).lower(jax.random.key(1), params, data, labelled).compile()
    return lambda: fit(jax.random.key(1), params, data, labelled), fit


def time_masked_prediction(*, num_images: int, num_draws: int, repetitions: int) -> Record:
    """Times MC dropout's prediction with the MNIST network beside as many plain forward passes."""
    timing = time_beside(*make_masked_prediction(num_images=num_images, num_draws=num_draws), repetitions=repetitions)
    return {
        "case": "masked prediction, mnist_cnn",
        "images": num_images,
        "draws": num_draws,
        "milliseconds": round(1e3 * timing.seconds, 1),
        "milliseconds_of_plain_passes": round(1e3 * timing.unit_seconds, 1),
        "ratio": round(timing.seconds / timing.unit_seconds, 3),
    }


def make_masked_prediction(*, num_images: int, num_draws: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Two calls: MC dropout's prediction with the MNIST network, and as many plain forward passes."""
    case = CASES["mnist_cnn"]
    module = networks.ConvolutionalClassifier(NUM_CLASSES)
    network = networks.functional(module)
    images = jax.random.normal(jax.random.key(0), (num_images, *case.image_shape))
    variables = network.init(jax.random.key(1), images[:1])

    @jax.jit
    def masked(variables: Any, images: jax.Array) -> jax.Array:
        hidden = network.before_dropout(variables, images)
        keys = jax.random.split(jax.random.key(2), num_draws)
        return jax.lax.map(lambda key: network.masked_logits(key, variables, hidden), keys)

    # One pass at a time from the host, so that the compiler cannot see that all are the same.
    plain = jax.jit(network.logits)
    return lambda: masked(variables, images), lambda: [plain(variables, images) for _ in range(num_draws)]


def _data(case: NetworkCase) -> Data:
    """Random images with random labels."""
    feature_key, label_key = jax.random.split(jax.random.key(0))
    features = jax.random.randint(feature_key, (_NUM_LABELLED, *case.image_shape), 0, 256).astype(jnp.uint8)
    labels = jax.random.randint(label_key, (_NUM_LABELLED,), 0, NUM_CLASSES)
    pool = examples.create(features, labels, mean=jnp.float32(128), std=jnp.float32(64))
    return Data(pool, pool)
