"""The images that each method acquired first."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lbb_jax.examples import Examples
from lbb_jax.figures.style import empty_panels
from lbb_jax.figures.titles import check_one_experiment, describe

_FRAME = "#CC3311"


def acquired_images(
    acquired: pd.DataFrame, pool: Examples, *, num_images: int = 10, seed: int = 0, title: str | None = None
) -> Figure:
    """A grid of images: a row for each variant, and in it the first images that it acquired, each with its true label.

    Variants with the same seed start from the same labels, so that their first batches are chosen by the same
    predictions. Images are shown as they are stored; noise on their copies is not.

    Args:
      acquired: As `lbb_jax.analysis.load_acquired` returns them, of one experiment.
      pool: That the points were acquired from, as `lbb_jax.analysis.load_pool` returns it.
      num_images: Columns.
      seed: Whose picks are shown.
      title: Above the figure; data set, posterior, batch size, seed and what was reduced where None.

    Returns:
      The figure. An image of which a copy stands further to the left has a frame, and the title says so.

    Raises:
      ValueError: If ``acquired`` is of several experiments or of none, the examples are not images, or nothing was
        acquired with the seed.
    """
    check_one_experiment(acquired)
    shape = pool.features.shape[1:]
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ValueError(f"pool has features of shape {shape}: must be images [height, width, 1 or 3 channels]")
    of_seed = acquired[acquired["seed"] == seed]
    if of_seed.empty:
        raise ValueError(f"seed={seed}: acquired nothing; there are the seeds {sorted(set(acquired['seed'].tolist()))}")
    variants = of_seed["variant"].unique()
    figure, panels = empty_panels(len(variants), num_images, size=(1.8 + 0.72 * num_images, 0.8 + 0.86 * len(variants)))
    for axes in panels.flat:
        axes.set_axis_off()
    has_copies = False
    for row, variant in zip(panels, variants, strict=True):
        bases = of_seed.loc[of_seed["variant"] == variant, "index"].to_numpy()[:num_images] % pool.num_base
        for axes, base, is_copy in zip(row, bases, pd.Series(bases).duplicated(), strict=False):
            _show(axes, np.asarray(pool.features[base]), int(pool.labels[base]))
            if is_copy:
                _frame(axes)
                has_copies = True
        name, place = variant.replace(", ", "\n"), (-0.12, 0.5)
        row[0].annotate(name, place, xycoords="axes fraction", ha="right", va="center", fontsize=8)
    if title is None:
        title = describe(acquired, f"first {num_images} picks of seed {seed}")
        title += "\nframed: a copy of an image further to the left" if has_copies else ""
    figure.suptitle(title, fontsize=10)
    return figure


def _show(axes: Axes, image: np.ndarray, label: int) -> None:
    """Draws one image ``[height, width, channels]`` with its label above it."""
    if image.shape[2] == 1:
        axes.imshow(image[..., 0], cmap="gray_r")
    else:
        axes.imshow(image)
    axes.set_title(str(label), fontsize=7, pad=2)


def _frame(axes: Axes) -> None:
    """Puts a frame around an image, with no axis."""
    axes.set_axis_on()
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=_FRAME, linewidth=2)
