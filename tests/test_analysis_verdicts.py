import numpy as np
import pytest
from scipy import stats

from lbb_jax.analysis import verdicts
from lbb_jax.analysis.verdicts import Side, Verdict


def spread(mean, half_width, num_pairs=10, confidence=0.95):
    """Differences whose interval at ``confidence`` is ``mean ± half_width``."""
    values = np.linspace(-1, 1, num_pairs)
    scale = stats.t.ppf((1 + confidence) / 2, num_pairs - 1) * values.std(ddof=1) / np.sqrt(num_pairs)
    return mean + values * half_width / scale


@pytest.mark.parametrize(
    ("mean", "half_width", "above", "level"),
    [
        (0.02, 0.019, Verdict.HOLDS, Verdict.UNDECIDED),
        (0.02, 0.021, Verdict.UNDECIDED, Verdict.UNDECIDED),
        (-0.02, 0.019, Verdict.FAILS, Verdict.UNDECIDED),
        (0.005, 0.004, Verdict.HOLDS, Verdict.HOLDS),
        (0.0, 0.009, Verdict.UNDECIDED, Verdict.HOLDS),
        (-0.03, 0.019, Verdict.FAILS, Verdict.FAILS),
        (0.03, 0.0, Verdict.HOLDS, Verdict.FAILS),
    ],
)
def test_the_interval_decides(mean, half_width, above, level):
    differences = spread(mean, half_width)
    assert verdicts.verdict_at(differences, Side.ABOVE, confidence=0.95) is above
    assert verdicts.verdict_at(-differences, Side.BELOW, confidence=0.95) is above
    assert verdicts.verdict_at(differences, Side.LEVEL, confidence=0.95) is level


def test_parts_of_a_claim_are_decided_as_holm_does():
    rng = np.random.default_rng(0)
    for _ in range(50):
        parts = [rng.normal(rng.choice([0, 0.5, 1.0]), 1, 8) for _ in range(4)]
        p_values = np.array([stats.ttest_1samp(part, 0).pvalue for part in parts])
        order, rejected = np.argsort(p_values), np.zeros(4, bool)
        for rank, part in enumerate(order):
            if p_values[part] > 0.05 / (4 - rank):
                break
            rejected[part] = True
        decisions = verdicts.decide([(part, Side.ABOVE) for part in parts])
        expected = [
            (Verdict.HOLDS if part.mean() > 0 else Verdict.FAILS) if is_rejected else Verdict.UNDECIDED
            for part, is_rejected in zip(parts, rejected, strict=True)
        ]
        assert [decision.verdict for decision in decisions] == expected


def test_a_claim_of_one_part_is_decided_by_the_interval_that_is_shown():
    decision = verdicts.decide([(spread(0.02, 0.019), Side.ABOVE)])[0]
    assert decision.verdict is Verdict.HOLDS
    assert decision.interval == pytest.approx((0.02, 0.001, 0.039, 10))


def test_the_bootstrap_is_that_of_scipy_and_of_the_same_mean():
    differences = np.random.default_rng(1).exponential(size=30)
    mean, low, high, count = verdicts.bootstrap_difference(differences, confidence=0.9)
    assert (mean, count) == (pytest.approx(differences.mean()), 30)
    # The interval of a skewed mean is longer above it, and about as wide as that of Student's t.
    assert high - mean > mean - low
    assert high - low == pytest.approx(2 * 1.7 * differences.std(ddof=1) / np.sqrt(30), rel=0.15)
    assert verdicts.bootstrap_difference(differences, confidence=0.9) == (mean, low, high, count)
    assert verdicts.bootstrap_difference([0.5, 0.5]) == (0.5, 0.5, 0.5, 2)


def test_a_claim_holds_if_all_its_parts_do():
    holds, fails, undecided = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED
    assert verdicts.verdict_of_all([holds, holds]) is holds
    assert verdicts.verdict_of_all([holds, undecided]) is undecided
    assert verdicts.verdict_of_all([undecided, fails]) is fails
    assert verdicts.verdict_of_all([]) is undecided
