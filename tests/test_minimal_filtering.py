import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from slow_parts import slow_rows_but

from lbb_jax.networks import convolution
from lbb_jax.networks.minimal_filtering import convolve_by_minimal_filtering


def random_case(rows, taps, width):
    random = np.random.default_rng(taps)
    return random.normal(size=(2, 7, width, 3)), random.normal(size=(rows, taps, 3, 2))


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
CASES = [(5, 5, 12), (4, 3, 5), (3, 2, 6)]


@pytest.mark.parametrize(("rows", "taps", "width"), slow_rows_but(CASES, (4, 3, 5)))
def test_it_is_the_correlation(rows, taps, width):
    images, kernel = random_case(rows, taps, width)
    with jax.enable_x64(True):
        found = jax.jit(convolve_by_minimal_filtering)(images, kernel)
    np.testing.assert_allclose(found, correlation(images, kernel), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("rows", "taps", "width"), slow_rows_but(CASES, (5, 5, 12)))
def test_in_single_precision_a_typical_error_is_small(rows, taps, width):
    images, kernel = random_case(rows, taps, width)
    found = jax.jit(convolve_by_minimal_filtering)(images.astype(np.float32), kernel.astype(np.float32))
    expected = correlation(images, kernel)
    # The largest error depends on the order of the sums, and so on the processor; the mean square hardly does.
    assert np.sqrt(np.mean((found - expected) ** 2)) < 1e-5 * np.sqrt(np.mean(expected**2))


@pytest.mark.parametrize("shape", [(2, 6, 3, 2), (1, 3, 3, 2)])
def test_kernels_with_too_many_or_too_few_taps_are_an_error(shape):
    with pytest.raises(ValueError, match=f"kernel has shape {re.escape(str(shape))}: must have from 2 to 5 rows and"):
        convolve_by_minimal_filtering(jnp.zeros((2, 4, 12, 3)), jnp.zeros(shape))


@pytest.mark.parametrize(
    ("dtype", "stride", "channels", "num_images", "is_filtered"),
    [
        pytest.param("float32", 1, 16, 16, True, id="by minimal filtering"),
        pytest.param("bfloat16", 1, 16, 16, False, id="not in half precision"),
        pytest.param("float32", 2, 16, 16, False, id="not with a stride"),
        pytest.param("float32", 1, 1, 16, False, id="not with few channels"),
        pytest.param("float32", 1, 16, 15, False, id="not with few outputs"),
    ],
)
def test_the_form_depends_on_what_it_gains(dtype, stride, channels, num_images, is_filtered):
    # Each image has 2 x 2 tiles of outputs.
    images = jax.ShapeDtypeStruct((num_images, 10, 10, channels), dtype)
    kernel = jax.ShapeDtypeStruct((3, 3, channels, 2), dtype)
    program = jax.make_jaxpr(lambda images, kernel: convolution.convolve_by_products(images, kernel, stride))
    # The views are one product, the transforms are products, too.
    assert (str(program(images, kernel)).count("dot_general") > 1) is is_filtered
