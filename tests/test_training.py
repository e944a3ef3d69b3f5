import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small_problem

from lbb_jax import examples, training
from lbb_jax.labelled_set import LabelledSet

pytestmark = pytest.mark.usefixtures("training_settings")


NUM_STEPS, NUM_LABELS, CAPACITY = 150, 20, 40


def fit(slots_past_the_size=0, key=0):
    """The losses of training, and the logits of the labelled points afterwards."""
    indices = np.arange(CAPACITY, dtype=np.int32)
    indices[NUM_LABELS:] = slots_past_the_size
    return _fit(jax.random.key(key), LabelledSet(indices, np.int32(NUM_LABELS)), small_problem.data())


@jax.jit
def _fit(key, labelled, data):
    network = small_problem.network()
    variables = network.init(jax.random.key(1), examples.inputs(data.pool, jnp.arange(1)))
    variables, losses = small_problem.training(NUM_STEPS).fit(key, network, variables, data, labelled)
    return losses, network.logits(variables, examples.inputs(data.pool, jnp.arange(NUM_LABELS)))


def test_training_fits_the_labelled_points():
    losses, logits = fit()
    assert losses.shape == (NUM_STEPS,)
    assert losses[-20:].mean() < 0.3 * losses[:5].mean()
    assert np.mean(np.argmax(logits, -1) == np.asarray(small_problem.data().pool.labels)[:NUM_LABELS]) > 0.9


def test_slots_past_the_size_never_enter_the_loss():
    chex.assert_trees_all_equal(fit(), fit(slots_past_the_size=77))


def test_the_key_decides_minibatches_and_dropout():
    assert not np.array_equal(fit(key=0)[0], fit(key=1)[0])
    chex.assert_trees_all_equal(fit(key=0), fit(key=0))


@pytest.mark.parametrize("name", ["num_steps", "batch_size"])
def test_arguments_out_of_range_are_errors(name):
    with pytest.raises(ValueError, match=f"{name}=0: must be at least 1"):
        training.fixed_steps(optax.sgd(0.1), **({"num_steps": 1, "batch_size": 1} | {name: 0}))
