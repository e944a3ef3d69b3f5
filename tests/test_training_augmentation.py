import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lbb_jax import examples
from lbb_jax.training.augmentation import crop_and_flip

pytestmark = pytest.mark.usefixtures("quick_compilation")

MEAN, STD = np.array([30.0, 60.0], np.float32), np.array([2.0, 5.0], np.float32)


def some_images():
    """20 images of 6 × 5 pixels in 2 channels: every pixel another, none of them 0."""
    pixels = np.arange(1, 20 * 6 * 5 * 2 + 1, dtype=np.float32).reshape(20, 6, 5, 2)
    return examples.create(pixels, np.zeros(20), mean=MEAN, std=STD)


@jax.jit
def _augment(key, pool, indices):
    return crop_and_flip(key, examples.inputs(pool, indices), examples.blank_input(pool))


def augment(pool, indices, key=0):
    """Augmented images, by one program for all tests."""
    places = np.resize(indices, 200)
    return np.asarray(_augment(jax.random.key(key), pool, places))[: len(indices)]


def where_cut_out(image, pixels):
    """(row, column, whether mirrored) of every crop of the pixels, padded with zeros, that the image is."""
    padded = np.pad(pixels, ((4, 4), (4, 4), (0, 0)))
    places = [(row, column, mirrored) for row in range(9) for column in range(9) for mirrored in (False, True)]
    crops = np.stack(
        [padded[row : row + 6, column : column + 5][:, :: 1 - 2 * mirrored] for row, column, mirrored in places]
    )
    same = np.isclose(image * STD + MEAN, crops, atol=1e-2).all((1, 2, 3))
    return [place for place, is_same in zip(places, same, strict=True) if is_same]


def test_an_augmented_image_is_a_crop_of_the_padded_pixels_or_its_mirror_image():
    pool = some_images()
    augmented = augment(pool, np.arange(20))
    assert augmented.shape == (20, 6, 5, 2)
    for number, image in enumerate(augmented):
        assert len(where_cut_out(image, np.asarray(pool.features[number]))) == 1


def test_every_crop_and_both_mirror_images_come_up():
    pool = some_images()
    places = [where_cut_out(image, np.asarray(pool.features[0]))[0] for image in augment(pool, np.zeros(200, int))]
    rows, columns, mirrored = map(set, zip(*places, strict=True))
    assert rows == columns == set(range(9))
    assert mirrored == {False, True}


def test_the_key_decides():
    pool = some_images()
    np.testing.assert_array_equal(augment(pool, np.arange(5)), augment(pool, np.arange(5)))
    assert not np.array_equal(augment(pool, np.arange(5)), augment(pool, np.arange(5), key=1))


def test_what_is_no_image_is_an_error():
    with pytest.raises(ValueError, match=r"inputs of shape \(7,\) cannot be augmented"):
        crop_and_flip(jax.random.key(0), jnp.zeros((2, 7)), jnp.zeros(7))
