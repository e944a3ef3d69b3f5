import itertools

import numpy as np
import pandas as pd
import pytest
import run_folders
from tables_of_runs import of_curves

from lbb_jax import acquisition, analysis, figures
from lbb_jax.acquisition.shared_information import REDUNDANCIES


def runs(variants=("Random", "BALD"), seeds=(0, 1), reduced=""):
    labels = (10, 20, 30)
    curves = {
        (variant, seed): [0.5 + count / 100 + seed / 50 for count in labels] for variant in variants for seed in seeds
    }
    return of_curves(curves, labels=labels).assign(reduced=reduced)


def test_a_learning_curve_has_a_line_and_a_band_for_every_variant():
    axes = figures.learning_curves(runs()).axes[0]
    assert [line.get_label() for line in axes.lines] == ["Random", "BALD"]
    assert len(axes.collections) == 2
    assert list(axes.lines[0].get_ydata()) == pytest.approx([0.61, 0.71, 0.81])
    assert axes.get_xlabel() == "labelled points"
    assert axes.get_ylabel() == "test accuracy"
    assert axes.get_title() == "digits, MLP, deep ensemble, batches of 10 (mean ± 1 s.d. of 2 seeds)"


def test_what_was_reduced_stands_in_the_title():
    title = figures.learning_curves(runs(seeds=(0,), reduced="10,000 base images")).axes[0].get_title()
    assert title.endswith("(1 seed)\nreduced: 10,000 base images")


def test_methods_have_colours_of_their_own():
    names = {
        analysis.variant_name(method, {"redundancy": redundancy, "sampling": sampling})
        for method, redundancy, sampling in itertools.product(acquisition.METHODS, REDUNDANCIES, acquisition.SAMPLINGS)
    }
    assert set(figures.COLOURS) < names
    assert len(set(figures.COLOURS.values())) == len(figures.COLOURS)
    # Where a sampling has no colour, it has its method's, and dashes; what nobody knows is drawn, too.
    styles = figures.line_styles(["EPIG", "Softmax EPIG", "Mine"])
    assert styles["Softmax EPIG"] == {"color": figures.COLOURS["EPIG"], "linestyle": "--"}
    assert styles["Mine"]["color"] not in figures.COLOURS.values()


def test_a_colour_does_not_depend_on_what_else_is_drawn():
    together = figures.learning_curves(runs()).axes[0].lines[1].get_color()
    alone = figures.learning_curves(runs(variants=("BALD",))).axes[0].lines[0].get_color()
    assert together == alone


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_figures_are_saved_in_the_format_of_their_suffix(suffix, magic, tmp_path):
    path = tmp_path / f"figure.{suffix}"
    figures.save(figures.learning_curves(runs()), path)
    assert path.read_bytes().startswith(magic)


def test_the_summary_gives_accuracies_curve_mean_and_seconds():
    summary = analysis.summarise(runs(), at_labels=(10, 30, 500))
    assert list(summary.columns) == ["accuracy at 10", "accuracy at 30", "mean of curve", "seconds"]
    assert summary.loc["BALD", "accuracy at 30"] == "0.810 ± 0.014"
    assert summary.loc["BALD", "mean of curve"] == "0.710"
    assert summary.loc["BALD", "seconds"] == "9.0"


def test_time_against_batch_size_has_a_line_for_each_method_timed_at_several_sizes():
    pool = {"N": 100, "K": 5, "C": 10, "device": "cpu"}
    records = [
        pool | {"case": "lbb", "redundancy": "tree", "b": 20, "milliseconds": 3.0},
        pool | {"case": "lbb", "redundancy": "tree", "b": 10, "milliseconds": 2.0},
        pool | {"case": "lbb", "b": 10, "milliseconds": 9.0},
        pool | {"case": "bald (acquire)", "b": 10, "milliseconds": 1.0},
    ]
    axes = figures.time_against_batch_size(records).axes[0]
    assert [line.get_label() for line in axes.lines] == ["LBB (tree)"]
    assert list(axes.lines[0].get_ydata()) == [2.0, 3.0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_title() == "100 points, 5 draws, 10 classes (cpu)"


@pytest.mark.parametrize(
    ("training", "length"),
    [
        ({"name": "fixed_steps", "num_steps": 96}, "96 training steps"),
        ({"name": "epochs", "num_epochs": 5}, "5 training epochs"),
    ],
)
def test_a_run_says_what_was_reduced_however_it_was_trained(training, length, tmp_path):
    run_folders.write(tmp_path, **{"dataset.num_pool": 1000})
    run_folders.change_config(tmp_path, config={"training": training})
    assert analysis.load_runs([tmp_path])["reduced"].tolist() == [f"1,000 base images, {length}"]


def three_experiments():
    return pd.concat(
        [
            of_curves({("Random", 0): (0.5, 0.6), ("BALD", 0): (0.5, 0.8)}, labels=(20, 30)),
            of_curves({("Random", 0): (0.5, 0.9), ("BALD", 0): (0.5, 0.6)}, dataset="mnist", labels=(20, 30)),
            of_curves({("Random", 0): (0.5, 0.6)}, dataset="emnist", labels=(20, 30)),
        ]
    )


def height_at(line, x):
    """Where Matplotlib draws a line that consists of steps, at ``x``."""
    assert line.get_drawstyle() == "steps-post"
    xs, ys = line.get_data()
    return ys[np.searchsorted(xs, x, side="right") - 1]


def test_a_performance_profile_is_drawn_step_by_step():
    axes = figures.performance_profile(analysis.final_errors(three_experiments())).axes[0]
    random, bald = axes.lines
    assert [line.get_label() for line in (random, bald)] == ["Random", "BALD"]
    # Error rates: 0.4 and 0.2; 0.1 and 0.4; 0.4 and none.
    assert [height_at(random, x) for x in (1, 1.99, 2.01, 4.1)] == pytest.approx([2 / 3, 2 / 3, 1, 1])
    assert [height_at(bald, x) for x in (1, 3.99, 4.01, 4.1)] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert random.get_color() == figures.COLOURS["Random"]
    assert axes.get_xlim()[0] == 1
    assert axes.get_xlim()[1] == random.get_xdata()[-1] > 4
    assert axes.get_title() == "final error rates in 3 experiments"


def test_large_ratios_are_drawn_on_a_logarithmic_axis():
    runs = of_curves({("Random", 0): (0.5, 0.5), ("BALD", 0): (0.5, 0.99)}, labels=(20, 30))
    axes = figures.performance_profile(analysis.final_errors(runs.assign(reduced="10 test images"))).axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_title().endswith("in 1 experiment\nreduced: 10 test images")


def test_label_savings_show_every_seed_and_the_median_and_say_never():
    curves = {("Random", seed): (0.5, 0.7, 0.9) for seed in range(3)}
    curves |= {("BALD", 0): (0.9, 0.9, 0.9), ("BALD", 1): (0.5, 0.9, 0.9), ("BALD", 2): (0.1, 0.1, 0.1)}
    figure = figures.label_savings(analysis.labels_to_reach(of_curves(curves), shares=(0.95,)))
    axes = figure.axes[0]
    of_seeds, medians = axes.lines[0:4:2], axes.lines[1:5:2]
    assert [list(line.get_xdata()) for line in of_seeds] == [[40, 40, 40], [20, 30, 42]]
    assert [line.get_xdata() for line in medians] == [40, 30]
    assert [line.get_color() for line in medians] == [figures.COLOURS["Random"], figures.COLOURS["BALD"]]
    assert [text.get_text() for text in axes.texts] == ["never"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Random", "BALD"]
    assert axes.get_title() == "digits, MLP, deep ensemble, batches of 10 (each and median of 3 seeds)"
    assert figure.legends[0].get_texts()[0].get_text() == "95% of the baseline's final accuracy (0.855)"


def test_without_a_run_that_falls_short_nothing_says_never():
    savings = analysis.labels_to_reach(of_curves({("Random", 0): (0.5, 0.7, 0.9)}))
    axes = figures.label_savings(savings).axes[0]
    assert not axes.texts
    markers = [line.get_marker() for line in axes.lines]
    assert markers == ["o"] * 3 + ["D"] * 3


@pytest.mark.parametrize("draw", [figures.learning_curves, lambda runs: figures.label_savings(savings_of(runs))])
def test_several_experiments_in_one_figure_are_an_error(draw):
    with pytest.raises(ValueError, match=r"runs of 3 experiments \(digits, mlp, deep_ensemble, 10; mnist"):
        draw(three_experiments())


def savings_of(runs):
    return analysis.labels_to_reach(runs, shares=(0.9,))


def test_more_targets_than_markers_are_an_error():
    savings = analysis.labels_to_reach(of_curves({("Random", 0): (0.5, 0.7, 0.9)}), shares=(0.5, 0.6, 0.7, 0.8, 0.9))
    with pytest.raises(ValueError, match="savings have 5 shares: at most 4"):
        figures.label_savings(savings)


def test_variants_that_differ_in_an_option_share_a_colour_and_not_the_dashes():
    styles = figures.line_styles(["PowerBALD, α = 1", "BALD", "PowerBALD, α = 5"])
    assert [style["color"] for style in styles.values()] == [
        figures.COLOURS[name] for name in ("PowerBALD", "BALD", "PowerBALD")
    ]
    assert [style["linestyle"] for style in styles.values()] == ["-", "-", "--"]


def test_differences_in_area_are_drawn_with_their_intervals():
    curves = {("Random", seed): (0.5, 0.6) for seed in range(2)} | {("BALD", 0): (0.6, 0.7), ("BALD", 1): (0.7, 0.8)}
    runs = of_curves(curves, labels=(20, 30)).assign(reduced="10 test images")
    differences = analysis.paired_differences(analysis.areas_under_curve(runs))
    axes = figures.area_differences(differences).axes[0]
    interval, mean, baseline = axes.lines
    assert list(interval.get_xdata()) == pytest.approx(differences[["low", "high"]].iloc[0].tolist())
    assert mean.get_xdata() == pytest.approx(0.15)
    assert list(baseline.get_xdata()) == [0, 0]
    assert axes.get_xlabel().endswith("minus that of Random")
    assert axes.get_title() == (
        "digits, MLP, deep ensemble, batches of 10 (mean and 95% interval of 2 seeds)\nreduced: 10 test images"
    )


def test_nothing_to_draw_is_an_error():
    runs = of_curves({("Random", 0): (0.5, 0.6)}, labels=(20, 30))
    with pytest.raises(ValueError, match="nothing to draw"):
        figures.area_differences(analysis.paired_differences(analysis.areas_under_curve(runs)))


@pytest.mark.parametrize(
    ("options", "variant", "alpha"),
    [
        ({"method": "lbb_released", "power": False}, "LBB (released)", None),
        ({"method": "my_methods:Mine"}, "Mine", 5.0),
        ({"method": "power_bald"}, "PowerBALD", 5.0),
        ({"method": "lbb", "redundancy": "tree"}, "LBB (tree)", None),
        ({"method": "power_lbb", "redundancy": "tree"}, "Power LBB (tree)", 5.0),
        ({"method": "epig", "sampling": "top"}, "EPIG", None),
        ({"method": "epig", "sampling": "softmax"}, "Softmax EPIG", 5.0),
        ({"method": "lbb_released", "power": True}, "Power LBB (released)", 5.0),
    ],
)
def test_a_run_has_the_name_of_its_variant_and_the_alpha_it_sampled_with(options, variant, alpha, tmp_path):
    run_folders.write(tmp_path, **{f"acquisition.{name}": value for name, value in ({"alpha": 5.0} | options).items()})
    run = analysis.load_runs([tmp_path]).iloc[0]
    assert run["variant"] == variant
    assert run["alpha"] == alpha if alpha is not None else pd.isna(run["alpha"])


def test_many_lines_have_no_bands_and_their_legend_beside_them():
    names = list(figures.COLOURS)[:9]
    figure = figures.learning_curves(of_curves({(name, seed): (0.5, 0.6, 0.7) for name in names for seed in range(2)}))
    axes = figure.axes[0]
    assert len(axes.collections) == 0
    assert axes.get_legend() is None
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    assert axes.get_title().endswith("(mean of 2 seeds)")
