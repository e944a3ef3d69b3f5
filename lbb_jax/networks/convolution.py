"""Convolutions in the form that is fast where they run.

On a CPU, XLA's own convolution is the faster one forwards but many times slower backwards inside a loop (jax issue
12868), so that what is differentiated there is one matrix product over the shifted views of the images. Elsewhere
XLA's convolution serves both.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp


def convolve_by_library(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve` as XLA's convolution."""
    return jax.lax.conv_general_dilated(
        images, kernel, window_strides=(1, 1), padding="VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def convolve_by_views(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve` as one matrix product over the shifted views of the images."""
    rows, columns, _, channels = kernel.shape
    height, width = images.shape[1] - rows + 1, images.shape[2] - columns + 1
    views = [images[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]
    return jnp.concatenate(views, axis=-1) @ kernel.reshape(-1, channels)


@jax.custom_vjp
def convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Cross-correlation of ``images[B, H, W, c]`` with ``kernel[h, w, c, d]``, unpadded: ``[B, H-h+1, W-w+1, d]``."""
    return convolve_by_library(images, kernel)


def _differentiated(images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    result = jax.lax.platform_dependent(images, kernel, cpu=convolve_by_views, default=convolve_by_library)
    return result, (images, kernel)


def _pull_back(residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    def through(form: Callable) -> Callable:
        return lambda images, kernel, cotangent: jax.vjp(form, images, kernel)[1](cotangent)

    return jax.lax.platform_dependent(
        *residuals, cotangent, cpu=through(convolve_by_views), default=through(convolve_by_library)
    )


convolve.defvjp(_differentiated, _pull_back)


def max_pool(images: jax.Array) -> jax.Array:
    """Maximum over windows of 2 × 2: ``[B, H, W, c]`` with even ``H`` and ``W`` to ``[B, H/2, W/2, c]``."""
    batch, height, width, channels = images.shape
    return jnp.max(images.reshape(batch, height // 2, 2, width // 2, 2, channels), axis=(2, 4))


class Convolution(nn.Module):
    """An unpadded convolution with a bias.

    Attributes:
      channels: Output channels.
      size: Height and width of the kernel.
    """

    channels: int
    size: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """From ``[B, H, W, c]`` to ``[B, H-size+1, W-size+1, channels]``."""
        shape = (self.size, self.size, images.shape[-1], self.channels)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        return convolve(images, kernel) + bias.reshape(1, 1, 1, -1)
