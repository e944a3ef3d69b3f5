"""Convolutions with fewer multiplications, by minimal filtering along the columns of the images.

Four neighbouring outputs of a filter with ``r`` taps take ``4 r`` multiplications by their definition, and ``r + 3`` if
filter and inputs are seen as polynomials that are evaluated at ``r + 3`` points, multiplied there, and interpolated: 8
instead of 20 for 5 taps, 6 instead of 12 for 3. What is left of a convolution is one matrix product for each point.

Source: Winograd, "Arithmetic complexity of computations" (SIAM, 1980); Lavin and Gray, "Fast algorithms for
convolutional neural networks" (CVPR 2016).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

OUTPUTS = 4
# The evaluation points, besides infinity. More or larger points would cost accuracy in float32.
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
MOST_TAPS = len(_POINTS) + 2 - OUTPUTS


def convolve_by_minimal_filtering(
    images: Float[Array, "B H W c"], kernel: Float[Array, "h w c d"], padding: str = "VALID"
) -> Float[Array, "B rows columns d"]:
    """Cross-correlation with stride 1, as `lbb_jax.networks.convolution.convolve`.

    Rounding errors are a few times those of the direct computation.

    Args:
      images: ``[B, H, W, c]``, of at least single precision.
      kernel: ``[h, w, c, d]``, ``w`` from 2 to 5.
      padding: "VALID" or "SAME".

    Returns:
      ``[B, H', W', d]``.

    Raises:
      ValueError: If the kernel has fewer than 2 or more than 5 columns.
    """
    rows, taps, channels, features = kernel.shape
    if not 2 <= taps <= MOST_TAPS:
        raise ValueError(f"kernel has {taps} columns: must have from 2 to {MOST_TAPS}")
    (above, below), (left, right) = jax.lax.padtype_to_pads(images.shape[1:3], (rows, taps), (1, 1), padding)
    height = images.shape[1] + above + below - rows + 1
    width = images.shape[2] + left + right - taps + 1
    num_tiles = -(-width // OUTPUTS)
    # The last tile may reach beyond the outputs asked for.
    beyond = num_tiles * OUTPUTS - width
    padded = jnp.pad(images, ((0, 0), (above, below), (left, right + beyond), (0, 0)))
    at_outputs, at_taps, of_inputs = (jnp.asarray(matrix, images.dtype) for matrix in _transforms(taps))

    num_points = OUTPUTS + taps - 1
    tiles = jnp.stack([padded[:, :, OUTPUTS * i : OUTPUTS * i + num_points] for i in range(num_tiles)], axis=2)
    transformed = jnp.einsum("px,bhtxc->pbhtc", of_inputs, tiles)
    shifted = [transformed[:, :, row : row + height] for row in range(rows)]
    views = jnp.concatenate(shifted, axis=-1).reshape(num_points, -1, rows * channels)
    kernels = jnp.einsum("px,hxcd->phcd", at_taps, kernel).reshape(num_points, rows * channels, features)
    outputs = jnp.einsum("px,pnd->nxd", at_outputs, views @ kernels)
    return outputs.reshape(len(images), height, num_tiles * OUTPUTS, features)[:, :, :width]


@functools.cache
def _transforms(taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evaluation of polynomials with `OUTPUTS` and with ``taps`` coefficients, and the interpolation's transpose.

    The product of polynomials is interpolation after evaluation. A correlation is the transpose of such a product.
    """
    num_points = OUTPUTS + taps - 1

    def evaluation(num_coefficients: int) -> np.ndarray:
        finite = np.vander(_POINTS[: num_points - 1], num_coefficients, increasing=True)
        at_infinity = np.eye(num_coefficients)[-1]
        return np.vstack([finite, at_infinity])

    return evaluation(OUTPUTS), evaluation(taps), np.linalg.inv(evaluation(num_points)).T
