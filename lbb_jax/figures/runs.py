"""Figures of runs, each from a table of `lbb_jax.analysis`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lbb_jax import analysis
from lbb_jax.errors import ExperimentError
from lbb_jax.examples import Examples
from lbb_jax.figures.style import (
    FEW_LINES,
    MARKERS,
    colour_of,
    draw_means,
    empty_figure,
    empty_panels,
    empty_rows,
    legend_below,
    legend_of_lines,
    line_styles,
)
from lbb_jax.figures.titles import check_one_experiment, of_seeds, range_of, reductions, title_of


def learning_curves(runs: pd.DataFrame) -> Figure:
    """Test accuracy against labels: the mean over seeds and, for up to 8 variants, a band of one standard deviation.

    Args:
      runs: As `lbb_jax.analysis.load_runs` returns them, of one data set, posterior and batch size.

    Returns:
      The figure, one line per variant.

    Raises:
      ValueError: If ``runs`` are of several experiments or of none.
    """
    check_one_experiment(runs)
    figure, axes = empty_figure("labelled points", "test accuracy")
    has_bands = runs["variant"].nunique() <= FEW_LINES
    draw_means(axes, runs, x="labels", y="accuracy", band=has_bands)
    axes.set_ylim(top=min(axes.get_ylim()[1], 1.01))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_of_lines(figure, axes)
    spread = of_seeds("mean ± 1 s.d." if has_bands else "mean", runs)
    axes.set_title(title_of(runs, spread), fontsize=10)
    return figure


def area_differences(differences: pd.DataFrame) -> Figure:
    """Areas under the learning curve, minus the baseline's: the mean over seeds and its confidence interval.

    Args:
      differences: As `lbb_jax.analysis.paired_differences` returns them of areas, of one experiment.

    Returns:
      The figure, a row for each variant, the first on top, and a line at 0, where the baseline is.

    Raises:
      ValueError: If ``differences`` are of several experiments or of none.
    """
    check_one_experiment(differences)
    first = differences.iloc[0]
    figure, axes = empty_rows(
        f"area under the learning curve, minus that of {first['baseline']}", differences["variant"]
    )
    for row, of_variant in enumerate(differences.itertuples()):
        colour = colour_of(of_variant.variant)
        axes.plot([of_variant.low, of_variant.high], [row, row], color=colour, linewidth=1.8)
        axes.plot(of_variant.difference, row, "o", color=colour, markersize=9)
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=0)
    spread = f"mean and {first['confidence']:.0%} interval of {range_of(differences['num_seeds'])} seeds"
    axes.set_title(title_of(differences, spread), fontsize=10)
    return figure


def label_savings(savings: pd.DataFrame) -> Figure:
    """Labels needed to reach each target: a small point for each seed, a large one for the median over seeds.

    Runs that never reach the target stand at the right edge, on a line that says so. The median counts them as
    infinite, so it stands there, too, if half of the seeds or more never reach the target.

    Args:
      savings: As `lbb_jax.analysis.labels_to_reach` returns them, of one experiment.

    Returns:
      The figure, a row for each variant, the first on top, with a marker of its own for each target.

    Raises:
      ValueError: If ``savings`` are of several experiments or of none, or of more than 4 targets.
    """
    check_one_experiment(savings)
    targets = savings.groupby(["share", "target"], sort=False)
    if len(targets) > len(MARKERS):
        raise ValueError(f"savings have {len(targets)} shares: at most {len(MARKERS)} can be told apart in a figure")
    variants = list(savings["variant"].unique())
    figure, axes = empty_rows("labelled points needed", variants)
    edge = _right_edge(savings["labels"])
    heights = np.linspace(-0.15, 0.15, len(targets)) if len(targets) > 1 else [0.0]
    for marker, height, ((share, target), of_target) in zip(MARKERS, heights, targets, strict=False):
        for variant, labels in of_target.groupby("variant", sort=False)["labels"]:
            row = variants.index(variant) + height
            style = {"color": colour_of(variant), "marker": marker, "linestyle": "none"}
            axes.plot(labels.clip(upper=edge), [row] * len(labels), markersize=4, alpha=0.5, **style)
            axes.plot(min(labels.median(), edge), row, markersize=9, **style)
        label = f"{share:.0%} of the baseline's final accuracy ({target:.3f})"
        axes.plot([], [], marker=marker, color="#444444", linestyle="none", label=label)
    if np.isinf(savings["labels"]).any():
        axes.axvline(edge, color="#444444", linewidth=0.8, linestyle=":", zorder=0)
        axes.annotate("never", (edge, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", fontsize=8)
    axes.set_title(title_of(savings, of_seeds("each and median", savings)), fontsize=10, pad=14)
    return figure


def savings(found: pd.DataFrame) -> Figure:
    """Labels that the mean over seeds needs to reach an accuracy, with their bootstrap interval.

    Args:
      found: As `lbb_jax.analysis.savings` returns them, of one experiment.

    Returns:
      The figure, a row for each variant, the first on top, and a line at the labels of the baseline. A triangle marks
      a variant that needs more labels than its runs have.

    Raises:
      ValueError: If ``found`` are of several experiments or of none.
    """
    check_one_experiment(found)
    first = found.iloc[0]
    figure, axes = empty_rows(f"labelled points needed for an accuracy of {first['accuracy']:.3f}", found["variant"])
    for row, of_variant in enumerate(found.itertuples()):
        colour = colour_of(of_variant.variant)
        axes.plot([of_variant.low, of_variant.high], [row, row], color=colour, linewidth=1.8)
        axes.plot(of_variant.labels, row, "o" if of_variant.reached else ">", color=colour, markersize=9)
    baseline = found.loc[found["variant"] == first["baseline"], "labels"]
    axes.axvline(baseline.iloc[0], color="#444444", linewidth=0.8, zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    count = range_of(found["num_seeds"])
    spread = "1 seed" if count == "1" else f"mean of {count} seeds, {first['confidence']:.0%} interval"
    axes.set_title(title_of(found, spread), fontsize=10)
    return figure


def _right_edge(labels: pd.Series) -> float:
    """Where "never" stands: a little beyond the largest number of labels."""
    reached = labels[np.isfinite(labels)]
    return float(reached.max() + max(0.1 * (reached.max() - reached.min()), 1)) if len(reached) else 1.0


def performance_profile(errors: pd.DataFrame) -> Figure:
    """Performance profiles, drawn as exact step functions.

    Args:
      errors: Final error rates ``[problems, solvers]``, as `lbb_jax.analysis.final_errors` returns them.

    Returns:
      The figure, one line per variant: the share of problems against the ratio to the best variant. The horizontal axis
      is logarithmic where the ratios go beyond 10.

    Raises:
      ValueError: As `lbb_jax.analysis.performance_profile`.
    """
    ratios = analysis.performance_ratios(errors)
    steps = np.unique(ratios[np.isfinite(ratios)])
    largest = steps[-1]
    # Beyond the largest ratio nothing changes; a little of it is shown, so that the last step is seen to end.
    right = largest**1.05 if largest > 10 else largest + 0.05 * max(largest - 1, 0.2)
    taus = np.append(steps, right)
    figure, axes = empty_figure("error rate / that of the best, at most", "share of experiments")
    shares = analysis.performance_profile(errors, taus)
    styles = line_styles(errors.columns)
    for variant, share in zip(errors.columns, shares.T, strict=True):
        axes.step(taus, share, where="post", linewidth=1.8, label=variant, **styles[variant])
    axes.set_xscale("log" if largest > 10 else "linear")
    axes.set_xlim(1, right)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    legend_of_lines(figure, axes)
    reduced = errors.index.get_level_values("reduced").unique()
    count = "1 experiment" if len(errors) == 1 else f"{len(errors)} experiments"
    axes.set_title(f"final error rates in {count}{reductions(reduced)}", fontsize=10)
    return figure


def batch_diversity(diversity: pd.DataFrame) -> Figure:
    """Distinct base examples and class entropy of the batches, against labels: mean and, for up to 8 variants, 1 s.d.

    Args:
      diversity: As `lbb_jax.analysis.batch_diversity` returns it, of one experiment.

    Returns:
      The figure, a line for each variant in both panels, and a dotted one at the largest class entropy of a batch.

    Raises:
      ValueError: If ``diversity`` is of several experiments or of none.
    """
    check_one_experiment(diversity)
    figure, ((distinct, classes),) = empty_panels(1, 2, size=(9.6, 4.8))
    has_bands = diversity["variant"].nunique() <= FEW_LINES
    draw_means(distinct, diversity, x="labels", y="distinct_share", band=has_bands)
    distinct.set(xlabel="labelled points", ylabel="distinct base examples in a batch", ylim=(0, 1.05))
    distinct.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    draw_means(classes, diversity, x="labels", y="class_entropy", band=has_bands)
    largest = diversity.groupby("labels")["max_class_entropy"].max()
    classes.plot(largest.index, largest, color="#444444", linewidth=0.8, linestyle=":", label="largest possible")
    classes.set(xlabel="labelled points", ylabel="class entropy of a batch (nats)")
    legend_below(figure, classes, num_columns=5)
    spread = of_seeds("mean ± 1 s.d." if has_bands else "mean", diversity)
    figure.suptitle(title_of(diversity, spread), fontsize=10)
    return figure


_FRAME = "#CC3311"


def acquired_images(
    acquired: pd.DataFrame,
    pool: Examples,
    *,
    class_names: Sequence[str] = (),
    num_images: int = 10,
    seed: int = 0,
) -> Figure:
    """A grid of images: a row for each variant, and in it the first images that it acquired, each with its true label.

    Variants with the same seed start from the same labels, so that their first batches are chosen by the same
    predictions. Images are shown as they are stored; noise on their copies is not.

    Args:
      acquired: As `lbb_jax.analysis.load_acquired` returns them, of one experiment.
      pool: The pool that the points were acquired from, as `lbb_jax.analysis.load_pool` returns it.
      class_names: The names of the classes; their numbers are shown if it is empty.
      num_images: Columns.
      seed: The seed whose picks are shown.

    Returns:
      The figure. An image of which a copy stands further to the left has a frame, and the title says so.

    Raises:
      ValueError: If ``acquired`` is of several experiments or of none, the examples are not images, or nothing was
        acquired with the seed.
    """
    check_one_experiment(acquired)
    shape = pool.features.shape[1:]
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ExperimentError(f"pool has features of shape {shape}: must be images [height, width, 1 or 3 channels]")
    of_seed = acquired[acquired["seed"] == seed]
    if of_seed.empty:
        raise ExperimentError(
            f"seed={seed}: acquired nothing; there are the seeds {sorted(set(acquired['seed'].tolist()))}"
        )
    variants = of_seed["variant"].unique()
    figure, panels = empty_panels(len(variants), num_images, size=(1.8 + 0.72 * num_images, 0.8 + 0.86 * len(variants)))
    for axes in panels.flat:
        axes.set_axis_off()
    has_copies = False
    for row, variant in zip(panels, variants, strict=True):
        bases = of_seed.loc[of_seed["variant"] == variant, "index"].to_numpy()[:num_images] % pool.num_base
        for axes, base, is_copy in zip(row, bases, pd.Series(bases).duplicated(), strict=False):
            label = int(pool.labels[base])
            _show(axes, np.asarray(pool.features[base]), class_names[label] if class_names else str(label))
            if is_copy:
                _frame(axes)
                has_copies = True
        name, place = variant.replace(", ", "\n"), (-0.12, 0.5)
        row[0].annotate(name, place, xycoords="axes fraction", ha="right", va="center", fontsize=8)
    title = title_of(acquired, f"first {num_images} picks of seed {seed}")
    title += "\nframed: a copy of an image further to the left" if has_copies else ""
    figure.suptitle(title, fontsize=10)
    return figure


def _show(axes: Axes, image: np.ndarray, label: str) -> None:
    """Draws one image ``[height, width, channels]`` with its label above it."""
    if image.shape[2] == 1:
        axes.imshow(image[..., 0], cmap="gray_r")
    else:
        axes.imshow(image)
    axes.set_title(label if len(label) < 13 else f"{label[:11]}…", fontsize=7, pad=2)


def _frame(axes: Axes) -> None:
    """Puts a frame around an image, with no axis."""
    axes.set_axis_on()
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=_FRAME, linewidth=2)
