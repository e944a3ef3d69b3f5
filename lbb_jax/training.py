"""Training one network on the labelled points of a pool."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lbb_jax import examples as example_lib
from lbb_jax import labelled_set
from lbb_jax.examples import Examples
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network
from lbb_jax.networks.network import Params


class Training(NamedTuple):
    """How a network is trained.

    Attributes:
      optimizer: The optax transformation.
      num_steps: Optimizer steps, whatever the number of labels.
      batch_size: Labelled points in a step, drawn with replacement.
    """

    optimizer: optax.GradientTransformation
    num_steps: int
    batch_size: int


def fit(
    key: jax.Array, params: Params, *, network: Network, training: Training, pool: Examples, labelled: LabelledSet
) -> tuple[Params, jax.Array]:
    """Minimises the cross-entropy of the labelled points, starting from ``params``.

    Args:
      key: Random key, consumed by minibatches and dropout.
      params: Initial parameters.
      network: The network that they are parameters of.
      training: Optimizer, number of steps and minibatch size.
      pool: All points, of which only the labelled ones are looked at.
      labelled: At least one point.

    Returns:
      The trained parameters and the loss of each step, ``[num_steps]``, nats.
    """

    def loss(params: Params, dropout_key: jax.Array, indices: jax.Array) -> jax.Array:
        logits = network.training_logits(dropout_key, params, example_lib.inputs(pool, indices))
        targets = example_lib.labels(pool, indices)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, targets))

    def step(carry: tuple, step_key: jax.Array) -> tuple[tuple, jax.Array]:
        params, optimizer_state = carry
        batch_key, dropout_key = jax.random.split(step_key)
        indices = labelled_set.sample(batch_key, labelled, training.batch_size)
        value, gradient = jax.value_and_grad(loss)(params, dropout_key, indices)
        updates, optimizer_state = training.optimizer.update(gradient, optimizer_state, params)
        return (optax.apply_updates(params, updates), optimizer_state), value

    start = (params, training.optimizer.init(params))
    (params, _), losses = jax.lax.scan(step, start, jax.random.split(key, training.num_steps))
    return params, losses
