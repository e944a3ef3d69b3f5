import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lbb_jax import networks
from lbb_jax.networks import convolution

PAPER_CNN_PARAMETERS = (25 * 32 + 32) + (25 * 32 * 64 + 64) + (1024 * 128 + 128) + (128 * 10 + 10)


def random_images(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def build(name):
    if name == "mlp":
        network = networks.functional(networks.MLP(4, hidden_sizes=(8, 6), dropout_rate=0.5))
        inputs = random_images(0, 5, 3, 3, 1)
    else:
        network = networks.functional(networks.ConvolutionalClassifier(4, dropout_rates=(0.5, 0.5, 0.5)))
        inputs = random_images(0, 3, 28, 28, 1)
    return network, network.init(jax.random.key(1), inputs), inputs


@pytest.mark.parametrize("channels", [(1, 3), (4, 2)])
def test_both_forms_of_the_convolution_agree(channels):
    images = random_images(0, 2, 9, 8, channels[0])
    kernel = random_images(1, 5, 3, *channels)
    np.testing.assert_allclose(
        convolution.convolve_by_views(images, kernel), convolution.convolve_by_library(images, kernel), atol=1e-5
    )


def test_gradients_of_the_convolution_are_those_of_the_library_form():
    images, kernel = random_images(0, 2, 9, 8, 3), random_images(1, 5, 5, 3, 4)

    def loss(form):
        return lambda images, kernel: jnp.sum(jnp.sin(form(images, kernel)))

    for gradient, expected in zip(
        jax.grad(loss(convolution.convolve), argnums=(0, 1))(images, kernel),
        jax.grad(loss(convolution.convolve_by_library), argnums=(0, 1))(images, kernel),
        strict=True,
    ):
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(("platform", "differentiates_a_convolution"), [("cpu", False), ("cuda", True), ("tpu", True)])
def test_the_form_that_is_differentiated_depends_on_the_platform(platform, differentiates_a_convolution):
    gradient = jax.jit(jax.grad(lambda kernel, images: jnp.sum(convolution.convolve(images, kernel) ** 2)))
    lowered = gradient.trace(random_images(1, 5, 5, 1, 2), random_images(0, 2, 9, 9, 1)).lower(
        lowering_platforms=(platform,)
    )
    assert ("stablehlo.convolution" in lowered.as_text()) is differentiates_a_convolution


def test_convolution_under_vmap_over_kernels_equals_one_after_the_other():
    images, kernels = random_images(0, 2, 6, 6, 1), random_images(1, 3, 5, 5, 1, 2)
    together = jax.vmap(convolution.convolve, in_axes=(None, 0))(images, kernels)
    one_by_one = jnp.stack([convolution.convolve(images, kernel) for kernel in kernels])
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)


def test_max_pool_takes_the_maximum_of_each_window():
    images = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(convolution.max_pool(images)[0, :, :, 0], [[5, 7], [13, 15]])


def test_the_convolutional_classifier_is_the_papers():
    _, params, _ = build("convolutional")
    kernels = jax.tree.leaves(params)
    network = networks.functional(networks.ConvolutionalClassifier(10))
    params = network.init(jax.random.key(0), random_images(0, 1, 28, 28, 1))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == PAPER_CNN_PARAMETERS
    # Glorot: uniform within sqrt(6 / (fan in + fan out)).
    kernel = params["params"]["hidden"]["kernel"]
    limit = np.sqrt(6 / (1024 + 128))
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.99 * limit
    assert kernels


@pytest.mark.parametrize("name", ["mlp", "convolutional"])
def test_without_dropout_the_two_parts_make_the_whole(name):
    network, params, inputs = build(name)
    # All-ones masks are what shared dropout averages to; rate 0 shows the composition itself.
    logits = network.logits(params, inputs)
    assert logits.shape == (len(inputs), 4)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", ["mlp", "convolutional"])
def test_a_shared_mask_is_the_same_for_every_input_and_another_for_every_key(name):
    network, params, inputs = build(name)
    copies = jnp.broadcast_to(inputs[:1], inputs.shape)
    hidden = network.before_dropout(params, copies)
    logits = network.masked_logits(jax.random.key(0), params, hidden)
    np.testing.assert_allclose(logits, jnp.broadcast_to(logits[:1], logits.shape), atol=1e-6)
    assert np.abs(logits - network.masked_logits(jax.random.key(1), params, hidden)).max() > 1e-4


@pytest.mark.parametrize("name", ["mlp", "convolutional"])
def test_a_shared_mask_does_not_depend_on_the_number_of_inputs(name):
    network, params, inputs = build(name)
    hidden = network.before_dropout(params, inputs)
    together = network.masked_logits(jax.random.key(0), params, hidden)
    alone = network.masked_logits(jax.random.key(0), params, hidden[1:2])
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "convolutional"])
def test_training_masks_differ_between_inputs(name):
    network, params, inputs = build(name)
    copies = jnp.broadcast_to(inputs[:1], inputs.shape)
    logits = network.training_logits(jax.random.key(0), params, copies)
    assert np.abs(logits - logits[:1]).max() > 1e-4


def test_dropping_whole_channels_commutes_with_pooling_and_relu():
    # What lets the first convolution be shared by all masks, and dropout be written after the pool.
    images = random_images(0, 2, 8, 8, 6)
    mask = jnp.array([0.0, 2.0, 2.0, 0.0, 2.0, 0.0]).reshape(1, 1, 1, -1)
    before = jax.nn.relu(convolution.max_pool(images * mask))
    after = jax.nn.relu(convolution.max_pool(images)) * mask
    np.testing.assert_array_equal(before, after)


def test_dropout_keeps_the_expected_rate_and_scale():
    network = networks.functional(networks.MLP(2000, hidden_sizes=(2000,), dropout_rate=0.25))
    params = network.init(jax.random.key(0), jnp.ones((1, 1)))
    identity = jax.tree.map(jnp.zeros_like, params)
    identity["params"]["output"]["kernel"] = jnp.eye(2000)
    dropped = network.masked_logits(jax.random.key(1), identity, jnp.ones((1, 2000)))[0]
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    # Four standard errors of a binomial share: a false alarm in 16,000, with a fixed key.
    assert abs(np.mean(dropped == 0) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 2000)
