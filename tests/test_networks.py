import dataclasses
import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow_parts import slow_but, slow_rows_but

from lbb_jax import networks
from lbb_jax.networks import convolution
from lbb_jax.networks.encoder import PADDING, Architecture

pytestmark = pytest.mark.usefixtures("quick_compilation")

NAMES = ["mlp", "convolutional", "emnist_convolutional", "resnet18", "text_classifier"]


def random_images(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def random_tokens(seed, *shape):
    """Texts of different lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, shape[1] + 1, (shape[0], 1))
    return jnp.where(np.arange(shape[1]) < lengths, rng.integers(0, ENCODER.vocabulary_size, shape), PADDING)


def random_variables(seed, network, inputs):
    """Variables in the shapes of the network's own, drawn without a compilation."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        if leaf.ndim == 1:
            return jnp.asarray(rng.uniform(0.5, 1.5, leaf.shape), leaf.dtype)
        return jnp.asarray(rng.normal(0, np.sqrt(2 / np.prod(leaf.shape[:-1])), leaf.shape), leaf.dtype)

    return jax.tree.map(draw, jax.eval_shape(network.init, jax.random.key(0), inputs))


ENCODER = Architecture(
    vocabulary_size=30, num_positions=8, num_types=2, num_layers=1, num_heads=2, hidden_size=8, intermediate_size=12
)
MODULES = {
    "mlp": (networks.MLP(4, hidden_sizes=(8, 6), dropout_rate=0.5), (4, 3, 3, 1)),
    "convolutional": (networks.ConvolutionalClassifier(4), (4, 28, 28, 1)),
    "emnist_convolutional": (networks.EMNISTConvolutionalClassifier(4), (4, 28, 28, 1)),
    "resnet18": (networks.ResNet18(4, dropout_rate=0.5, width=4), (4, 8, 8, 2)),
    # Without dropout of its own: all that it drops is dropped in the encoder.
    "text_classifier": (networks.TextClassifier(4, ENCODER, dropout_rate=0.0), (4, 8)),
}


@functools.cache
def build(name):
    """A network of each kind, compiled, some variables, and inputs."""
    module, shape = MODULES[name]
    network = networks.Network(*map(jax.jit, networks.functional(module)))
    inputs = (random_tokens if name == "text_classifier" else random_images)(0, *shape)
    return network, random_variables(1, network, inputs), inputs


def num_parameters(module, *shape):
    """Counted without running anything."""
    network = networks.functional(module)
    variables = jax.eval_shape(network.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
    return sum(leaf.size for leaf in jax.tree.leaves(variables.params))


# Kernel, channels, stride and padding.
CONVOLUTIONS = [
    ((5, 3), (1, 3), 1, "VALID"),
    ((3, 3), (4, 2), 1, "SAME"),
    ((3, 3), (4, 2), 2, "SAME"),
    ((1, 1), (4, 2), 2, "SAME"),
    ((5, 5), (16, 3), 1, "VALID"),
    ((3, 3), (16, 3), 1, "SAME"),
]


def double_case(images_shape, kernel_shape):
    """Images and a kernel in double precision, where rounding hides nothing, whatever the processor.

    The outputs are as large as in a network: of large arguments, the sine is all rounding.
    """
    random = np.random.default_rng(0)
    return random.normal(size=images_shape), random.normal(size=kernel_shape) / np.sqrt(np.prod(kernel_shape))


def assert_equal_in_double_precision(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.max(np.abs(expected)))


@pytest.mark.parametrize(("size", "channels", "stride", "padding"), CONVOLUTIONS)
def test_all_forms_of_the_convolution_agree(size, channels, stride, padding):
    forms = (
        *(convolution.convolve_by_library, convolution.convolve_by_views, convolution.convolve_by_products),
        convolution.convolve,
    )
    with jax.enable_x64(True):
        case = double_case((32, 9, 8, channels[0]), (*size, *channels))
        expected, *found = jax.jit(lambda *arrays: [form(*arrays, stride, padding) for form in forms])(*case)
    for outputs in found:
        assert_equal_in_double_precision(outputs, expected)
    if padding == "SAME":
        assert expected.shape == (32, -(-9 // stride), -(-8 // stride), channels[1])


@pytest.mark.parametrize(
    ("size", "channels", "stride", "padding"),
    slow_rows_but(CONVOLUTIONS, CONVOLUTIONS[2], CONVOLUTIONS[5]),
)
def test_gradients_of_the_convolution_are_those_of_the_library_form(size, channels, stride, padding):
    def gradient(form):
        def loss(images, kernel):
            return jnp.sum(jnp.sin(form(images, kernel, stride, padding)))

        return jax.jit(jax.grad(loss, argnums=(0, 1)))(*double_case((32, 9, 8, channels[0]), (*size, *channels)))

    with jax.enable_x64(True):
        pairs = zip(gradient(convolution.convolve), gradient(convolution.convolve_by_library), strict=True)
        for found, expected in pairs:
            assert_equal_in_double_precision(found, expected)


@pytest.mark.parametrize(("platform", "differentiates_a_convolution"), [("cpu", False), ("cuda", True), ("tpu", True)])
def test_the_form_that_is_differentiated_depends_on_the_platform(platform, differentiates_a_convolution):
    gradient = jax.jit(jax.grad(lambda kernel, images: jnp.sum(convolution.convolve(images, kernel) ** 2)))
    lowered = gradient.trace(random_images(1, 5, 5, 1, 2), random_images(0, 2, 9, 9, 1)).lower(
        lowering_platforms=(platform,)
    )
    assert ("stablehlo.convolution" in lowered.as_text()) is differentiates_a_convolution


def test_a_1x1_kernel_is_a_matrix_product_on_every_platform():
    lowered = (
        jax.jit(convolution.convolve)
        .trace(random_images(0, 2, 9, 9, 3), random_images(1, 1, 1, 3, 2))
        .lower(lowering_platforms=("cuda",))
    )
    assert "stablehlo.convolution" not in lowered.as_text()


# On a GPU, XLA can abort where it fuses a strided slice with a product. The program is inspected instead.
def test_no_strided_slice_is_fused_with_a_matrix_product():
    images, kernel = random_images(0, 2, 9, 9, 3), random_images(1, 1, 1, 3, 2)
    gradient = jax.grad(lambda images, kernel: jnp.sum(convolution.convolve(images, kernel, 2, "SAME") ** 2), (0, 1))
    lines = jax.jit(gradient).trace(images, kernel).lower(lowering_platforms=("cuda",)).as_text().splitlines()
    (sliced,) = [line.split()[0] for line in lines if "stablehlo.slice" in line and ":9:2" in line]
    users = [line for line in lines if f"{sliced} " in line.replace(",", " ").replace(")", " ").partition("=")[2]]
    assert users
    assert all("stablehlo.optimization_barrier" in line for line in users)


def test_convolution_under_vmap_over_kernels_equals_one_after_the_other():
    images, kernels = random_images(0, 2, 6, 6, 1), random_images(1, 3, 5, 5, 1, 2)
    together = jax.jit(jax.vmap(convolution.convolve, in_axes=(None, 0)))(images, kernels)
    one_by_one = np.stack([jax.jit(convolution.convolve)(images, kernel) for kernel in kernels])
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "channels"),
    slow_rows_but([((9, 8), (1, 3)), ((12, 11), (2, 4)), ((12, 12), (16, 2))], ((12, 11), (2, 4))),
)
def test_a_pooled_convolution_and_its_gradient_are_those_of_pool_after_convolution(shape, channels):
    def both(form):
        outputs, pull_back = jax.vjp(form, *double_case((2, *shape, channels[0]), (5, 4, *channels)))
        return outputs, *pull_back(jnp.sin(outputs))

    with jax.enable_x64(True):
        found, expected = (
            jax.jit(both, static_argnums=0)(convolution.convolve_and_pool),
            both(convolution.convolve_and_pool_by_library),
        )
    for some, others in zip(found, expected, strict=True):
        assert_equal_in_double_precision(some, others)


def test_max_pool_takes_the_maximum_of_each_window():
    images = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(convolution.max_pool(images)[0, :, :, 0], [[5, 7], [13, 15]])
    np.testing.assert_array_equal(convolution.max_pool(images[:, :3, :3])[0, :, :, 0], [[5]])


def test_the_networks_are_the_papers():
    paper_cnn = (25 * 32 + 32) + (25 * 32 * 64 + 64) + (1024 * 128 + 128) + (128 * 10 + 10)
    assert num_parameters(networks.ConvolutionalClassifier(10), 1, 28, 28, 1) == paper_cnn
    emnist_cnn = (9 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 128 + 128) + (2048 * 512 + 512) + (512 * 47 + 47)
    assert num_parameters(networks.EMNISTConvolutionalClassifier(47), 1, 28, 28, 1) == emnist_cnn
    # As the many implementations of ResNet-18 for CIFAR-10 have it.
    assert num_parameters(networks.ResNet18(10), 1, 32, 32, 3) == 11_173_962


@pytest.mark.parametrize(
    ("name", "layers", "fans"),
    [
        ("convolutional", ("hidden",), 1024 + 128),
        pytest.param(
            *("resnet18", ("blocks_7", "NormalisedConvolution_1", "Convolution_0"), 9 * (32 + 32)),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_weights_are_glorot_uniform(name, layers, fans):
    network, _, inputs = build(name)
    draw = jax.jit(
        lambda key: functools.reduce(lambda params, layer: params[layer], layers, network.init(key, inputs)[0])
    )
    kernel = draw(jax.random.key(0))["kernel"]
    limit = np.sqrt(6 / fans)
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.99 * limit


def test_running_statistics_start_as_those_of_the_standard_normal():
    network, _, inputs = build("resnet18")
    statistics = jax.jit(lambda key: network.init(key, inputs).statistics)(jax.random.key(0))
    assert {float(value) for leaf in jax.tree.leaves(statistics) for value in np.unique(leaf)} == {0, 1}


@pytest.mark.parametrize("name", slow_but(NAMES, "mlp", "convolutional"))
def test_logits_of_an_input_do_not_depend_on_the_others(name):
    network, variables, inputs = build(name)
    logits = network.logits(variables, inputs)
    assert logits.shape == (len(inputs), 4)
    alone = network.logits(variables, jnp.broadcast_to(inputs[:1], inputs.shape))
    np.testing.assert_allclose(alone, jnp.broadcast_to(logits[:1], logits.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", slow_but(NAMES, "mlp", "convolutional"))
def test_a_shared_mask_is_the_same_for_every_input_and_another_for_every_key(name):
    network, variables, inputs = build(name)
    copies = jnp.broadcast_to(inputs[:1], inputs.shape)
    hidden = network.before_dropout(variables, copies)
    logits = network.masked_logits(jax.random.key(0), variables, hidden)
    np.testing.assert_allclose(logits, jnp.broadcast_to(logits[:1], logits.shape), atol=1e-5)
    assert np.abs(logits - network.masked_logits(jax.random.key(1), variables, hidden)).max() > 1e-4


@pytest.mark.parametrize("name", slow_but(NAMES, "mlp", "convolutional"))
def test_a_shared_mask_does_not_depend_on_the_number_of_inputs(name):
    network, variables, inputs = build(name)
    hidden = network.before_dropout(variables, inputs)
    together = network.masked_logits(jax.random.key(0), variables, hidden)
    alone = network.masked_logits(jax.random.key(0), variables, jax.tree.map(lambda leaf: leaf[1:2], hidden))
    np.testing.assert_allclose(together[1:2], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_have_the_width_of_the_last_layer(name):
    network, variables, inputs = build(name)
    width = len(variables.params["output"]["kernel"])
    assert jax.eval_shape(network.embed, variables, inputs).shape == (len(inputs), width)


@pytest.mark.parametrize("name", ["mlp", "convolutional", "text_classifier"])
def test_embeddings_are_what_the_last_layer_turns_into_logits(name):
    network, variables, inputs = build(name)
    embeddings = network.embed(variables, inputs)
    assert embeddings.dtype == jnp.float32
    output = variables.params["output"]
    np.testing.assert_allclose(
        embeddings @ output["kernel"] + output["bias"][None], network.logits(variables, inputs), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", slow_but(NAMES, "mlp", "convolutional"))
def test_training_masks_differ_between_inputs(name):
    network, variables, inputs = build(name)
    twice = jnp.concatenate([inputs[:2], inputs[:2]])
    logits, _ = network.training_logits(jax.random.key(0), variables, twice)
    assert np.abs(logits[:2] - logits[2:]).max() > 1e-4


def test_a_text_classifier_drops_before_its_last_layer_too():
    without_dropout = dataclasses.replace(ENCODER, dropout_rate=0.0, attention_dropout_rate=0.0)
    network = networks.functional(networks.TextClassifier(4, without_dropout, dropout_rate=0.5))
    encoder_alone, variables, inputs = build("text_classifier")
    hidden = encoder_alone.before_dropout(variables, inputs)
    masked_logits = jax.jit(network.masked_logits)
    first, second = (masked_logits(jax.random.key(seed), variables, hidden) for seed in range(2))
    assert np.abs(first - second).max() > 1e-4


def test_dropping_whole_channels_commutes_with_pooling_and_relu():
    # What lets the first convolution be shared by all masks, and dropout be written after the pool.
    images = random_images(0, 2, 8, 8, 6)
    mask = jnp.array([0.0, 2.0, 2.0, 0.0, 2.0, 0.0]).reshape(1, 1, 1, -1)
    before = jax.nn.relu(convolution.max_pool(images * mask))
    after = jax.nn.relu(convolution.max_pool(images)) * mask
    np.testing.assert_array_equal(before, after)


def test_dropout_keeps_the_expected_rate_and_scale():
    network = networks.functional(networks.MLP(2000, hidden_sizes=(2000,), dropout_rate=0.25))
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.ones((1, 1)))
    identity = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    identity.params["output"]["kernel"] = np.eye(2000, dtype=np.float32)
    dropped = jax.jit(network.masked_logits)(jax.random.key(1), identity, jnp.ones((1, 2000)))[0]
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    # Four standard errors of a binomial share: a false alarm in 16,000, with a fixed key.
    assert abs(np.mean(dropped == 0) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 2000)


def test_networks_without_normalisation_have_no_statistics():
    network, variables, inputs = build("mlp")
    assert variables.statistics == {}
    assert network.training_logits(jax.random.key(0), variables, inputs)[1] == {}


def reference_resnet(variables, images):
    """ResNet-18 as a formula."""

    def normalised(name, images, stride):
        params, statistics = variables.params, variables.statistics
        for part in name:
            params, statistics = params[part], statistics[part]
        hidden = convolution.convolve_by_library(images, params["Convolution_0"]["kernel"], stride, "SAME")
        params, statistics = params["BatchNorm_0"], statistics["BatchNorm_0"]
        mean, var, scale, bias = (
            array.reshape(1, 1, 1, -1)
            for array in (statistics["mean"], statistics["var"], params["scale"], params["bias"])
        )
        return (hidden - mean) / jnp.sqrt(var + 1e-5) * scale + bias

    images = jax.nn.relu(normalised(("stem",), images, 1))
    for block, stride in enumerate([1, 1, 2, 1, 2, 1, 2, 1]):
        name = f"blocks_{block}"
        hidden = jax.nn.relu(normalised((name, "NormalisedConvolution_0"), images, stride))
        hidden = normalised((name, "NormalisedConvolution_1"), hidden, 1)
        shortcut = normalised((name, "NormalisedConvolution_2"), images, stride) if stride == 2 else images
        images = jax.nn.relu(hidden + shortcut)
    return images.mean((1, 2)) @ variables.params["output"]["kernel"] + variables.params["output"]["bias"].reshape(
        1, -1
    )


def test_resnet18_is_the_formula_with_running_statistics():
    network, variables, inputs = build("resnet18")
    logits = network.logits(variables, inputs)
    np.testing.assert_allclose(logits, jax.jit(reference_resnet)(variables, inputs), rtol=1e-3, atol=1e-4)


def test_batch_statistics_enter_the_running_ones_with_weight_one_tenth():
    network, variables, inputs = build("resnet18")
    _, statistics = network.training_logits(jax.random.key(0), variables, inputs)
    before, after = (stem["BatchNorm_0"] for stem in (variables.statistics["stem"], statistics["stem"]))
    kernel = variables.params["stem"]["Convolution_0"]["kernel"]
    convolved = np.asarray(convolution.convolve_by_library(inputs, kernel, 1, "SAME"))
    for name, of_batch in {"mean": convolved.mean((0, 1, 2)), "var": convolved.var((0, 1, 2))}.items():
        np.testing.assert_allclose(after[name], 0.9 * before[name] + 0.1 * of_batch, rtol=1e-4)


@pytest.mark.slow
def test_members_side_by_side_have_the_statistics_that_each_has_alone():
    network, _, inputs = build("resnet18")
    keys = jax.random.split(jax.random.key(3), 2)
    members = [random_variables(seed, network, inputs) for seed in range(2)]
    together = jax.jit(jax.vmap(network.training_logits, in_axes=(0, 0, None)))(
        keys, jax.tree.map(lambda *leaves: jnp.stack(leaves), *members), inputs
    )
    for number, member in enumerate(members):
        alone = network.training_logits(keys[number], member, inputs)
        chex.assert_trees_all_close(
            jax.tree.map(lambda leaf, number=number: leaf[number], together), alone, rtol=1e-3, atol=1e-4
        )


# Flax's batch normalisation mixes the two, which strict promotion refuses.
@pytest.mark.usefixtures("training_settings")
@pytest.mark.parametrize("name", ["mlp", pytest.param("resnet18", marks=pytest.mark.slow)])
def test_computing_in_bfloat16_changes_logits_by_its_rounding_and_nothing_else(name):
    exact, variables, inputs = build(name)
    rounded = networks.Network(*map(jax.jit, networks.functional(MODULES[name][0], compute_dtype=jnp.bfloat16)))
    expected, found = exact.logits(variables, inputs), rounded.logits(variables, inputs)
    assert found.dtype == jnp.float32
    # bfloat16 has 8 bits: a part in 256 of each product, over a few layers.
    np.testing.assert_allclose(found, expected, atol=0.1 * np.abs(expected).max())
    assert np.abs(found - expected).max() > 1e-5

    def loss(params):
        logits, statistics = rounded.training_logits(jax.random.key(2), variables._replace(params=params), inputs)
        return jnp.sum(logits**2), statistics

    gradient, statistics = jax.jit(jax.grad(loss, has_aux=True))(variables.params)
    for leaf in jax.tree.leaves((gradient, statistics)):
        assert leaf.dtype == jnp.float32
        assert np.isfinite(leaf).all()


class Plain(nn.Module):
    """As people write networks who know nothing of this project."""

    @nn.compact
    def __call__(self, inputs, train: bool):
        hidden = nn.Dropout(0.5, deterministic=not train)(inputs.reshape(len(inputs), -1))
        return nn.Dense(3)(nn.BatchNorm(use_running_average=not train)(hidden))


def test_a_plain_module_trains_where_it_is_trained_and_nowhere_else():
    network, inputs = networks.functional(Plain()), random_images(0, 4, 5)
    variables = jax.jit(network.init)(jax.random.key(0), inputs)
    logits, training_logits = jax.jit(network.logits), jax.jit(network.training_logits)
    first, second = (logits(variables, inputs[:size])[:2] for size in (4, 2))
    np.testing.assert_allclose(first, second, atol=1e-5)
    one, statistics = training_logits(jax.random.key(1), variables, inputs)
    other, _ = training_logits(jax.random.key(2), variables, inputs)
    assert not np.allclose(one, other)
    assert not np.allclose(jax.tree.leaves(statistics)[0], jax.tree.leaves(variables.statistics)[0])


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (networks.MLP(4, dropout_rate=1.5), ValueError, r"MLP\.dropout_rate=1\.5: must be at least 0 and below 1"),
        (networks.MLP(4, hidden_sizes=()), ValueError, r"MLP\.hidden_sizes=\(\): must be at least one"),
        (networks.ConvolutionalClassifier(4, (0.1, 0.1)), ValueError, r"dropout_rates=\(0\.1, 0\.1\): must be three"),
        (networks.ResNet18(4, width="64"), TypeError, r"ResNet18\.width='64': must be an integer, at least 1"),
    ],
)
def test_fields_out_of_range_are_errors_before_anything_is_drawn(module, error, message):
    with pytest.raises(error, match=message):
        networks.functional(module)
