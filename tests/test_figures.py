import json

import pandas as pd
import pytest

from lbb_jax import acquisition, analysis, figures


def runs(variants=("Random", "BALD"), seeds=(0, 1), reduced=""):
    rows = [
        {
            "variant": variant,
            "seed": seed,
            "labels": labels,
            "accuracy": 0.5 + labels / 100 + seed / 50,
            "dataset": "digits",
            "posterior": "deep_ensemble",
            "batch_size": 10,
            "reduced": reduced,
            "seconds": 1.5,
        }
        for variant in variants
        for seed in seeds
        for labels in (10, 20, 30)
    ]
    return pd.DataFrame(rows)


def test_a_learning_curve_has_a_line_and_a_band_for_every_variant():
    axes = figures.learning_curves(runs()).axes[0]
    assert [line.get_label() for line in axes.lines] == ["Random", "BALD"]
    assert len(axes.collections) == 2
    assert list(axes.lines[0].get_ydata()) == pytest.approx([0.61, 0.71, 0.81])
    assert axes.get_xlabel() == "labelled points"
    assert axes.get_ylabel() == "test accuracy"
    assert axes.get_title() == "digits, deep ensemble, batches of 10 (mean ± 1 s.d. of 2 seeds)"


def test_what_was_reduced_stands_in_the_title():
    title = figures.learning_curves(runs(seeds=(0,), reduced="10,000 base images")).axes[0].get_title()
    assert title.endswith("(1 seed)\nreduced: 10,000 base images")


def test_every_variant_of_every_method_has_a_colour_of_its_own():
    variants = set()
    for method in acquisition.METHODS:
        options = acquisition.METHODS[method].options
        for redundancy in ("pairwise", "tree") if "redundancy" in options else ("",):
            for power in (False, True) if "power" in options else (False,):
                variants.add(analysis.variant_name(method, redundancy=redundancy, power=power))
    assert variants == set(figures.COLOURS)
    assert len(set(figures.COLOURS.values())) == len(variants)


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
    ("training", "length"), [({"num_steps": 96}, "96 training steps"), ({"num_epochs": 5}, "5 training epochs")]
)
def test_a_run_says_what_was_reduced_however_it_was_trained(training, length, tmp_path):
    config = {
        "dataset": {"num_pool": 1000, "num_test": None},
        "training": training,
        "acquisition": {"method": "bald", "redundancy": "pairwise"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"config": config}))
    seconds = {"seconds_train": 1.0, "seconds_predict": 1.0, "seconds_acquire": 1.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"labels": 20, **seconds}) + "\n")
    assert analysis.load_runs([tmp_path])["reduced"].tolist() == [f"1,000 base images, {length}"]


@pytest.mark.parametrize(
    ("options", "variant", "alpha"),
    [
        ({"method": "bald", "power": True}, "BALD", None),
        ({"method": "power_bald"}, "PowerBALD", 5.0),
        ({"method": "lbb", "redundancy": "tree"}, "LBB (tree)", None),
        ({"method": "power_lbb", "redundancy": "tree"}, "Power LBB (tree)", 5.0),
        ({"method": "epig", "power": False}, "EPIG", None),
        ({"method": "epig", "power": True}, "Power EPIG", 5.0),
        ({"method": "lbb_released", "power": True}, "Power LBB (released)", 5.0),
    ],
)
def test_a_run_has_the_name_of_its_variant_and_the_alpha_it_sampled_with(options, variant, alpha, tmp_path):
    config = {
        "dataset": {"num_pool": None, "num_test": None},
        "training": {},
        "acquisition": {"redundancy": "pairwise", "alpha": 5.0, **options},
    }
    (tmp_path / "config.json").write_text(json.dumps({"config": config}))
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"labels": 20, "seconds": 1.0}) + "\n")
    run = analysis.load_runs([tmp_path]).iloc[0]
    assert run["variant"] == variant
    assert run["alpha"] == alpha if alpha is not None else pd.isna(run["alpha"])
