import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tables_of_runs import of_curves

from lbb_jax import analysis

NAN = np.nan


def test_a_profile_computed_by_hand():
    errors = [
        [0.10, 0.20, 0.10],  # a tie for the best
        [0.30, 0.10, NAN],  # the last one was not run
        [0.00, 0.50, 0.00],  # two without an error
        [NAN, 0.40, 0.60],
    ]
    expected = {
        1.0: [2 / 4, 2 / 4, 2 / 4],
        1.4: [2 / 4, 2 / 4, 2 / 4],
        1.6: [2 / 4, 2 / 4, 3 / 4],
        2.0: [2 / 4, 3 / 4, 3 / 4],
        1e9: [3 / 4, 3 / 4, 3 / 4],
    }
    np.testing.assert_array_equal(analysis.performance_profile(errors, list(expected)), list(expected.values()))


def by_definition(errors, taus):
    """Counts, problem by problem, in plain Python."""
    shares = np.zeros((len(taus), len(errors[0])))
    for row in errors:
        best = min(error for error in row if not np.isnan(error))
        for solver, error in enumerate(row):
            if np.isnan(error):
                continue
            ratio = 1.0 if error == best else np.inf if best == 0 else error / best
            shares[:, solver] += [ratio <= tau for tau in taus]
    return shares / len(errors)


rates = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 4)),
    elements=st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.3, 1.0, NAN]),
).filter(lambda errors: not np.isnan(errors).all(axis=1).any())


@given(rates)
def test_a_profile_is_what_its_definition_says(errors):
    taus = [1.0, 1.5, 2.0, 3.0, 10.0, 1e6]
    profile = analysis.performance_profile(errors, taus)
    np.testing.assert_allclose(profile, by_definition(errors, taus), rtol=1e-12)
    # On each problem somebody is the best.
    assert profile[0].sum() >= 1 - 1e-12


@given(rates)
def test_a_profile_steps_at_the_ratios_and_nowhere_else(errors):
    ratios = analysis.performance_ratios(errors)
    steps = np.unique(ratios[np.isfinite(ratios)])
    at_steps = analysis.performance_profile(errors, steps)
    just_before = analysis.performance_profile(errors, np.maximum(np.nextafter(steps, 0), 1))
    np.testing.assert_array_equal(just_before[1:], at_steps[:-1])


@pytest.mark.parametrize(
    ("errors", "taus", "message"),
    [
        ([0.1, 0.2], [1.0], r"errors has shape \(2,\): must be \[problems, solvers\]"),
        (np.zeros((0, 2)), [1.0], r"errors has shape \(0, 2\)"),
        ([[0.1, -0.2]], [1.0], r"errors\[0, 1\]=-0\.2: must be at least 0"),
        ([[0.1, 0.2], [np.inf, 0.2]], [1.0], r"errors\[1, 0\]=inf: must be at least 0 and finite; .* NaN"),
        ([[0.1, 0.2], [NAN, NAN]], [1.0], r"errors\[1\] is NaN for all solvers: leave out"),
        ([[0.1, 0.2]], [[1.0]], r"taus has shape \(1, 1\)"),
        ([[0.1, 0.2]], [0.5, 2.0], r"taus holds 0\.5: must be finite and at least 1"),
        ([[0.1, 0.2]], [1.0, NAN], r"taus holds nan"),
        ([[0.1, 0.2]], [1.0, np.inf], r"taus holds inf"),
        ([[0.1, 0.2]], [2.0, 1.0], r"taus=\[2\.0, 1\.0\]: must be in ascending order"),
    ],
)
def test_bad_input_is_an_error(errors, taus, message):
    with pytest.raises(ValueError, match=message):
        analysis.performance_profile(errors, taus)


def test_final_errors_are_those_with_all_labels_and_the_mean_over_seeds():
    digits = of_curves({("Random", 0): (0.5, 0.7, 0.9), ("Random", 1): (0.5, 0.9, 0.7), ("BALD", 0): (0.8, 0.9, 1.0)})
    mnist = of_curves({("BALD", 0): (0.1, 0.1, 0.6)}, dataset="mnist", batch_size=20)
    errors = analysis.final_errors(pd.concat([mnist, digits]))
    assert list(errors.columns) == ["BALD", "Random"]
    assert list(errors.index.names) == ["dataset", "encoder", "network", "posterior", "batch_size", "reduced", "setup"]
    assert errors.loc[("digits", "", "mlp", "deep_ensemble", 10, "", "")].tolist() == pytest.approx([0.0, 0.2])
    assert errors.loc[("mnist", "", "mlp", "deep_ensemble", 20, "", "")].tolist() == pytest.approx(
        [0.4, NAN], nan_ok=True
    )


def test_as_many_errors_are_level_whatever_float32_makes_of_the_accuracies():
    # 111 errors of 1,000 in two seeds each, spread unequally; and twice as many.
    accuracies = {"BALD": (0.944, 0.834), "LBB": (0.889, 0.889), "Random": (0.777, 0.779)}
    curves = {
        (variant, seed): (0.5, 0.5, float(np.float32(of_seed)))
        for variant, of_variant in accuracies.items()
        for seed, of_seed in enumerate(of_variant)
    }
    errors = analysis.final_errors(of_curves(curves))
    assert analysis.performance_profile(errors, [1.0, 2.0]).tolist() == [[1, 1, 0], [1, 1, 1]]
