"""Random changes to images that do not change their class, for training only."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_BORDER = 4


def crop_and_flip(
    key: jax.Array, images: Float[Array, "B H W c"], blank: Float[Array, "H W c"]
) -> Float[Array, "B H W c"]:
    """Pads each image by 4 pixels on each side, crops it to its size at random, and mirrors it with probability 1/2.

    The images are normalised already, and padded with what 0 is normalised to: the result is that of padding the
    stored pixels with 0, as torchvision's ``RandomCrop(size, padding=4)`` and ``RandomHorizontalFlip`` do, and
    normalising afterwards.

    Args:
      key: Random key, consumed; every image is changed by a key of its own.
      images: ``[B, H, W, c]`` float32, normalised.
      blank: The image of zeros, normalised: ``[H, W, c]``.

    Returns:
      ``[B, H, W, c]``.

    Raises:
      ValueError: If the inputs are not images.
    """
    if images.ndim != 4:
        raise ValueError(f"inputs of shape {images.shape[1:]} cannot be augmented: must be images [H, W, c]")
    canvas = jnp.pad(blank, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), mode="edge")

    def change(key: jax.Array, image: jax.Array) -> jax.Array:
        crop_key, flip_key = jax.random.split(key)
        padded = jax.lax.dynamic_update_slice(canvas, image, (_BORDER, _BORDER, 0))
        row, column = jax.random.randint(crop_key, (2,), 0, 2 * _BORDER + 1)
        cropped = jax.lax.dynamic_slice(padded, (row, column, 0), image.shape)
        return jnp.where(jax.random.bernoulli(flip_key), cropped[:, ::-1], cropped)

    return jax.vmap(change)(jax.random.split(key, len(images)), images)
