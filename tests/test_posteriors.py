import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_problem
from slow_parts import slow_but

from lbb_jax import examples, labelled_set, posteriors

pytestmark = pytest.mark.usefixtures("training_settings")

NAMES = ["deep_ensemble", "mc_dropout"]
embed = jax.jit(small_problem.network().embed)


@functools.cache
def compiled_sample(posterior):
    """The compiled ``(key, params, examples)``."""
    return jax.jit(lambda *arguments: posterior.sample(*arguments))


@functools.cache
def fitted(name, training_name="fixed_steps"):
    """A posterior, trained: a perceptron in fixed steps, or one with batch normalisation by epochs."""
    data = small_problem.data(num_validation=50)
    posterior = small_problem.posterior(name, training_name)
    params = jax.jit(posterior.init)(jax.random.key(1), examples.inputs(data.pool, jnp.arange(1)))
    labelled = labelled_set.create(jnp.arange(10), capacity=20)
    params, losses = jax.jit(posterior.fit)(jax.random.key(2), params, data, labelled)
    return posterior, params, losses


@pytest.mark.parametrize(
    ("training_name", "units"), [("fixed_steps", 10), pytest.param("epochs", 3, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("name", "draws", "members"), [("deep_ensemble", 2, 2), ("mc_dropout", 4, 1)])
def test_samples_are_normalised_log_probabilities_of_all_examples(name, draws, members, training_name, units):
    posterior, params, losses = fitted(name, training_name)
    log_probs = compiled_sample(posterior)(jax.random.key(0), params, small_problem.data().pool)
    assert log_probs.shape == (120, draws, 10)
    assert log_probs.dtype == jnp.float32
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-5)
    assert losses.shape == (members, units)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chunk_size", slow_but([1, 37], 37))
def test_the_chunk_size_does_not_matter(name, chunk_size, monkeypatch):
    posterior, params, _ = fitted(name)
    pool = small_problem.data().pool
    expected = compiled_sample(posterior)(jax.random.key(0), params, pool)
    monkeypatch.setattr(examples, "CHUNK_SIZE", chunk_size)
    in_chunks = jax.jit(lambda *arguments: posterior.sample(*arguments))(jax.random.key(0), params, pool)
    np.testing.assert_allclose(in_chunks, expected, atol=1e-5)


@pytest.mark.parametrize("training_name", ["fixed_steps", pytest.param("epochs", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_a_draw_is_one_function_of_the_input(name, training_name):
    posterior, params, _ = fitted(name, training_name)
    image = np.asarray(small_problem.data().pool.features[:1])
    copies = examples.create(np.repeat(image, 700, axis=0), np.zeros(700), mean=5.0, std=6.0)
    log_probs = np.asarray(compiled_sample(posterior)(jax.random.key(0), params, copies))
    np.testing.assert_allclose(log_probs, np.broadcast_to(log_probs[:1], log_probs.shape), atol=1e-5)
    assert np.abs(log_probs[0, 0] - log_probs[0, 1]).max() > 1e-3


@pytest.mark.parametrize("training_name", ["fixed_steps", pytest.param("epochs", marks=pytest.mark.slow)])
def test_members_trained_together_are_those_trained_alone(training_name):
    _, params, losses = fitted("deep_ensemble", training_name)
    network, training = small_problem.parts(training_name)
    data, labelled = small_problem.data(num_validation=50), labelled_set.create(jnp.arange(10), capacity=20)
    alone = jax.jit(lambda key, start: training.fit(key, network, start, data, labelled))
    initialise = jax.jit(network.init)
    keys = jax.random.split(jax.random.key(2), 2)
    for member, init_key in enumerate(jax.random.split(jax.random.key(1), 2)):
        start = initialise(init_key, examples.inputs(data.pool, jnp.arange(1)))
        variables, losses_alone = alone(keys[member], start)
        np.testing.assert_allclose(losses[member], losses_alone, rtol=1e-4, atol=1e-5)
        for found, expected in zip(
            jax.tree.leaves(params.statistics), jax.tree.leaves(variables.statistics), strict=True
        ):
            np.testing.assert_allclose(found[member], expected, rtol=1e-3, atol=1e-4)


def test_the_embeddings_of_an_ensemble_are_those_of_its_first_member():
    posterior, params, _ = fitted("deep_ensemble")
    pool = small_problem.data().pool
    first = jax.tree.map(lambda leaf: leaf[0], params)
    expected = embed(first, examples.inputs(pool, jnp.arange(120)))
    assert expected.shape == (120, 16)
    np.testing.assert_allclose(jax.jit(posterior.embed)(params, pool), expected, rtol=1e-5, atol=1e-5)


def test_the_embeddings_of_mc_dropout_have_no_mask():
    posterior, params, _ = fitted("mc_dropout")
    pool = small_problem.data().pool
    expected = embed(params, examples.inputs(pool, jnp.arange(120)))
    np.testing.assert_allclose(jax.jit(posterior.embed)(params, pool), expected, rtol=1e-5, atol=1e-5)


def test_mc_dropout_computes_what_precedes_dropout_once_per_chunk(monkeypatch):
    calls = []
    network = small_problem.network()

    def counted(params, inputs):
        jax.debug.callback(lambda: calls.append(1))
        return network.before_dropout(params, inputs)

    posterior = posteriors.mc_dropout(network._replace(before_dropout=counted), small_problem.training(), num_draws=25)
    pool = small_problem.data().pool
    params = jax.jit(posterior.init)(jax.random.key(0), examples.inputs(pool, jnp.arange(1)))
    monkeypatch.setattr(examples, "CHUNK_SIZE", 60)
    jax.block_until_ready(jax.jit(posterior.sample)(jax.random.key(0), params, pool))
    jax.effects_barrier()
    assert len(calls) == 2


def test_the_number_of_draws_can_be_chosen_for_mc_dropout_only():
    posterior, params, _ = fitted("mc_dropout")
    pool = small_problem.data().pool
    sample = functools.partial(posterior.sample, num_draws=7)
    assert jax.eval_shape(sample, jax.random.key(0), params, pool).shape == (120, 7, 10)
    with pytest.raises(ValueError, match="num_draws=0"):
        posterior.sample(jax.random.key(0), params, pool, num_draws=0)
    posterior, params, _ = fitted("deep_ensemble")
    with pytest.raises(ValueError, match="num_draws=7"):
        posterior.sample(jax.random.key(0), params, pool, num_draws=7)


def test_posteriors_without_draws_are_refused():
    with pytest.raises(ValueError, match="num_members=0"):
        posteriors.deep_ensemble(small_problem.network(), small_problem.training(), num_members=0)
    with pytest.raises(ValueError, match="num_draws=0"):
        posteriors.mc_dropout(small_problem.network(), small_problem.training(), num_draws=0)
