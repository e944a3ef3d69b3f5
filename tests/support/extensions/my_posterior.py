"""A posterior: SWAG with a diagonal covariance (Maddox et al., NeurIPS 2019), from snapshots of further training."""

import jax
import jax.numpy as jnp

from lbb_jax.posteriors import Posterior, embedding_of, predict_in_chunks


def swag(network, training, *, num_draws: int, num_snapshots: int = 3):
    """A Gaussian over all parameters, with the mean and variance of snapshots taken after each run of a training."""

    def fit(key, params, data, labelled):
        variables, _ = params

        def next_snapshot(variables, key):
            variables, losses = training.fit(key, network, variables, data, labelled)
            return variables, (variables, losses)

        _, (snapshots, losses) = jax.lax.scan(next_snapshot, variables, jax.random.split(key, num_snapshots))
        mean = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), snapshots)
        std = jax.tree.map(lambda leaf: jnp.std(leaf, axis=0), snapshots)
        return (mean, std), losses.reshape(1, -1)

    def init(key, inputs):
        variables = network.init(key, inputs)
        return variables, jax.tree.map(jnp.zeros_like, variables)

    def draw(key, params):
        """One function: a set of parameters, the same for every input."""
        leaves, treedef = jax.tree.flatten(params[0])
        keys = jax.tree.unflatten(treedef, list(jax.random.split(key, len(leaves))))
        return jax.tree.map(lambda key, mean, std: mean + std * jax.random.normal(key, mean.shape), keys, *params)

    def sample(key, params, examples, *, num_draws=None):
        keys = jax.random.split(key, num_draws or default_draws)

        def predict(inputs):
            logits = jax.lax.map(lambda key: network.logits(draw(key, params), inputs), keys)
            return jnp.swapaxes(logits, 0, 1)

        return predict_in_chunks(predict, examples)

    default_draws = num_draws
    return Posterior(init, fit, sample, embedding_of(network, lambda params: params[0]))
