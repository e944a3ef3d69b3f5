"""Fine-tuning a tiny encoder: from its pretrained parameters, which are an argument of the program."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow_parts import slow_but

from lbb_jax import examples, labelled_set, loop, networks, posteriors
from lbb_jax.loop import Data, Settings
from lbb_jax.networks.encoder import Architecture, param_shapes
from lbb_jax.posteriors import Posterior
from lbb_jax.training import fine_tuning
from lbb_jax.training.fine_tuning import adamw, warmup_linear_decay

pytestmark = pytest.mark.usefixtures("training_settings")

ARCHITECTURE = Architecture(
    vocabulary_size=30, num_positions=8, num_types=2, num_layers=1, num_heads=2, hidden_size=8, intermediate_size=12
)
NETWORK = networks.functional(networks.TextClassifier(3, ARCHITECTURE))
OPTIONS = {"learning_rate": 3e-2, "num_steps": 100, "batch_size": 8, "warmup": 0.1, "weight_decay": 0.01}
POSTERIORS = {
    "mc_dropout": functools.partial(posteriors.mc_dropout, num_draws=4),
    "deep_ensemble": functools.partial(posteriors.deep_ensemble, num_members=2),
}


@functools.cache
def data():
    """Texts whose class is that of their most frequent word, and an encoder drawn by NumPy."""
    rng = np.random.default_rng(0)

    def texts(number):
        labels = rng.integers(0, 3, number)
        tokens = np.where(rng.random((number, 8)) < 0.6, 10 + labels[:, None], rng.integers(0, 30, (number, 8)))
        lengths = rng.integers(4, 9, number)
        return examples.create(np.where(np.arange(8) < lengths[:, None], tokens, -1).astype(np.int32), labels)

    def draw(leaf):
        return rng.normal(leaf.ndim == 1, 0.3, leaf.shape).astype(np.float32)

    pretrained = {"encoder": jax.tree.map(draw, param_shapes(ARCHITECTURE))}
    return Data(texts(60), texts(40), pretrained=pretrained)


def settings(posterior, **options):
    return Settings(
        posterior=POSTERIORS[posterior](NETWORK, fine_tuning(**(OPTIONS | options))),
        acquire=None,
        num_classes=3,
        initial_size=30,
        batch_size=5,
        final_size=40,
    )


def first_state():
    return loop.State(jax.random.key(0), labelled_set.create(jnp.arange(30), capacity=40), jnp.int32(0))


def test_tokens_reach_the_network_as_they_are_stored():
    inputs = examples.inputs(data().pool, jnp.array([3, 1]))
    assert inputs.dtype == jnp.int32
    np.testing.assert_array_equal(inputs, np.asarray(data().pool.features)[[3, 1]])


def test_noise_on_tokens_is_an_error():
    with pytest.raises(ValueError, match=r"noise=0\.1: must be 0 for features that are not normalised"):
        examples.repeat(jax.random.key(0), data().pool, copies=2, noise=0.1)


@pytest.mark.parametrize("posterior", slow_but(POSTERIORS, "deep_ensemble"))
def test_training_goes_out_from_the_pretrained_parameters(posterior):
    whole = settings(posterior)

    def fit_nothing(key, params, data, labelled):
        return params, jnp.zeros((1, 1))

    untrained = whole._replace(posterior=whole.posterior._replace(fit=fit_nothing))
    params, _ = jax.jit(lambda state, data: loop.train(state, data, untrained))(first_state(), data())
    for leaf, start in zip(
        jax.tree.leaves(params.params["encoder"]), jax.tree.leaves(data().pretrained["encoder"]), strict=True
    ):
        np.testing.assert_array_equal(leaf, np.broadcast_to(start, leaf.shape))
        assert leaf.ndim == start.ndim + (posterior == "deep_ensemble")
    # What is not pretrained is drawn.
    head = params.params["output"]["kernel"]
    assert np.abs(head[0] - head[1]).max() > 0.1


class Fitted(NamedTuple):
    """What training gave, with the program that it ran."""

    posterior: Posterior
    lowered: jax.stages.Lowered
    params: Any
    losses: Any


@functools.cache
def fitted():
    whole = settings("mc_dropout")
    lowered = jax.jit(lambda state, data: loop.train(state, data, whole)).lower(first_state(), data())
    return Fitted(whole.posterior, lowered, *lowered.compile()(first_state(), data()))


@functools.cache
def sample():
    """Predictions of 20 texts, twice over, by 4 draws, and of the test texts."""
    features = np.asarray(data().pool.features)
    twice = examples.create(np.concatenate([features[:20], features[:20]]), np.zeros(40))

    @jax.jit
    def predict(params, examples):
        return fitted().posterior.sample(jax.random.key(1), params, examples)

    return predict(fitted().params, twice), predict(fitted().params, data().test)


def test_pretrained_parameters_are_an_argument_of_the_program():
    shapes = [tuple(leaf.shape) for leaf in jax.tree.leaves(fitted().lowered.in_avals)]
    for leaf in jax.tree.leaves(data().pretrained):
        assert leaf.shape in shapes
    # Numbers that were closed over would stand in the program.
    assert 'dense<"0x' not in fitted().lowered.as_text()


def test_a_fine_tuned_encoder_learns():
    assert fitted().losses.shape == (1, OPTIONS["num_steps"])
    _, log_probs = sample()
    predicted = np.argmax(np.mean(np.exp(log_probs), axis=1), axis=1)
    assert np.mean(predicted == np.asarray(data().test.labels)) > 0.7


def test_a_draw_is_one_function_of_the_text_and_another_than_the_next():
    log_probs, _ = sample()
    np.testing.assert_allclose(log_probs[:20], log_probs[20:], atol=1e-5)
    assert np.abs(log_probs[:, 0] - log_probs[:, 1]).max() > 1e-3


@pytest.mark.slow
def test_bfloat16_leaves_tokens_alone():
    rounded = networks.functional(networks.TextClassifier(3, ARCHITECTURE), compute_dtype=jnp.bfloat16)
    tokens = examples.inputs(data().test, jnp.arange(40))
    expected, found = (jax.jit(network.logits)(fitted().params, tokens) for network in (NETWORK, rounded))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, atol=0.1 * np.abs(expected).max())
    assert np.abs(found - expected).max() > 1e-5


def test_the_learning_rate_rises_and_falls_linearly():
    schedule = warmup_linear_decay(2.0, num_steps=10, warmup=0.2)
    np.testing.assert_allclose([schedule(step) for step in range(11)], [0, 1, *np.linspace(2, 0, 9)], atol=1e-6)
    assert warmup_linear_decay(2.0, num_steps=10, warmup=0.0)(0) == 2.0


@pytest.mark.parametrize(("num_steps", "warmup"), [(1, 0.6), (10, 0.96)])
def test_a_warm_up_of_all_steps_is_an_error(num_steps, warmup):
    with pytest.raises(ValueError, match=rf"warmup={warmup}: .* in all of num_steps={num_steps} steps; lower it or"):
        fine_tuning(**(OPTIONS | {"num_steps": num_steps, "warmup": warmup}))
    fine_tuning(**(OPTIONS | {"num_steps": num_steps, "warmup": 0.4}))


def test_weights_decay_and_biases_and_norms_do_not():
    params = {"kernel": jnp.ones((2, 2)), "scale": jnp.ones(2)}
    optimizer = adamw(0.1, weight_decay=0.5)
    no_gradient = jax.tree.map(jnp.zeros_like, params)
    updates, _ = jax.jit(lambda params: optimizer.update(no_gradient, optimizer.init(params), params))(params)
    np.testing.assert_allclose(updates["kernel"], -0.1 * 0.5, rtol=1e-6)
    np.testing.assert_array_equal(updates["scale"], 0)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("learning_rate", 0.0, "above 0"),
        ("warmup", 1.0, "at least 0 and below 1"),
        ("warmup", -0.1, "at least 0 and below 1"),
        ("weight_decay", -1.0, "at least 0"),
        ("num_steps", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
    ],
)
def test_an_argument_out_of_range_is_an_error(name, value, allowed):
    with pytest.raises(ValueError, match=f"{name}={value}: must be {allowed}"):
        fine_tuning(**(OPTIONS | {name: value}))
