"""Training on all labelled points at once by L-BFGS, to the most probable parameters under a Gaussian prior.

It is made for linear classifiers, whose loss is convex: a few dozen steps, each of them a few products of matrices.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from lbb_jax import examples as example_lib
from lbb_jax import ranges
from lbb_jax.examples import Data
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.networks import Network, Variables
from lbb_jax.ranges import Count, NotNegative
from lbb_jax.training.training import Training, promotion_of_optax


@ranges.checked
def full_batch(*, num_steps: Count, prior_precision: NotNegative) -> Training:
    """Minimises ``Σ_n -log p(y_n | x_n, θ) + ½ λ |θ|²`` over the parameters of a network.

    Dropout does not act, and running statistics stay as they are.

    Args:
      num_steps: Steps of L-BFGS, at least 1.
      prior_precision: ``λ``, at least 0. With the same value in `lbb_jax.posteriors.laplace`, the Laplace approximation
        is at the maximum of the posterior.

    Returns:
      The training, whose ``losses[num_steps]`` are the objective over the number of labelled points.

    Raises:
      ValueError: If an argument is out of range; TypeError if it is of the wrong kind.
    """
    optimizer = optax.lbfgs()

    def fit(
        key: jax.Array, network: Network, variables: Variables, data: Data, labelled: LabelledSet
    ) -> tuple[Variables, jax.Array]:
        del key
        counts = jnp.arange(len(labelled.indices), dtype=jnp.int32) < labelled.size
        inputs = example_lib.inputs(data.pool, labelled.indices)
        labels = example_lib.labels(data.pool, labelled.indices)

        def objective(params: PyTree) -> jax.Array:
            logits = network.logits(variables._replace(params=params), inputs)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            squares = sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(params))
            return (jnp.sum(jnp.where(counts, losses, 0)) + prior_precision / 2 * squares) / labelled.size

        value_and_gradient = optax.value_and_grad_from_state(objective)

        def next_step(carry: tuple[PyTree, PyTree], _: None) -> tuple[tuple[PyTree, PyTree], jax.Array]:
            params, state = carry
            value, gradient = value_and_gradient(params, state=state)
            updates, state = optimizer.update(gradient, state, params, value=value, grad=gradient, value_fn=objective)
            return (optax.apply_updates(params, updates), state), jnp.asarray(value)

        with promotion_of_optax():
            start = (variables.params, optimizer.init(variables.params))
            (params, _), losses = jax.lax.scan(next_step, start, None, length=num_steps)
        return variables._replace(params=params), losses

    return Training(fit, unit="step")
