import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from lbb_jax import metrics

evaluate = jax.jit(metrics.evaluate)


def test_metrics_are_those_of_the_mean_prediction():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), size=(50, 4))
    labels = rng.integers(0, 3, 50)
    mean = probs.mean(1)
    result = evaluate(np.log(probs).astype(np.float32), labels)
    assert result.accuracy == pytest.approx(np.mean(mean.argmax(1) == labels))
    assert result.nll == pytest.approx(-np.mean(np.log(mean[np.arange(50), labels])), rel=1e-5)


def test_calibration_error_of_a_hand_computed_case():
    confidence = jnp.array([0.95, 0.95, 0.55, 0.55])
    correct = jnp.array([True, False, True, True])
    # Two bins of two: |1.9 - 1| and |1.1 - 2|, over four examples.
    assert metrics.expected_calibration_error(confidence, correct) == pytest.approx((0.9 + 0.9) / 4)


def test_confidence_at_the_ends_falls_into_a_bin():
    calibration_error = jax.jit(metrics.expected_calibration_error)
    for confidence in (0.0, 1.0, 1.0000001):
        error = calibration_error(np.array([confidence], np.float32), np.array([False]))
        assert error == pytest.approx(confidence, abs=1e-6)


def test_a_certain_and_right_prediction_is_perfect():
    log_probs = np.tile(np.array([0.0, -np.inf], np.float32), (5, 2, 1))
    result = evaluate(log_probs, np.zeros(5, np.int32))
    np.testing.assert_allclose(jax.tree.leaves(result), [1, 0, 0, 1, 1], atol=1e-6)


# Classes 3 and 4 have no examples, and class 4 is never predicted either.
@pytest.mark.parametrize("rarest", [0.02, 0.3])
def test_means_over_classes_are_those_of_scikit_learn(rarest):
    rng = np.random.default_rng(1)
    labels = rng.choice(3, size=200, p=[rarest, 0.4, 0.6 - rarest])
    log_probs = np.log(rng.dirichlet(np.full(5, 0.3), size=(200, 2)) + 0.3 * np.eye(5)[labels][:, None])
    log_probs[:, :, 4] = -9.0
    log_probs -= np.log(np.exp(log_probs).sum(axis=-1, keepdims=True))
    predicted = np.exp(log_probs).mean(axis=1).argmax(axis=1)
    assert set(predicted) >= {0, 1, 2, 3}
    result = evaluate(log_probs.astype(np.float32), labels)
    recalls = [np.mean(predicted[labels == number] == number) for number in range(3)]
    assert result.balanced_accuracy == pytest.approx(np.mean(recalls), abs=1e-6)
    assert result.macro_f1 == pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro"), abs=1e-6)
