"""Convolutions in the form that is fastest on the device.

On a CPU, XLA's own convolution is faster in the forward pass, but many times slower in the backward pass inside a loop
(jax issue 12868). A convolution that is differentiated is therefore computed by matrix products there: by minimal
filtering if that is possible and the images have enough channels to gain by it, otherwise by one product over the
shifted views of the images. On other devices XLA's convolution serves both passes. A 1 × 1 kernel has one view and is a
matrix product on every device.

Kernels are unpadded ("VALID"), or padded so that every output is where an input is ("SAME"): with stride ``s`` from
``[B, H, W, c]`` to ``[B, ⌈H/s⌉, ⌈W/s⌉, d]``, the odd row of padding below and the odd column to the right.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from lbb_jax.networks.minimal_filtering import MOST_TAPS, convolve_by_minimal_filtering

# With fewer, the transforms cost more than the products save.
_CHANNELS_TO_GAIN = 16


def convolve_by_library(images: jax.Array, kernel: jax.Array, stride: int = 1, padding: str = "VALID") -> jax.Array:
    """`convolve` as XLA's convolution."""
    return jax.lax.conv_general_dilated(
        images, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def convolve_by_views(images: jax.Array, kernel: jax.Array, stride: int = 1, padding: str = "VALID") -> jax.Array:
    """`convolve` as one matrix product over the shifted views of the images."""
    rows, columns, _, channels = kernel.shape
    margins = jax.lax.padtype_to_pads(images.shape[1:3], (rows, columns), (stride, stride), padding)
    padded = jnp.pad(images, ((0, 0), *margins, (0, 0)))
    height = (padded.shape[1] - rows) // stride + 1
    width = (padded.shape[2] - columns) // stride + 1

    def view(row: int, column: int) -> jax.Array:
        return padded[:, row : row + stride * height : stride, column : column + stride * width : stride]

    views = [view(row, column) for row in range(rows) for column in range(columns)]
    return jnp.concatenate(views, axis=-1) @ kernel.reshape(-1, channels)


def convolve_by_products(images: jax.Array, kernel: jax.Array, stride: int = 1, padding: str = "VALID") -> jax.Array:
    """`convolve` as the matrix products that are fastest on a CPU."""
    is_precise = jnp.finfo(images.dtype).bits >= 32
    is_possible = is_precise and stride == 1 and 2 <= kernel.shape[1] <= MOST_TAPS
    if is_possible and kernel.shape[2] >= _CHANNELS_TO_GAIN:
        return convolve_by_minimal_filtering(images, kernel, padding)
    return convolve_by_views(images, kernel, stride, padding)


def convolve(images: jax.Array, kernel: jax.Array, stride: int = 1, padding: str = "VALID") -> jax.Array:
    """Cross-correlation of images with a kernel.

    Args:
      images: ``[B, H, W, c]``.
      kernel: ``[h, w, c, d]``.
      stride: Rows, and columns, between neighbouring outputs.
      padding: "VALID" or "SAME".

    Returns:
      ``[B, H', W', d]``, with stride 1 and "VALID" ``[B, H-h+1, W-w+1, d]``.
    """
    if kernel.shape[:2] == (1, 1):
        return convolve_by_views(images, kernel, stride, padding)
    return _convolve(images, kernel, stride, padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve(images: jax.Array, kernel: jax.Array, stride: int, padding: str) -> jax.Array:
    return convolve_by_library(images, kernel, stride, padding)


def _differentiated(
    images: jax.Array, kernel: jax.Array, stride: int, padding: str
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    result = jax.lax.platform_dependent(
        images,
        kernel,
        cpu=functools.partial(convolve_by_products, stride=stride, padding=padding),
        default=functools.partial(convolve_by_library, stride=stride, padding=padding),
    )
    return result, (images, kernel)


def _pull_back(
    stride: int, padding: str, residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def through(form: Callable) -> Callable:
        form = functools.partial(form, stride=stride, padding=padding)
        return lambda images, kernel, cotangent: jax.vjp(form, images, kernel)[1](cotangent)

    return jax.lax.platform_dependent(
        *residuals, cotangent, cpu=through(convolve_by_products), default=through(convolve_by_library)
    )


_convolve.defvjp(_differentiated, _pull_back)


def max_pool(images: jax.Array) -> jax.Array:
    """Maximum over windows of 2 × 2: ``[B, H, W, c]`` to ``[B, ⌊H/2⌋, ⌊W/2⌋, c]``; an odd last row or column is cut."""
    batch, height, width, channels = images.shape
    height, width = height // 2, width // 2
    windows = images[:, : 2 * height, : 2 * width].reshape(batch, height, 2, width, 2, channels)
    return jnp.max(windows, axis=(2, 4))


class Convolution(nn.Module):
    """A convolution.

    Attributes:
      channels: Output channels.
      size: Height and width of the kernel.
      stride: Rows, and columns, between neighbouring outputs.
      padding: "VALID" or "SAME".
      use_bias: Whether each output channel has a bias.
    """

    channels: int
    size: int
    stride: int = 1
    padding: str = "VALID"
    use_bias: bool = True

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """From ``[B, H, W, c]`` to ``[B, H', W', channels]``, as `convolve` does."""
        shape = (self.size, self.size, images.shape[-1], self.channels)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
        convolved = convolve(images, kernel, self.stride, self.padding)
        if not self.use_bias:
            return convolved
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        return convolved + bias.reshape(1, 1, 1, -1)
