"""Float32 information against float64 from the same float32 inputs, down to 1e-9 nats and up to 1,000 classes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from slow_parts import slow_but, slow_rows_but

from lbb_jax import information
from lbb_jax.relative_entropy import psi

# How far the draws lie apart, so that information ranges over ten orders of magnitude.
DISAGREEMENTS = (3e-5, 1e-3, 3e-2, 1.0, 5.0)
POINTS_OF_EACH = 2


def psi64(x):
    ratio = np.maximum(1 + x, 0)
    # The series where the definition cancels.
    near = x**2 * (1 / 2 - x * (1 / 6 - x * (1 / 12 - x * (1 / 20 - x * (1 / 30 - x / 42)))))
    far = np.where(ratio > 0, ratio * np.log(np.where(ratio > 0, ratio, 1)), 0) - x
    return np.where(np.abs(x) < 1e-3, near, far)


def centred64(log_probs):
    probs = np.exp(log_probs.astype(np.float64))
    mean = probs.mean(axis=1)
    return mean, (probs - mean[:, None]) / np.where(mean > 0, mean, 1)[:, None]


def bald64(log_probs):
    mean, ratios = centred64(log_probs)
    return (mean[:, None] * psi64(ratios)).sum(axis=(1, 2)) / log_probs.shape[1]


def pairs64(a, b):
    (mean_a, ratios_a), (mean_b, ratios_b) = centred64(a), centred64(b)
    return np.array(
        [
            [
                mean @ psi64(ratios.T @ other / len(ratios)) @ other_mean
                for other_mean, other in zip(mean_b, ratios_b, strict=True)
            ]
            for mean, ratios in zip(mean_a, ratios_a, strict=True)
        ]
    )


def log_softmax(logits):
    """In float64 from float32 logits, rounded to float32."""
    return special.log_softmax(logits.astype(np.float32).astype(np.float64), axis=-1).astype(np.float32)


def predictions(num_draws, num_classes):
    """Points of every disagreement, diffuse and nearly certain ones, with classes of probability 0."""
    rng = np.random.default_rng(num_draws * 10_000 + num_classes)
    logits = []
    for disagreement in DISAGREEMENTS:
        base = rng.normal(size=(POINTS_OF_EACH, 1, num_classes)) * np.array([0.3, 8.0])[:, None, None]
        logits.append(base + disagreement * rng.normal(size=(POINTS_OF_EACH, num_draws, num_classes)))
    logits = np.concatenate(logits)
    if num_classes > 2:
        logits[1::4, :, ::3] = -np.inf
        logits[2, 0, 0] = -np.inf
    return log_softmax(logits)


def assert_precise(values, expected):
    """Within the promised error wherever there is at least 1e-9 nats, and near 0 below that."""
    error, values = np.abs(values - expected), np.asarray(values)
    allowed = np.where(expected >= 1e-9, 5e-5 * expected + 4e-7 * np.sqrt(expected), 2e-11)
    worst = np.unravel_index(np.argmax(error / allowed), error.shape)
    assert np.all(error <= allowed), (worst, values[worst], expected[worst])


@pytest.mark.parametrize(
    ("num_draws", "num_classes"),
    slow_rows_but(list(itertools.product([2, 5, 50, 100], [2, 10, 47, 100, 1000])), (5, 10), (5, 1000), (100, 2)),
)
def test_bald_and_pairs_are_precise(num_draws, num_classes):
    @jax.jit
    def information_of(log_probs, some):
        return (
            information.mutual_information(log_probs),
            information.pairwise_mutual_information(some[:4], some),
            information.paired_mutual_information(some[:4], some[-4:]),
        )

    log_probs = predictions(num_draws, num_classes)
    some = log_probs[:: 1 if num_classes < 1000 else 3]
    expected, pairs = bald64(log_probs), pairs64(some[:4], some)
    assert expected.min() < 3e-9
    for values, expected_values in zip(
        information_of(log_probs, some), (expected, pairs, np.diag(pairs[:, -4:])), strict=True
    ):
        assert_precise(values, expected_values)


@pytest.mark.parametrize("num_draws", slow_but([1, 2, 3, 5, 7, 41, 100], 5))
def test_draws_that_agree_hold_exactly_no_information(num_draws):
    @jax.jit
    def information_of(agreeing, other):
        return (
            information.mutual_information(agreeing),
            information.pairwise_mutual_information(agreeing, other),
            information.joint_mutual_information(agreeing[:3]),
            information.total_correlation(jnp.concatenate([agreeing[:3], other[:1]])),
        )

    rng = np.random.default_rng(num_draws)
    agreeing = log_softmax(rng.normal(size=(60, 1, 7)) * 3).repeat(num_draws, axis=1)
    other = log_softmax(rng.normal(size=(60, num_draws, 7)))
    for values in information_of(agreeing, other):
        assert not np.any(values)


def test_batches_are_precise_where_they_know_little():
    # Differences of entropies would be wrong by 1e-7; the total correlation of three such points is near 1e-9.
    rng = np.random.default_rng(0)
    base = rng.normal(size=(3, 1, 5))
    log_probs = log_softmax(base + 1e-2 * rng.normal(size=(3, 4, 5)))
    mean, ratios = centred64(log_probs)
    joint = np.ones((4, 1))
    apart = np.ones(1)
    for point in range(3):
        joint = (joint[:, :, None] * (mean[point] * (1 + ratios[point]))[:, None]).reshape(4, -1)
        apart = (apart[:, None] * mean[point]).reshape(-1)
    together = joint.mean(axis=0)
    total_correlation = (apart * psi64((together - apart) / apart)).sum()
    information_in_all = (together * psi64((joint - together) / together)).sum(axis=1).mean()
    assert 1e-10 < total_correlation < 1e-7
    both = jax.jit(lambda batch: (information.total_correlation(batch), information.joint_mutual_information(batch)))
    np.testing.assert_allclose(both(log_probs), (total_correlation, information_in_all), rtol=2e-4)


def test_psi_over_its_whole_range():
    x = np.concatenate(
        [-(1 - np.logspace(-7, 0, 200)), [-1.0, 0.0], np.logspace(-9, 4, 400), -np.logspace(-9, -0.01, 400)]
    )
    x = x.astype(np.float32)
    values, slopes = jax.jit(lambda x: (psi(x), jax.vmap(jax.grad(psi))(x)))(x)
    np.testing.assert_allclose(values, psi64(x.astype(np.float64)), rtol=3e-6)
    inner = x > -1
    np.testing.assert_allclose(slopes[inner], np.log1p(x[inner].astype(np.float64)), rtol=2e-5, atol=2e-6)
