import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from lbb_jax import analysis


@given(
    pairs=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8),
    confidence=st.sampled_from([0.5, 0.9, 0.95, 0.999]),
)
def test_the_interval_is_that_of_a_paired_t_test(pairs, confidence):
    first, second = np.array(pairs).T
    first = first + np.linspace(0, 0.1, len(first)) ** 2  # so that SciPy's spread is not 0
    result = analysis.paired_difference(first, second, confidence=confidence)
    expected = scipy.stats.ttest_rel(first, second).confidence_interval(confidence)
    assert result.mean == pytest.approx(np.mean(first - second), abs=1e-12)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-9)
    assert result.num_pairs == len(first)


def test_an_interval_computed_by_hand():
    # Differences 1, 2, 3: mean 2, standard deviation 1, and t = 4.302653 for 2 degrees of freedom.
    result = analysis.paired_difference([2, 4, 6], [1, 2, 3])
    assert result == pytest.approx((2, 2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5, 3), abs=1e-6)


def test_equal_differences_leave_one_point():
    assert analysis.paired_difference([0.5, 0.75], [0.25, 0.5]) == (0.25, 0.25, 0.25, 2)


@pytest.mark.parametrize(
    ("first", "second", "confidence", "message"),
    [
        ([1.0], [2.0], 0.95, r"first has shape \(1,\) and second \(1,\)"),
        ([1.0, 2.0], [2.0], 0.95, r"first has shape \(2,\) and second \(1,\)"),
        ([[1.0, 2.0]], [[2.0, 3.0]], 0.95, r"first has shape \(1, 2\)"),
        ([1.0, np.inf], [2.0, 3.0], 0.95, r"first holds inf: must be finite"),
        ([1.0, 2.0], [2.0, np.nan], 0.95, r"second holds nan"),
        ([1.0, 2.0], [2.0, 3.0], 95, r"confidence=95: must be between 0 and 1"),
        ([1.0, 2.0], [2.0, 3.0], 1.0, r"confidence=1\.0"),
    ],
)
def test_bad_input_is_an_error(first, second, confidence, message):
    with pytest.raises(ValueError, match=message):
        analysis.paired_difference(first, second, confidence=confidence)


def areas(values):
    experiment = {"dataset": "digits", "encoder": "", "network": "mlp", "posterior": "deep_ensemble"}
    experiment |= {"batch_size": 10, "reduced": ""}
    return pd.DataFrame(
        [experiment | {"variant": variant, "seed": seed, "area": area} for (variant, seed), area in values.items()]
    )


def test_variants_are_compared_over_the_seeds_that_both_have():
    values = {("BALD", 2): 0.9, ("BALD", 0): 0.6, ("BALD", 1): 0.8}
    values |= {("Random", 0): 0.5, ("Random", 1): 0.5, ("Random", 2): 0.5, ("Random", 3): 0.1}
    table = analysis.paired_differences(areas(values), confidence=0.9)
    assert table["variant"].tolist() == ["BALD"]
    expected = scipy.stats.ttest_rel([0.6, 0.8, 0.9], [0.5, 0.5, 0.5]).confidence_interval(0.9)
    numbers = table[["difference", "low", "high", "num_seeds"]].iloc[0].tolist()
    assert numbers == pytest.approx([0.8 / 3, expected.low, expected.high, 3])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({("BALD", 0): 0.5}, r"digits.*no run of baseline='Random'; there are BALD"),
        ({("BALD", 0): 0.5, ("Random", 0): 0.5, ("Random", 1): 0.5}, r"BALD and Random share 1 of their seeds"),
    ],
)
def test_variants_that_cannot_be_compared_are_errors(values, message):
    with pytest.raises(ValueError, match=message):
        analysis.paired_differences(areas(values))


def test_a_seed_that_occurs_twice_is_an_error():
    table = areas({("BALD", 0): 0.5, ("Random", 0): 0.5, ("BALD", 1): 0.5, ("Random", 1): 0.5})
    with pytest.raises(ValueError, match="BALD has several values for the same seed"):
        analysis.paired_differences(pd.concat([table, table]))
