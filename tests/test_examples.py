import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lbb_jax import examples

pytestmark = pytest.mark.usefixtures("quick_compilation")


def pixels(n=6):
    images = np.arange(n * 4, dtype=np.uint8).reshape(n, 2, 2, 1)
    return examples.create(images, np.arange(n) % 3, mean=jnp.array([4.0]), std=jnp.array([2.0]))


def test_inputs_are_normalised_floats_of_stored_integers():
    created = pixels()
    assert created.features.dtype == jnp.uint8
    inputs = examples.inputs(created, jnp.array([2, 0]))
    assert inputs.dtype == jnp.float32
    np.testing.assert_allclose(inputs[0].ravel(), (np.array([8, 9, 10, 11]) - 4) / 2)
    np.testing.assert_array_equal(examples.labels(created, jnp.array([2, 0])), [2, 0])


def test_copies_share_the_base_features_and_labels():
    repeated = examples.repeat(jax.random.key(0), pixels(), copies=4, noise=0.1)
    assert repeated.num_examples == 24
    assert repeated.features.shape == (6, 2, 2, 1)
    np.testing.assert_array_equal(examples.all_labels(repeated), np.tile(np.arange(6) % 3, 4))
    np.testing.assert_array_equal(examples.labels(repeated, jnp.array([1, 7, 13])), [1, 1, 1])


def test_copies_take_no_more_memory_than_the_base():
    base = examples.create(np.zeros((500, 32, 32, 3), np.uint8), np.zeros(500), mean=np.zeros(3), std=np.ones(3))
    repeated = examples.repeat(jax.random.key(0), base, copies=4, noise=0.1)
    stored = [sum(leaf.nbytes for leaf in jax.tree.leaves(held)) for held in (base, repeated)]
    assert stored[1] == stored[0]
    compiled = jax.jit(examples.inputs).lower(repeated, jnp.arange(8)).compile().memory_analysis()
    assert compiled.temp_size_in_bytes < base.features.nbytes / 2
    assert compiled.output_size_in_bytes == pytest.approx(8 * 32 * 32 * 3 * 4, rel=0.01)


def test_noise_belongs_to_the_example_whatever_else_is_asked_for():
    repeated = examples.repeat(jax.random.key(0), pixels(), copies=4, noise=0.1)
    together = examples.inputs(repeated, jnp.arange(24))
    alone = examples.inputs(repeated, jnp.array([17]))
    np.testing.assert_array_equal(together[17], alone[0])


def test_noise_has_its_standard_deviation_and_differs_between_copies():
    constant = examples.create(np.zeros((50, 20, 20, 1), np.uint8), np.zeros(50), mean=0.0, std=1.0)
    inputs = examples.inputs(examples.repeat(jax.random.key(3), constant, copies=2, noise=0.1), jnp.arange(100))
    # 40,000 deviates: four standard errors of their standard deviation are 1.5 %.
    assert np.std(inputs) == pytest.approx(0.1, rel=0.015)
    assert np.abs(inputs[0] - inputs[50]).max() > 0.05


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_indices_may_be_narrower_than_the_number_of_examples(dtype):
    created = examples.create(np.arange(300.0), np.arange(300), mean=0.0, std=1.0)
    indices = np.array([3, 120], dtype)
    np.testing.assert_array_equal(examples.labels(created, indices), [3, 120])
    np.testing.assert_allclose(examples.inputs(created, indices), [3, 120])
    np.testing.assert_array_equal(jax.jit(examples.labels)(created, indices), [3, 120])


@pytest.mark.parametrize(("options", "message"), [({"copies": 0}, "copies=0"), ({"noise": -1.0}, "noise=-1.0")])
def test_repeat_refuses_what_is_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        examples.repeat(jax.random.key(0), pixels(), **({"copies": 2, "noise": 0.1} | options))


def test_repeating_twice_is_an_error():
    repeated = examples.repeat(jax.random.key(0), pixels(), copies=2, noise=0.0)
    with pytest.raises(ValueError, match="already repeated 2 times"):
        examples.repeat(jax.random.key(0), repeated, copies=2, noise=0.0)
