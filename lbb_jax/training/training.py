"""What every way of training offers, and the optimizer step that they share."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from lbb_jax.examples import Data
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network, Variables


class Training(NamedTuple):
    """A way of training one network, as a pure function that works under `vmap` over networks and labelled sets.

    Attributes:
      fit: ``(key, network, variables, data, labelled) -> (variables, losses[units])``: minimises the cross-entropy of
        the labelled points of ``data.pool``, at least one, starting from ``variables``. The key is consumed; losses are
        in nats.
      unit: The unit of training that one entry of ``losses`` belongs to: "step" or "epoch".
      is_short: Whether it takes so little time on an accelerator that several rounds are better run as one program.
      takes_images: Whether inputs must be images ``[B, H, W, c]``.
    """

    fit: Callable[[jax.Array, Network, Variables, Data, LabelledSet], tuple[Variables, Float[Array, " units"]]]
    unit: str = "step"
    is_short: bool = False
    takes_images: bool = False


class Progress(NamedTuple):
    """The state of a network's training.

    Attributes:
      variables: The variables of the network.
      optimizer_state: The state of the optax transformation.
    """

    variables: Variables
    optimizer_state: PyTree


def promotion_of_optax() -> AbstractContextManager[None]:
    """Lets optax mix integers and floats, even if the user has made JAX refuse such promotion."""
    return jax.numpy_dtype_promotion("standard")


def start(variables: Variables, optimizer: optax.GradientTransformation) -> Progress:
    """The progress before the first step."""
    with promotion_of_optax():
        return Progress(variables, optimizer.init(variables.params))


def step(
    key: jax.Array,
    progress: Progress,
    network: Network,
    optimizer: optax.GradientTransformation,
    inputs: jax.Array,
    labels: Int[Array, " B"],
) -> tuple[Progress, Float[Array, ""]]:
    """One step down the gradient of a minibatch's cross-entropy.

    Args:
      key: Random key, consumed by dropout.
      progress: Before the step.
      network: The network that the variables are of.
      optimizer: The optax transformation that the state is of.
      inputs: ``[B, ...]`` float32.
      labels: ``[B]`` int32.

    Returns:
      The progress after the step, and the mean cross-entropy before it, ``[]``, nats.
    """
    before, optimizer_state = progress

    def loss(params: PyTree) -> tuple[jax.Array, PyTree]:
        logits, statistics = network.training_logits(key, before._replace(params=params), inputs)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels)), statistics

    (value, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(before.params)
    with promotion_of_optax():
        updates, optimizer_state = optimizer.update(gradient, optimizer_state, before.params)
        params = optax.apply_updates(before.params, updates)
    return Progress(Variables(params, statistics), optimizer_state), value
