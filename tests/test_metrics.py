import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lbb_jax import metrics


def test_metrics_are_those_of_the_mean_prediction():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), size=(50, 4))
    labels = rng.integers(0, 3, 50)
    mean = probs.mean(1)
    result = metrics.evaluate(jnp.asarray(np.log(probs), jnp.float32), jnp.asarray(labels))
    assert result.accuracy == pytest.approx(np.mean(mean.argmax(1) == labels))
    assert result.nll == pytest.approx(-np.mean(np.log(mean[np.arange(50), labels])), rel=1e-5)


def test_calibration_error_of_a_hand_computed_case():
    confidence = jnp.array([0.95, 0.95, 0.55, 0.55])
    correct = jnp.array([True, False, True, True])
    # Two bins of two: |1.9 - 1| and |1.1 - 2|, over four examples.
    assert metrics.expected_calibration_error(confidence, correct) == pytest.approx((0.9 + 0.9) / 4)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.0000001])
def test_confidence_at_the_ends_falls_into_a_bin(confidence):
    error = metrics.expected_calibration_error(jnp.array([confidence]), jnp.array([False]))
    assert error == pytest.approx(confidence, abs=1e-6)


def test_a_certain_and_right_prediction_is_perfect():
    log_probs = jnp.broadcast_to(jnp.array([0.0, -jnp.inf]), (5, 2, 2))
    result = metrics.evaluate(log_probs, jnp.zeros(5, jnp.int32))
    np.testing.assert_allclose(jax.tree.leaves(result), [1, 0, 0], atol=1e-6)
