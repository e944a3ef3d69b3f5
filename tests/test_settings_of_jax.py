"""What users set of JAX for the whole of a program changes no result, and makes nothing fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import small_problem
import variants
from slow_parts import slow_but

from lbb_jax import acquisition, examples, labelled_set, training

pytestmark = pytest.mark.usefixtures("quick_compilation")

POOL = reference.random_probs(2, 12, 6, 3, "sharp")
AVAILABLE = np.arange(12) % 3 != 0
# Nothing is predicted of the points that are not available.
LOG_PROBS = np.where(AVAILABLE[:, None, None], reference.log32(POOL), np.nan)


@pytest.mark.parametrize("method", slow_but(acquisition.METHODS, "lbb", "badge"))
def test_nan_of_points_that_are_not_available_are_no_fault(method):
    options = {"embeddings": variants.EMBEDDINGS[:12]} if acquisition.METHODS[method].uses_embeddings else {}

    def pick():
        return acquisition.acquire(
            jax.random.key(0), LOG_PROBS, method=method, batch_size=4, available=AVAILABLE, **options
        )

    expected = pick()
    with jax.debug_nans(True):
        np.testing.assert_array_equal(pick().indices, expected.indices)


@pytest.mark.parametrize("method", slow_but(["bald", "power_lbb"], "bald"))
def test_nan_of_a_stream_are_no_fault_either(method):
    def pick():
        return acquisition.acquire_stream(
            jax.random.key(0), [(LOG_PROBS, AVAILABLE)], method=method, batch_size=4, num_candidates=12
        )

    expected = pick()
    with jax.debug_nans(True):
        np.testing.assert_array_equal(pick().indices, expected.indices)
        with pytest.raises(ValueError, match=r"log_probs\[0, 0\] holds NaN"):
            acquisition.acquire_stream(jax.random.key(0), [LOG_PROBS], method=method, batch_size=4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["bald", "power_lbb"])
def test_without_jit_the_picks_are_the_same(method):
    arguments = {"log_probs": reference.log32(POOL[:4]), "method": method, "batch_size": 2}
    expected = acquisition.acquire(jax.random.key(0), **arguments)
    with jax.disable_jit():
        picked = acquisition.acquire(jax.random.key(0), **arguments)
    np.testing.assert_array_equal(picked.indices, expected.indices)


@pytest.mark.parametrize(
    "trainer",
    [
        small_problem.training(2),
        small_problem.training_by_epochs(),
        training.fine_tuning(learning_rate=0.1, num_steps=2, batch_size=8, warmup=0.5, weight_decay=0.1),
    ],
    ids=["fixed_steps", "epochs", "fine_tuning"],
)
def test_training_is_traced_where_promotion_is_strict(trainer):
    assert jax.config.jax_numpy_dtype_promotion == "strict"
    network, data = small_problem.network(), small_problem.data()

    def fit(key, labelled):
        variables = network.init(key, examples.inputs(data.pool, jnp.arange(1)))
        return trainer.fit(key, network, variables, data, labelled)[1]

    # What promotion refuses, it refuses when the program is traced.
    losses = jax.eval_shape(fit, jax.random.key(0), labelled_set.create(np.arange(8), capacity=16))
    assert losses.dtype == jnp.float32
