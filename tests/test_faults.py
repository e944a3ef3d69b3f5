import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from lbb_jax import examples
from lbb_jax.acquisition import Acquisition
from lbb_jax.errors import ExperimentError
from lbb_jax.experiment.faults import check_finite
from lbb_jax.loop import AcquiredBatch, Data, Round
from lbb_jax.metrics import Metrics

FINITE = ((2.3, 2.0, 1.5), (2.2, 2.1, 1.9))


def data(features=((1.0, 2.0), (3.0, 4.0)), std=1.0):
    made = examples.create(np.zeros((2, 2), np.float32), np.array([0, 1]), mean=0.0, std=std)
    # `create` refuses what is not finite; what a run meets may have come about otherwise.
    made = dataclasses.replace(made, features=jnp.array(features, jnp.float32))
    return Data(made, made)


def finished(losses=FINITE, num_faults=0, **metrics):
    """Round 4 of one seed with two members."""
    values = dict.fromkeys(Metrics._fields, np.ones(1, np.float32)) | {
        name: np.array([value]) for name, value in metrics.items()
    }
    picked = Acquisition(np.zeros((1, 1), int), np.zeros((1, 1)))
    batch = AcquiredBatch(picked, np.ones(1, int), np.array([num_faults]))
    return Round(np.full(1, 4), np.full(1, 20), Metrics(**values), np.array([losses], np.float32), batch)


def message_of(done, on=None, unit="step"):
    with pytest.raises(ExperimentError) as error:
        check_finite(done, data() if on is None else on, unit)
    return str(error.value)


def test_finite_numbers_pass():
    check_finite(finished(), data(), "step")


def test_a_training_that_diverged_is_told_to_lower_the_learning_rate():
    message = message_of(finished((FINITE[0], (2.2, 5e4, np.nan))))
    assert message.startswith("seed 0, round 4: the loss of member 1 is nan at step 2; all inputs are finite")
    assert "it went from 2.2 to 5e+04: training diverged; lower config.training.learning_rate" in message


def test_a_loss_that_was_never_finite_does_not_blame_the_learning_rate():
    message = message_of(finished(((np.inf, 2.0, 1.5), FINITE[1])))
    assert "the loss of member 0 is inf at step 0" in message
    assert "look at the network's outputs" in message
    assert "learning_rate" not in message


def test_a_loss_that_breaks_off_names_both_causes():
    message = message_of(finished((FINITE[0], (2.2, 2.1, np.nan)), num_faults=3), unit="epoch")
    assert "at epoch 2" in message
    assert "a gradient of the network that is not finite, or lower config.training.learning_rate" in message


@pytest.mark.parametrize(
    "done",
    [
        finished((FINITE[0], (2.2, 5e4, np.nan))),
        finished(num_faults=5),
        finished(nll=np.nan),
    ],
    ids=["loss", "prediction", "metric"],
)
def test_inputs_that_are_not_finite_are_the_cause_of_all_else(done):
    message = message_of(done, data(features=((1.0, 2.0), (np.nan, 4.0))))
    assert "the pool examples are at fault: 1 of 2 have inputs that are not finite, the first is 1" in message
    assert "learning_rate" not in message
    test = dataclasses.replace(data().test, std=jnp.float32(0))
    assert "the test examples are at fault: their std is 0" in message_of(done, data()._replace(test=test))


def test_predictions_that_are_nan_are_counted():
    message = message_of(finished(num_faults=7))
    assert "seed 0, round 4: 7 of the pool's predictions are NaN, after losses that are all finite" in message
    assert "the largest loss of the last step is 1.9" in message


def test_a_metric_says_which_and_what_it_is():
    assert (
        "the nll of the test examples is inf; all inputs are finite, and a test example's own class has"
        in message_of(finished(nll=np.inf))
    )
    assert "the ece of the test examples is nan" in message_of(finished(ece=np.nan))
