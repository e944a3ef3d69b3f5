"""Keeping the variables of the epoch that does best on validation examples."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lbb_jax import examples as example_lib
from lbb_jax.examples import Examples
from lbb_jax.networks import Network, Variables


class Best(NamedTuple):
    """The variables to keep.

    Attributes:
      variables: After the best epoch so far.
      num_correct: Validation examples that they classify correctly, ``[]`` int32; -1 before the first epoch.
    """

    variables: Variables
    num_correct: jax.Array


def choose(best: Best, variables: Variables, network: Network, validation: Examples | None) -> Best:
    """The variables to keep after one more epoch.

    Args:
      best: Of the epochs before.
      variables: After this epoch.
      network: The network that they are of.
      validation: What decides between the two: this epoch has to be better than the best so far. None for this epoch.
    """
    if validation is None:
        return best._replace(variables=variables)
    latest = Best(variables, count_correct(network, variables, validation))
    is_better = latest.num_correct > best.num_correct
    return jax.tree.map(lambda new, old: jnp.where(is_better, new, old), latest, best)


def count_correct(network: Network, variables: Variables, examples: Examples) -> jax.Array:
    """How many examples the network classifies correctly, without dropout: ``[]`` int32."""

    # One network after the other: convolutions with a kernel for each would be grouped, and slow.
    @jax.custom_batching.sequential_vmap
    def count(variables: Variables, examples: Examples) -> jax.Array:
        def classify(inputs: jax.Array) -> jax.Array:
            return jnp.argmax(network.logits(variables, inputs), axis=-1)

        predicted = example_lib.map_inputs(classify, examples)
        return jnp.sum(predicted == example_lib.all_labels(examples), dtype=jnp.int32)

    return count(variables, examples)
