import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small_problem

from lbb_jax import examples, labelled_set, training

pytestmark = pytest.mark.usefixtures("training_settings")


@functools.cache
def compiled(num_steps):
    network, data = small_problem.network(), small_problem.data()
    trainer = small_problem.training(num_steps)

    def fit(key, labelled):
        variables = network.init(jax.random.key(1), examples.inputs(data.pool, jnp.arange(1)))
        return trainer.fit(key, network, variables, data, labelled)

    return jax.jit(fit)


def fit(labelled, num_steps=5, key=0):
    return compiled(num_steps)(jax.random.key(key), labelled)


def test_training_fits_the_labelled_points():
    labelled = labelled_set.create(jnp.arange(20), capacity=40)
    pool = small_problem.data().pool
    variables, losses = fit(labelled, 150)
    assert losses.shape == (150,)
    assert losses[-20:].mean() < 0.3 * losses[:5].mean()
    logits = small_problem.network().logits(variables, examples.inputs(pool, jnp.arange(20)))
    assert np.mean(np.argmax(logits, -1) == examples.labels(pool, jnp.arange(20))) > 0.9


def test_slots_past_the_size_never_enter_the_loss():
    labelled = labelled_set.create(jnp.arange(8), capacity=16)
    rubbish = labelled._replace(indices=labelled.indices.at[8:].set(77))
    chex.assert_trees_all_equal(fit(labelled), fit(rubbish))


def test_the_key_decides_minibatches_and_dropout():
    labelled = labelled_set.create(jnp.arange(8), capacity=16)
    assert not np.array_equal(fit(labelled, key=0)[1], fit(labelled, key=1)[1])
    np.testing.assert_array_equal(fit(labelled, key=0)[1], fit(labelled, key=0)[1])


@pytest.mark.parametrize("name", ["num_steps", "batch_size"])
def test_arguments_out_of_range_are_errors(name):
    with pytest.raises(ValueError, match=f"{name}=0: must be at least 1"):
        training.fixed_steps(optax.sgd(0.1), **({"num_steps": 1, "batch_size": 1} | {name: 0}))
