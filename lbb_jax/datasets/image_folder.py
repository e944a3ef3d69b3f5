"""A data set of the user's own: folders of images, one for each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lbb_jax import paths
from lbb_jax.datasets import classes, statistics
from lbb_jax.datasets.source import Source, Split
from lbb_jax.extras import needs
from lbb_jax.ranges import OptionalCount, Share, Switch, Text

with needs("experiments"):
    from PIL import Image
    from tqdm import tqdm


def load(
    *,
    path: Text,
    image_size: OptionalCount = None,
    color: Switch = True,
    test_share: Share = 0.2,
    standardise: Switch = True,
) -> Source:
    """Opens the folders of a data set; an image is read when it is asked for.

    Args:
      path: A folder that holds ``train/CLASS/*`` and ``test/CLASS/*``; or ``train/CLASS/*`` alone; or ``CLASS/*``. Any
        format that Pillow reads will do. Names that begin with a dot are skipped.
      image_size: Height and width that images are resized to; None for images that all have the same size.
      color: Whether images have three channels; otherwise one, of grey values.
      test_share: Without test folders, the share of the images that is held out to test on, stratified by class.
      standardise: Whether the mean of each channel over the training images is subtracted, and the result divided by
        their standard deviation. Otherwise values are from 0 to 1.

    Returns:
      The images as uint8 ``[n, height, width, channels]``, in alphabetical order of class and file.

    Raises:
      PathError: If there is no such folder.
      ValueError: For folders that hold no images, a class of ``test`` that ``train`` lacks, a class whose only image
        would have to be held out; and, when they are read, for a file that is no image or has another size; the message
        names the file.
    """
    folder = paths.existing(path, name="path")
    if not folder.is_dir():
        raise ValueError(f"path={path}: is a file; name a folder of folders of images, or use the data set 'arrays'")
    train_folder = folder / "train" if (folder / "train").is_dir() else folder
    test_folder = folder / "test" if train_folder != folder and (folder / "test").is_dir() else None
    train_files, train_labels = _files(train_folder)
    test_files, test_labels = (train_files, None) if test_folder is None else _files(test_folder)
    names, train, test = classes.split(train_labels, test_labels, test_share)
    size = _size(train_files[0], image_size)
    parts = ((train_files, train), (test_files, test))
    splits = [_split([files[row] for row in part.rows], part.labels, size, color) for files, part in parts]
    mean, std = np.float32(0), np.float32(255)
    if standardise:
        mean, std = statistics.of_blocks(lambda start, stop: splits[0].read(start, stop)[0], splits[0].num_examples)
    return Source(splits[0], splits[1], len(names), mean=mean, std=std, class_names=names)


def _files(folder: Path) -> tuple[list[Path], classes.FileRows]:
    """The files of the classes in ``folder``, in alphabetical order, and their labels."""
    found = []
    for of_class in sorted(folder.iterdir()):
        if of_class.name.startswith(".") or not of_class.is_dir():
            continue
        files = sorted(file for file in of_class.iterdir() if not file.name.startswith("."))
        if not files:
            raise ValueError(f"{of_class}: holds no images; remove the folder, or fill it")
        found += files
    if not found:
        raise ValueError(f"{folder}: holds no folders of images; there must be one for each class")
    return found, classes.FileRows(np.asarray([file.parent.name for file in found]), f"{folder}, image {{row}}")


def _size(file: Path, image_size: int | None) -> tuple[tuple[int, int], str]:
    """Width and height that all images must have, and why."""
    if image_size is not None:
        return (image_size, image_size), ""
    with _open(file) as image:
        return image.size, f"the size of {file}"


def _open(file: Path) -> Image.Image:
    try:
        return Image.open(file)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file}: cannot be read as an image ({error}); correct or remove it") from error


def _split(files: Sequence[Path], labels: np.ndarray, size: tuple[tuple[int, int], str], color: bool) -> Split:
    def read(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        wanted = tqdm(files[start:stop], desc="reading images", unit="image", disable=None, leave=False)
        return np.stack([_read(file, *size, color) for file in wanted]), labels[start:stop]

    return Split(len(files), read)


def _read(file: Path, size: tuple[int, int], why: str, color: bool) -> np.ndarray:
    with _open(file) as image:
        if why and image.size != size:
            raise ValueError(
                f"{file}: is {image.size[0]} × {image.size[1]}, not {size[0]} × {size[1]}, {why}; set image_size to "
                "resize all images"
            )
        try:
            pixels = image.convert("RGB" if color else "L")
        except (OSError, ValueError, SyntaxError) as error:
            raise ValueError(f"{file}: cannot be read as an image ({error}); correct or remove it") from error
    pixels = pixels if pixels.size == size else pixels.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(pixels, np.uint8).reshape(size[1], size[0], -1)
