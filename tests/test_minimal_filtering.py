import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lbb_jax.networks import convolution
from lbb_jax.networks.minimal_filtering import convolve_by_minimal_filtering


def random_case(taps, width):
    random = np.random.default_rng(taps)
    return random.normal(size=(2, 4, width, 3)), random.normal(size=(2, taps, 3, 2))


def correlation(images, kernel):
    """The definition, in float64."""
    rows, taps = kernel.shape[:2]
    height, width = images.shape[1] - rows + 1, images.shape[2] - taps + 1
    return sum(
        images[:, row : row + height, tap : tap + width] @ kernel[row, tap]
        for row in range(rows)
        for tap in range(taps)
    )


# Widths of the outputs: a multiple of four, less than four, and one more than a multiple.
@pytest.mark.parametrize(("taps", "width"), [(5, 12), (3, 5), (2, 6)])
def test_it_is_the_correlation(taps, width):
    images, kernel = random_case(taps, width)
    found = convolve_by_minimal_filtering(jnp.float32(images), jnp.float32(kernel))
    np.testing.assert_allclose(found, correlation(images, kernel), rtol=1e-5, atol=1e-5)


def test_in_double_precision_it_is_exact():
    images, kernel = random_case(5, 12)
    with jax.enable_x64(True):
        found = convolve_by_minimal_filtering(jnp.asarray(images), jnp.asarray(kernel))
        np.testing.assert_allclose(found, correlation(images, kernel), rtol=1e-12, atol=1e-12)


def test_kernels_with_too_many_columns_are_an_error():
    images, kernel = random_case(6, 12)
    with pytest.raises(ValueError, match="kernel has 6 columns: must have from 2 to 5"):
        convolve_by_minimal_filtering(jnp.float32(images), jnp.float32(kernel))


@pytest.mark.parametrize(
    ("dtype", "stride", "channels", "is_filtered"),
    [
        pytest.param("float32", 1, 16, True, id="by minimal filtering"),
        pytest.param("bfloat16", 1, 16, False, id="not in half precision"),
        pytest.param("float32", 2, 16, False, id="not with a stride"),
        pytest.param("float32", 1, 1, False, id="not with few channels"),
    ],
)
def test_the_form_depends_on_what_it_gains(dtype, stride, channels, is_filtered):
    images = jax.ShapeDtypeStruct((2, 8, 8, channels), dtype)
    kernel = jax.ShapeDtypeStruct((3, 3, channels, 2), dtype)
    program = jax.make_jaxpr(lambda images, kernel: convolution.convolve_by_products(images, kernel, stride))
    # The views are one product, the transforms are products, too.
    assert (str(program(images, kernel)).count("dot_general") > 1) is is_filtered
