"""Training on all labels at once, and the linear classifier that it is made for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_problem

from lbb_jax import examples, labelled_set, networks, posteriors
from lbb_jax.training import full_batch

pytestmark = pytest.mark.usefixtures("training_settings")

NUM_LABELS, PRIOR_PRECISION = 40, 0.5


def test_a_linear_classifier_ends_at_the_most_probable_parameters():
    data = small_problem.data()
    network = networks.functional(networks.Linear(10))
    training = full_batch(num_steps=60, prior_precision=PRIOR_PRECISION)
    labelled = labelled_set.create(jnp.arange(NUM_LABELS), capacity=NUM_LABELS + 10)
    # What slots past the size hold does not count.
    labelled = labelled._replace(indices=labelled.indices.at[NUM_LABELS:].set(77))

    @jax.jit
    def train(key):
        start = network.init(key, examples.inputs(data.pool, jnp.arange(1)))
        return training.fit(key, network, start, data, labelled)

    variables, losses = train(jax.random.key(1))
    assert losses.shape == (60,)
    assert losses[-1] < losses[0] / 2

    inputs = np.asarray(examples.inputs(data.pool, jnp.arange(NUM_LABELS)), np.float64).reshape(NUM_LABELS, -1)
    labels = np.eye(10)[np.asarray(data.pool.labels[:NUM_LABELS])]
    kernel, bias = (np.asarray(leaf, np.float64) for leaf in networks.last_layer(variables, inputs.shape[1]))
    logits = inputs @ kernel + bias
    probs = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    np.testing.assert_allclose(inputs.T @ (labels - probs), PRIOR_PRECISION * kernel, atol=2e-2)
    np.testing.assert_allclose((labels - probs).sum(axis=0), PRIOR_PRECISION * bias, atol=2e-2)


@pytest.mark.slow
def test_embeddings_alone_have_a_laplace_posterior():
    data = small_problem.data()
    posterior = posteriors.laplace(
        networks.functional(networks.Linear(10)),
        full_batch(num_steps=30, prior_precision=PRIOR_PRECISION),
        num_draws=100,
        prior_precision=PRIOR_PRECISION,
        structure="kronecker",
    )
    labelled = labelled_set.create(jnp.arange(NUM_LABELS), capacity=NUM_LABELS)

    def run(key):
        params = posterior.init(key, examples.inputs(data.pool, jnp.arange(1)))
        params, _ = posterior.fit(key, params, data, labelled)
        return posterior.sample(key, params, data.test), posterior.embed(params, data.test)

    log_probs, embeddings = jax.jit(run)(jax.random.key(0))
    assert log_probs.shape == (60, 100, 10)
    inputs = examples.inputs(data.test, jnp.arange(60)).reshape(60, -1)
    # Another program may round otherwise.
    np.testing.assert_allclose(embeddings, inputs, rtol=1e-6)
    accuracy = np.mean(np.argmax(np.exp(log_probs).mean(axis=1), axis=1) == np.asarray(data.test.labels))
    assert accuracy > 0.6
