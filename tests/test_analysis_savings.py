"""Labels saved beside the baseline: by hand, against SciPy's own percentiles, in words, and from a file."""

import numpy as np
import pytest
from tables_of_runs import of_curves

from lbb_jax import analysis, figures

LABELS = (20, 30, 40, 50)
TWO_SEEDS = {
    ("Random", 0): (0.5, 0.6, 0.7, 0.8),
    ("Random", 1): (0.5, 0.6, 0.8, 0.9),
    ("BALD", 0): (0.5, 0.8, 0.9, 0.9),
    ("BALD", 1): (0.5, 0.7, 0.8, 0.9),
}


def savings_of(curves, **options):
    return analysis.savings(of_curves(curves, labels=LABELS), **options).set_index("variant")


def test_labels_are_those_of_the_first_round_at_which_the_mean_is_there():
    found = savings_of(TWO_SEEDS, accuracy=0.75)
    # Means: random 0.75 at 40, BALD 0.75 at 30.
    assert found["labels"].to_dict() == {"Random": 40, "BALD": 30}
    assert found.loc["BALD", "saved"] == pytest.approx(0.25)
    # With both seeds the same: random 50 or 40, BALD 30 or 40, one of four samples each.
    assert tuple(found.loc["Random", ["low", "high"]]) == (40, 50)
    assert tuple(found.loc["BALD", ["low", "high"]]) == (30, 40)
    # Drawn together: 1 - 30/50 with seed 0 alone, 1 - 40/40 with seed 1 alone.
    assert tuple(found.loc["BALD", ["saved_low", "saved_high"]]) == pytest.approx((0.0, 0.4))
    assert tuple(found.loc["Random", ["saved_low", "saved_high"]]) == (0, 0)


def test_without_an_accuracy_it_is_that_of_the_baseline_with_all_its_labels():
    found = savings_of(TWO_SEEDS)
    assert found["accuracy"].tolist() == pytest.approx([0.85, 0.85])
    assert found["labels"].to_dict() == {"Random": 50, "BALD": 40}
    assert found["reached"].all()


def test_what_is_never_reached_is_a_bound_and_said():
    found = analysis.savings(of_curves(TWO_SEEDS, labels=LABELS), accuracy=0.9)
    assert found["reached"].tolist() == [False, True]
    assert analysis.tabulate_savings(found).iloc[0, 0] == "more than 50"
    assert "Random needs more than 50 labels and BALD 50: as many" in analysis.say_savings(found)
    nobody = analysis.savings(of_curves(TWO_SEEDS, labels=LABELS), accuracy=0.95)
    assert analysis.say_savings(nobody).endswith("no method's 50 labels are enough: run longer, or ask for less.")


def test_the_sentence_and_the_table_say_the_same():
    found = analysis.savings(of_curves(TWO_SEEDS, labels=LABELS), accuracy=0.75)
    assert analysis.say_savings(found) == (
        "To reach an accuracy of 0.750, Random needs 40 labels and BALD 30: 25% fewer (95% interval of 2 seeds: 0% to "
        "40%)."
    )
    assert analysis.tabulate_savings(found).loc["BALD"].tolist() == ["30", "30 to 40", "25%", "0% to 40%", 2]
    more = {("PowerBALD", seed): (0.4, 0.5, 0.6, 0.7) for seed in (0, 1)}
    of_two = analysis.savings(of_curves(TWO_SEEDS | more, labels=LABELS), accuracy=0.75)
    assert "the best of 2 methods here" in analysis.say_savings(of_two)


def test_a_method_that_needs_more_is_said_to():
    worse = {**TWO_SEEDS, ("BALD", 0): (0.5, 0.5, 0.6, 0.8), ("BALD", 1): (0.5, 0.5, 0.6, 0.8)}
    found = analysis.savings(of_curves(worse, labels=LABELS), accuracy=0.75)
    assert "BALD 50: 25% more" in analysis.say_savings(found)


def test_one_seed_has_no_interval():
    one = {key: value for key, value in TWO_SEEDS.items() if key[1] == 0}
    found = analysis.savings(of_curves(one, labels=LABELS), accuracy=0.7)
    assert found[["low", "high", "saved_low", "saved_high"]].isna().all(axis=None)
    assert analysis.say_savings(found).endswith("BALD 30: 25% fewer.")
    assert figures.savings(found).axes[0].get_title().endswith("(1 seed)")


def test_the_picture_has_a_row_for_each_method_at_its_labels():
    axes = figures.savings(analysis.savings(of_curves(TWO_SEEDS, labels=LABELS), accuracy=0.75)).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["Random", "BALD"]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"] == [40, 30]


@pytest.mark.parametrize(
    ("curves", "options", "message"),
    [
        (TWO_SEEDS, {"accuracy": 90}, "accuracy=90: must be above 0 and at most 1"),
        (TWO_SEEDS, {"confidence": 95}, "confidence=95: must be between 0 and 1"),
        (TWO_SEEDS, {"baseline": "random"}, "no run of baseline='random'; there are Random, BALD"),
        ({**TWO_SEEDS, ("Margin", 7): LABELS}, {}, "Margin and Random share no seed"),
    ],
)
def test_what_cannot_be_compared_is_an_error(curves, options, message):
    with pytest.raises(ValueError, match=message):
        savings_of(curves, **options)


def test_an_accuracy_without_labels_is_an_error():
    with pytest.raises(ValueError, match=r"Random: has a round without labels, .*; leave it out"):
        analysis.savings(of_curves({**TWO_SEEDS}, labels=[0, *LABELS[1:]]), accuracy=0.1)


def test_there_must_be_a_method_to_speak_of():
    alone = {key: value for key, value in TWO_SEEDS.items() if key[0] == "Random"}
    with pytest.raises(ValueError, match="no method beside the baseline"):
        analysis.say_savings(analysis.savings(of_curves(alone, labels=LABELS)))


def written(tmp_path, text):
    (tmp_path / "pilot.csv").write_text(text)
    return tmp_path / "pilot.csv"


def test_a_pilot_of_another_program_is_read_from_a_file(tmp_path):
    table = of_curves(TWO_SEEDS, labels=LABELS).rename(columns={"variant": "method"}).replace("Random", "random")
    table[["method", "seed", "labels", "accuracy"]].to_csv(tmp_path / "mine.csv", index=False)
    found = analysis.savings(analysis.read_pilot(tmp_path / "mine.csv"), accuracy=0.75)
    assert found["labels"].tolist() == [40, 30]
    assert found["dataset"].tolist() == ["mine", "mine"]
    assert figures.savings(found).axes[0].get_title().startswith("mine, batches of 10 (")


def test_the_table_of_a_sweep_is_a_pilot_too(tmp_path):
    runs = of_curves(TWO_SEEDS, labels=LABELS).assign(method="bald", setup="")
    runs.to_csv(tmp_path / "runs.csv", index=False)
    found = analysis.savings(analysis.read_pilot(tmp_path / "runs.csv"), accuracy=0.75)
    assert found["variant"].tolist() == ["Random", "BALD"]
    assert np.array_equal(found["labels"], [40, 30])


def test_the_picture_of_an_empty_pilot_is_an_error(tmp_path):
    pilot = analysis.read_pilot(written(tmp_path, "method,seed,labels,accuracy\n"))
    with pytest.raises(ValueError, match="there is nothing to draw"):
        figures.savings(analysis.savings(pilot))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method,seed,accuracy\nrandom,0,0.5\n", r"pilot\.csv: has no column 'labels'; it has method, seed, accuracy"),
        ("method,seed,labels,accuracy\nrandom,0,10,50\n", r"row 2, column accuracy: .*must be a number from 0 to 1"),
        ("method,seed,labels,accuracy\nrandom,0,1,0.5\nbald,0,x,0.5\n", r"row 3, column labels: 'x' must be a number"),
        ("method,seed,labels,accuracy\n,0,1,0.5\n", r"row 2, column method: .*must be a name"),
        ("", r"is no CSV file"),
    ],
)
def test_a_pilot_that_is_no_such_table_is_an_error(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        analysis.read_pilot(written(tmp_path, text))
