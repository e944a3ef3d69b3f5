"""Training by epochs with stochastic gradient descent: the regime of the paper's CIFAR and SVHN experiments.

An epoch takes as many steps as the labelled points need, a number that is traced: the labelled set grows from round to
round, and one compiled program serves all of them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, Int32

from lbb_jax import examples as example_lib
from lbb_jax import labelled_set, ranges
from lbb_jax.examples import Data, Examples
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network, Variables
from lbb_jax.ranges import Count, NotNegative, Positive, Rate, RisingCounts, Switch
from lbb_jax.training.augmentation import crop_and_flip
from lbb_jax.training.training import Progress, Training, promotion_of_optax, start, step

DECAY = 0.1


@ranges.checked
def epochs(
    *,
    num_epochs: Count,
    learning_rate: Positive,
    momentum: Rate,
    weight_decay: NotNegative,
    decay_epochs: RisingCounts,
    smallest_batch_size: Count,
    augment: Switch,
    acquired_batch_size: Count = 1,
) -> Training:
    """Training by stochastic gradient descent on minibatches that visit the labelled points in a random order.

    Every epoch draws an order of its own and visits each point once; the last minibatch is filled up from the epoch's
    first points. If there are validation examples, the variables after the epoch of the highest accuracy on them are
    kept, the earliest of several; otherwise those after the last epoch.

    Args:
      num_epochs: At least 1.
      learning_rate: Above 0.
      momentum: At least 0 and below 1.
      weight_decay: Multiple of all parameters that is added to the gradient; at least 0.
      decay_epochs: Epochs, counted from 0; at the start of each the learning rate is divided by 10. At least 1 and
        rising.
      smallest_batch_size: The least number of labelled points in a step, at least 1.
      augment: Whether inputs are cropped and flipped at random (`crop_and_flip`); they must be images then.
      acquired_batch_size: Points that a round acquires; a step has at least as many labelled points.

    Returns:
      The training, whose ``losses[num_epochs]`` are the means over each epoch's minibatches.

    Raises:
      TypeError: If an argument is of another kind.
      ValueError: If an argument is out of range; by ``fit``, if the inputs to augment are not images.
    """
    batch_size = max(smallest_batch_size, acquired_batch_size)
    schedule = optax.piecewise_constant_schedule(learning_rate, dict.fromkeys(decay_epochs, DECAY))

    def optimizer_of(epoch: int | jax.Array) -> optax.GradientTransformation:
        with promotion_of_optax():
            # pyrefly: ignore[bad-argument-type]: optax types what its schedules return more widely than what it takes.
            return optax.chain(optax.add_decayed_weights(weight_decay), optax.sgd(schedule(epoch), momentum))

    def fit(
        key: jax.Array, network: Network, variables: Variables, data: Data, labelled: LabelledSet
    ) -> tuple[Variables, jax.Array]:
        num_steps = -(-labelled.size // batch_size)

        def run_epoch(key: jax.Array, progress: Progress, epoch: jax.Array) -> tuple[Progress, jax.Array]:
            order_key, steps_key = jax.random.split(key)
            order = labelled_set.shuffle(order_key, labelled)

            def next_step(number: jax.Array, carry: tuple[Progress, jax.Array]) -> tuple[Progress, jax.Array]:
                progress, total = carry
                augment_key, dropout_key = jax.random.split(jax.random.fold_in(steps_key, number))
                indices = minibatch(order, labelled.size, number, batch_size)
                inputs, labels = example_lib.inputs(data.pool, indices), example_lib.labels(data.pool, indices)
                if augment:
                    inputs = crop_and_flip(augment_key, inputs, example_lib.blank_input(data.pool))
                progress, loss = step(dropout_key, progress, network, optimizer_of(epoch), inputs, labels)
                return progress, total + loss

            progress, total = jax.lax.fori_loop(0, num_steps, next_step, (progress, jnp.float32(0)))
            return progress, total / num_steps.astype(jnp.float32)

        def next_epoch(
            carry: tuple[Progress, Best], numbered_key: tuple[jax.Array, jax.Array]
        ) -> tuple[tuple[Progress, Best], jax.Array]:
            (progress, best), (epoch, epoch_key) = carry, numbered_key
            progress, loss = run_epoch(epoch_key, progress, epoch)
            return (progress, choose_best(best, progress.variables, network, data.validation)), loss

        none_yet = Best(variables, jnp.int32(-1))
        numbered_keys = (jnp.arange(num_epochs), jax.random.split(key, num_epochs))
        (_, best), losses = jax.lax.scan(next_epoch, (start(variables, optimizer_of(0)), none_yet), numbered_keys)
        return best.variables, losses

    return Training(fit, unit="epoch", takes_images=augment)


def minibatch(
    order: Int[Array, " capacity"], size: Int[Array, ""], number: Int[Array, ""], batch_size: int
) -> Int[Array, " {batch_size}"]:
    """The points ``[batch_size]`` of an epoch's minibatch.

    Args:
      order: The epoch's points in order, ``[capacity]``, meaningless from ``size`` on.
      size: ``[]`` int32, at least 1.
      number: The number of the minibatch, ``[]`` int32 from 0; where the points end, it goes on with the first ones.
      batch_size: Static.
    """
    return order[(number * batch_size + jnp.arange(batch_size, dtype=jnp.int32)) % size]


class Best(NamedTuple):
    """The variables to keep.

    Attributes:
      variables: After the best epoch so far.
      num_correct: Validation examples that they classify correctly, ``[]`` int32; -1 before the first epoch.
    """

    variables: Variables
    num_correct: Int32[Array, ""]


def choose_best(best: Best, variables: Variables, network: Network, validation: Examples | None) -> Best:
    """The variables to keep after one more epoch.

    Args:
      best: The best of the epochs before.
      variables: After this epoch.
      network: The network that they are of.
      validation: The examples that decide: this epoch must be better than the best so far. None to keep this epoch.
    """
    if validation is None:
        return best._replace(variables=variables)
    latest = Best(variables, count_correct(network, variables, validation))
    is_better = latest.num_correct > best.num_correct
    return jax.tree.map(lambda new, old: jnp.where(is_better, new, old), latest, best)


def count_correct(network: Network, variables: Variables, examples: Examples) -> Int32[Array, ""]:
    """How many examples the network classifies correctly, without dropout: ``[]`` int32."""

    # One network after the other: convolutions with a kernel for each would be grouped, and slow.
    @jax.custom_batching.sequential_vmap
    def count(variables: Variables, examples: Examples) -> jax.Array:
        def classify(inputs: jax.Array) -> jax.Array:
            return jnp.argmax(network.logits(variables, inputs), axis=-1)

        predicted = example_lib.map_inputs(classify, examples)
        return jnp.sum(predicted == example_lib.all_labels(examples), dtype=jnp.int32)

    return count(variables, examples)
