"""Convolutions in the form that is fastest on the device.

On a CPU, XLA's own convolution is many times slower in the backward pass inside a loop than outside (jax issue 12868).
There a convolution is computed by minimal filtering if that is possible and there are enough channels and outputs to
gain by it. Otherwise one that has as many channels, or is differentiated, is one matrix product over the shifted views
of the images, or over their windows if its outputs are pooled. On other devices XLA's convolution serves both passes. A
1 × 1 kernel has one view and is a matrix product on every device.

Kernels are unpadded ("VALID"), or padded so that every output is where an input is ("SAME"): with stride ``s`` from
``[B, H, W, c]`` to ``[B, ⌈H/s⌉, ⌈W/s⌉, d]``, the odd row of padding below and the odd column to the right.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from lbb_jax.networks.minimal_filtering import OUTPUTS, convolve_by_minimal_filtering, is_possible

# With fewer, the transforms cost more than the products save.
_CHANNELS_TO_GAIN = 16
# With fewer, the transform of the kernel costs more than the products save.
_FEWEST_TILES = 64


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

    views = jnp.concatenate([view(row, column) for row in range(rows) for column in range(columns)], axis=-1)
    if stride > 1:
        # On a GPU, XLA can abort where it fuses such a slice with the product (openxla/xla issue 47381).
        views = jax.lax.optimization_barrier(views)
    return views @ kernel.reshape(-1, channels)


def convolve_by_products(images: jax.Array, kernel: jax.Array, stride: int = 1, padding: str = "VALID") -> jax.Array:
    """`convolve` as the matrix products that are fastest on a CPU."""
    if _can_be_filtered(images, kernel, stride) and _num_tiles(images, kernel, padding) >= _FEWEST_TILES:
        return convolve_by_minimal_filtering(images, kernel, padding)
    return convolve_by_views(images, kernel, stride, padding)


def _can_be_filtered(images: jax.Array, kernel: jax.Array, stride: int) -> bool:
    """Whether minimal filtering is possible, precise enough, and has enough channels to gain by it."""
    is_precise = jnp.finfo(images.dtype).bits >= 32
    return is_precise and stride == 1 and is_possible(kernel) and kernel.shape[2] >= _CHANNELS_TO_GAIN


def _num_tiles(images: jax.Array, kernel: jax.Array, padding: str) -> int:
    """The tiles that minimal filtering cuts the outputs into."""
    lost = (kernel.shape[0] - 1, kernel.shape[1] - 1) if padding == "VALID" else (0, 0)
    height, width = (size - less for size, less in zip(images.shape[1:3], lost, strict=True))
    return len(images) * -(-height // OUTPUTS) * -(-width // OUTPUTS)


def convolve_and_pool_by_library(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve_and_pool` by XLA's convolution."""
    return max_pool(convolve_by_library(images, kernel))


def convolve_and_pool_by_windows(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve_and_pool` as one matrix product over the windows that the pooled outputs depend on.

    A window is one row and one column larger than the kernel, which stands at four places in it.
    """
    rows, columns, _, features = kernel.shape
    height, width = (images.shape[1] - rows + 1) // 2, (images.shape[2] - columns + 1) // 2
    # The images stand last, so that what is copied and multiplied is wide.
    arranged = images.transpose(1, 2, 3, 0)

    def view(row: int, column: int) -> jax.Array:
        return arranged[row : row + 2 * height - 1 : 2, column : column + 2 * width - 1 : 2]

    views = jnp.stack([view(row, column) for row in range(rows + 1) for column in range(columns + 1)])
    windows = views.transpose(0, 3, 1, 2, 4).reshape(-1, height * width * len(images))
    places = [jnp.pad(kernel, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for i in (0, 1) for j in (0, 1)]
    kernels = jnp.stack(places).reshape(4, -1, features).swapaxes(1, 2)
    outputs = (kernels.reshape(4 * features, -1) @ windows).reshape(4, features, height, width, len(images))
    return jnp.max(outputs, axis=0).transpose(3, 1, 2, 0)


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
    library = functools.partial(convolve_by_library, stride=stride, padding=padding)
    products = functools.partial(convolve_by_products, stride=stride, padding=padding)
    forward = products if _can_be_filtered(images, kernel, stride) else library
    return _in_form_of_platform(_Forms(forward, products, library), images, kernel)


def convolve_and_pool(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """`max_pool` of `convolve` with an unpadded kernel: ``[B, H, W, c]`` to ``[B, ⌊(H-h+1)/2⌋, ⌊(W-w+1)/2⌋, d]``."""
    if _can_be_filtered(images, kernel, stride=1):
        return max_pool(convolve(images, kernel))
    windows, library = convolve_and_pool_by_windows, convolve_and_pool_by_library
    return _in_form_of_platform(_Forms(windows, windows, library), images, kernel)


class _Forms(NamedTuple):
    """Functions of images and kernel that compute the same.

    Attributes:
      cpu: The fastest on a CPU.
      cpu_differentiated: The fastest there where it is differentiated.
      default: The fastest elsewhere.
    """

    cpu: Callable[[jax.Array, jax.Array], jax.Array]
    cpu_differentiated: Callable[[jax.Array, jax.Array], jax.Array]
    default: Callable[[jax.Array, jax.Array], jax.Array]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _in_form_of_platform(forms: _Forms, images: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.lax.platform_dependent(images, kernel, cpu=forms.cpu, default=forms.default)


def _differentiated(
    forms: _Forms, images: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    result = jax.lax.platform_dependent(images, kernel, cpu=forms.cpu_differentiated, default=forms.default)
    return result, (images, kernel)


def _pull_back(
    forms: _Forms, residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def through(form: Callable) -> Callable:
        return lambda images, kernel, cotangent: jax.vjp(form, images, kernel)[1](cotangent)

    return jax.lax.platform_dependent(
        *residuals, cotangent, cpu=through(forms.cpu_differentiated), default=through(forms.default)
    )


_in_form_of_platform.defvjp(_differentiated, _pull_back)


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
      pooled: Whether the outputs are pooled by `max_pool`; stride is 1 then, and padding "VALID".
    """

    channels: int
    size: int
    stride: int = 1
    padding: str = "VALID"
    use_bias: bool = True
    pooled: bool = False

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps ``[B, H, W, c]`` to ``[B, H', W', channels]``, as `convolve` or `convolve_and_pool` does."""
        shape = (self.size, self.size, images.shape[-1], self.channels)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
        if self.pooled:
            convolved = convolve_and_pool(images, kernel)
        else:
            convolved = convolve(images, kernel, self.stride, self.padding)
        if not self.use_bias:
            return convolved
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        return convolved + bias.reshape(1, 1, 1, -1)
