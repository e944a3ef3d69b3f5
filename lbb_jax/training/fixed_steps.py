"""Training for a fixed number of steps, whatever the number of labels: the regime of the paper's MNIST experiments."""

import jax
import optax

from lbb_jax import examples as example_lib
from lbb_jax import labelled_set, ranges
from lbb_jax.examples import Data
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network, Variables
from lbb_jax.ranges import Count, Positive
from lbb_jax.training.training import Progress, Training, start, step


@ranges.checked
def fixed_steps(optimizer: optax.GradientTransformation, *, num_steps: Count, batch_size: Count) -> Training:
    """Training on minibatches drawn with replacement.

    Args:
      optimizer: The optax transformation.
      num_steps: Optimizer steps, at least 1.
      batch_size: Labelled points in a step, at least 1.

    Returns:
      The training, whose ``losses[num_steps]`` are those of the steps.

    Raises:
      ValueError: If an argument is out of range; TypeError if it is no integer.
    """

    def fit(
        key: jax.Array, network: Network, variables: Variables, data: Data, labelled: LabelledSet
    ) -> tuple[Variables, jax.Array]:
        def next_step(progress: Progress, step_key: jax.Array) -> tuple[Progress, jax.Array]:
            batch_key, dropout_key = jax.random.split(step_key)
            indices = labelled_set.sample(batch_key, labelled, batch_size)
            inputs, labels = example_lib.inputs(data.pool, indices), example_lib.labels(data.pool, indices)
            return step(dropout_key, progress, network, optimizer, inputs, labels)

        keys = jax.random.split(key, num_steps)
        progress, losses = jax.lax.scan(next_step, start(variables, optimizer), keys)
        return progress.variables, losses

    return Training(fit, unit="step", is_short=True)


@ranges.checked
def adam_steps(*, learning_rate: Positive, num_steps: Count, batch_size: Count) -> Training:
    """`fixed_steps` of Adam (Kingma and Ba, 2015) with a constant learning rate.

    Args:
      learning_rate: Above 0.
      num_steps: Optimizer steps, at least 1.
      batch_size: Labelled points in a step, at least 1.

    Raises:
      ValueError: If an argument is out of range; TypeError if it is of another kind.
    """
    return fixed_steps(optax.adam(learning_rate), num_steps=num_steps, batch_size=batch_size)
