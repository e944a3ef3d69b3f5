"""What the functions around acquisition take, and how they refuse the rest."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import reference
from slow_parts import slow_but
from tensors import OfAnotherDtype, Unreadable

from lbb_jax import (
    acquisition,
    arguments,
    entropy,
    examples,
    information,
    labelled_set,
    loop,
    metrics,
    seeds,
    sharding,
)
from lbb_jax.acquisition import checks

LOG_PROBS = reference.log32(reference.random_probs(2, 12, 6, 3))
KEY = jax.random.key(0)
LABELLED = labelled_set.create(np.array([5, 2]), capacity=4)
EXAMPLES = examples.create(np.zeros((6, 4), np.uint8), np.arange(6) % 3, mean=0.0, std=1.0)


@pytest.mark.parametrize(
    "kind", [jax.random.key, jax.random.PRNGKey, lambda seed: np.asarray(jax.random.PRNGKey(seed))]
)
def test_keys_of_all_kinds_are_taken(kind):
    assert arguments.check_key("key", kind(3)) is not None
    # Where they are traced, too.
    jax.vmap(lambda key: jax.random.uniform(arguments.check_key("key", key)))(jnp.stack([kind(0), kind(1)]))


def test_keys_are_those_of_the_default_generator():
    with jax.default_prng_impl("rbg"):
        arguments.check_key("key", jax.random.PRNGKey(0))
        with pytest.raises(ValueError, match=r"key: has dtype uint32 and shape \(2,\)"):
            arguments.check_key("key", np.zeros(2, np.uint32))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("num_classes", slow_but([2, 10, 1000], 10))
def test_half_precision_is_taken_as_far_as_it_holds(dtype, num_classes):
    logits = np.random.default_rng(0).normal(size=(200, 3, num_classes)).astype(np.float32)
    log_probs = np.asarray(jax.nn.log_softmax(logits)).astype(dtype)
    for array in (log_probs, jnp.asarray(log_probs)):
        converted = checks.predictions_in_float32(array)
        assert converted.dtype == np.float32
        np.testing.assert_allclose(np.exp(converted).sum(axis=-1), 1, atol=1e-5)
        # All classes of a row move alike.
        moved = np.asarray(converted) - log_probs.astype(np.float32)
        np.testing.assert_allclose(moved, np.broadcast_to(moved[..., :1], moved.shape), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_no_excuse(dtype):
    with pytest.raises(ValueError, match=r"log_probs\[0, 0\]: the probabilities sum to .* \(float16 and bfloat16"):
        acquisition.acquire(KEY, (LOG_PROBS + 0.1).astype(dtype), method="bald", batch_size=2)


def test_other_precisions_are_not_normalised():
    almost = LOG_PROBS + np.float32(5e-4)
    assert checks.predictions_in_float32(almost) is almost
    wide = almost.astype(np.float64)
    np.testing.assert_array_equal(checks.predictions_in_float32(wide), almost)


def test_a_pool_in_half_precision_can_be_spread():
    halves = LOG_PROBS.astype(ml_dtypes.bfloat16)
    spread, available = sharding.shard_pool(halves)
    found = acquisition.acquire(KEY, spread, method="bald", batch_size=2, available=available)
    expected = acquisition.acquire(KEY, halves, method="bald", batch_size=2)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)


def test_what_numpy_cannot_read_jax_may():
    tensor = OfAnotherDtype(LOG_PROBS.astype(ml_dtypes.bfloat16))
    assert arguments.as_array("log_probs", tensor).dtype == jnp.bfloat16


def donated():
    array = jnp.zeros(3)
    array.delete()
    return array


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (Unreadable(), TypeError, r"Tensor that requires grad\.\); pass .*detach\(\)"),
        ([1, 2], TypeError, "a list is not an array"),
        (np.ma.masked_array([1, 2], [True, False]), ValueError, "masked entries"),
        (donated(), ValueError, "donated or deleted"),
    ],
)
def test_what_is_no_array_is_named(value, error, message):
    with pytest.raises(error, match=f"labels: .*{message}"):
        arguments.as_array("labels", value)


def traced(function):
    return lambda: jax.jit(function)(LOG_PROBS)


# A call, and what its message begins with or holds.
REFUSED = {
    "key None": (lambda: labelled_set.sample(None, LABELLED, 2), TypeError, r"key: a NoneType .*jax\.random\.key"),
    "keys": (lambda: examples.repeat(jax.random.split(KEY), EXAMPLES, copies=2, noise=0), ValueError, r"key: .*\(2,\)"),
    "acquire under jit": (
        traced(lambda log_probs: acquisition.acquire(KEY, log_probs, method="bald", batch_size=2)),
        TypeError,
        "log_probs: is traced .*pure function",
    ),
    "mask of the pool": (lambda: sharding.shard_pool(LOG_PROBS, np.full(12, -1)), ValueError, r"available .*np\.isin"),
    "mask of text": (lambda: sharding.shard_pool(LOG_PROBS, np.full(12, "False")), ValueError, "available has dtype"),
    "a list for the pool": (lambda: sharding.shard_pool(LOG_PROBS.tolist()), TypeError, "log_probs: a list"),
    "another mesh": (lambda: sharding.shard_pool(LOG_PROBS, mesh=sharding.seed_mesh(2)), ValueError, "mesh="),
    "no devices": (lambda: sharding.pool_mesh([]), ValueError, "devices: is empty"),
    "no seeds": (lambda: sharding.seed_mesh(0), ValueError, "num_seeds=0"),
    "index twice": (lambda: labelled_set.create(np.array([1, 1]), capacity=3), ValueError, "indices: hold 1 more"),
    "marker": (lambda: labelled_set.create(np.array([1, -1]), capacity=3), ValueError, r"indices\[1\]=-1"),
    "no integers": (lambda: labelled_set.create(np.array([1.0]), capacity=3), ValueError, "indices has dtype float64"),
    "beyond 32 bits": (lambda: labelled_set.create(np.array([2**40]), capacity=3), ValueError, r"indices\[0\]=1099511"),
    "more than the capacity": (lambda: labelled_set.add(LABELLED, np.arange(10, 13), 3), ValueError, "count=3: 2 of"),
    "more than there are": (lambda: labelled_set.add(LABELLED, np.array([1]), 2), ValueError, "count=2: must be"),
    "labelled already": (lambda: labelled_set.add(LABELLED, np.array([5]), 1), ValueError, "indices: hold 5 more"),
    "no point picked": (lambda: labelled_set.add(LABELLED, np.array([-1]), 1), ValueError, r"indices\[0\]=-1"),
    "fraction of a batch": (lambda: labelled_set.add(LABELLED, np.array([1]), jnp.float32(1)), TypeError, "count: has"),
    "a smaller pool": (lambda: labelled_set.contains(LABELLED, 5), ValueError, "num_points=5: must be above 5"),
    "nothing labelled": (
        lambda: labelled_set.sample(KEY, labelled_set.create(np.zeros(0, int), capacity=2), 2),
        ValueError,
        "labelled: holds no points",
    ),
    "labels unlabelled": (
        lambda: labelled_set.draw_balanced(KEY, np.array([0, -1, 1]), num_classes=2, size=2),
        ValueError,
        r"labels\[1\]=-1: must be between 0 and 1",
    ),
    "more than labels": (
        lambda: labelled_set.draw_balanced(KEY, np.array([0, 1]), num_classes=2, size=3),
        ValueError,
        "size=3: must be at most the 2",
    ),
    "fewer labels": (
        lambda: examples.create(np.zeros((3, 2)), np.zeros(2, int)),
        ValueError,
        r"labels has shape \(2,\)",
    ),
    "one-hot labels": (lambda: examples.create(np.zeros((3, 2)), np.eye(3)), ValueError, "labels has shape .*argmax"),
    "missing labels": (
        lambda: examples.create(np.zeros((2, 2)), np.array([1, np.nan])),
        ValueError,
        r"labels\[1\]=nan: must be a whole number",
    ),
    "labels that are no classes": (
        lambda: examples.create(np.zeros((2, 2)), np.array([1, 3]), num_classes=3),
        ValueError,
        r"labels\[1\]=3: must be between 0 and 2",
    ),
    "missing features": (
        lambda: examples.create(np.array([[0, np.nan]]), np.array([0])),
        ValueError,
        r"features\[0, 1\] is nan: must be finite",
    ),
    "features beyond 32 bits": (
        lambda: examples.create(np.array([[2**40]]), np.array([0])),
        ValueError,
        r"features\[0, 0\] is 1099511627776: must be within 32 bits",
    ),
    "mean without std": (lambda: examples.create(np.zeros((1, 2)), np.zeros(1, int), mean=0.0), ValueError, "std: not"),
    "std 0": (lambda: examples.create(np.zeros((1, 2)), np.zeros(1, int), mean=0.0, std=0.0), ValueError, "std=0.0"),
    "mean of other features": (
        lambda: examples.create(np.zeros((1, 2)), np.zeros(1, int), mean=np.zeros(3), std=1.0),
        ValueError,
        r"mean has shape \(3,\): must broadcast .*\(2,\)",
    ),
    "no such example": (lambda: examples.inputs(EXAMPLES, np.array([6])), ValueError, r"indices\[0\]=6: .*0 and 5"),
    "a mask for indices": (lambda: examples.labels(EXAMPLES, np.ones(6, bool)), ValueError, "indices has dtype bool"),
    "labels for metrics": (lambda: metrics.evaluate(LOG_PROBS, np.full(12, -1)), ValueError, r"labels\[0\]=-1"),
    "a column of labels": (lambda: metrics.evaluate(LOG_PROBS, np.zeros((12, 1), int)), ValueError, "labels has dtype"),
    "probabilities for metrics": (
        lambda: metrics.evaluate(np.exp(LOG_PROBS), np.zeros(12, int)),
        ValueError,
        r"log_probs\[0, 0\]: the probabilities sum",
    ),
    "confidence above 1": (
        lambda: metrics.expected_calibration_error(np.array([1.1]), np.array([True])),
        ValueError,
        r"confidence\[0\]=1.1",
    ),
    "another length of correct": (
        lambda: metrics.expected_calibration_error(np.array([1.0]), np.ones(2, bool)),
        ValueError,
        "correct has dtype bool and shape",
    ),
    "no batch": (lambda: loop.num_rounds(10, 0, 20), ValueError, "batch_size=0"),
    "shrinking": (lambda: loop.num_rounds(10, 2, 5), ValueError, "initial_size=10: must be at most final_size=5"),
    "no settings": (lambda: loop.init(KEY, loop.Data(EXAMPLES, EXAMPLES), None), TypeError, "settings: a NoneType"),
    "fractions of seeds": (lambda: seeds.init(jnp.array([0.5]), None, None), ValueError, "seeds has dtype float32"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


def settings(**sizes):
    # Neither is called before the initial set is drawn.
    sizes = {"num_classes": 3, "initial_size": 2, "batch_size": 2, "final_size": 6} | sizes
    return loop.Settings(posterior=None, acquire=None, **sizes)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_classes": 2}, r"data\.pool\.labels\[2\]=2: must be between 0 and 1"),
        ({"initial_size": 7, "final_size": 8}, r"settings\.initial_size=7: the pool has only 6 points"),
        ({"batch_size": 7}, r"settings\.batch_size=7: the pool has only 6 points"),
        ({"final_size": 1}, "initial_size=2: must be at most final_size=1"),
    ],
)
def test_a_run_that_does_not_fit_its_data_is_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        loop.init(KEY, loop.Data(EXAMPLES, EXAMPLES), settings(**sizes))


@pytest.mark.parametrize("method", acquisition.METHODS)
def test_pure_methods_check_shapes_also_under_jit(method):
    function, options = acquisition.METHODS[method].function, {}
    if acquisition.METHODS[method].uses_embeddings:
        options["embeddings"] = np.ones((12, 5))
        with pytest.raises(ValueError, match=r"embeddings has shape \(11, 5\): must be \[12, D\]"):
            function(KEY, LOG_PROBS, np.ones(12, bool), batch_size=2, embeddings=np.ones((11, 5)))
    for log_probs, available, batch_size, message in (
        (LOG_PROBS[:, 0], np.ones(12, bool), 2, r"log_probs has shape \(12, 3\)"),
        (np.zeros((12, 6, 3), int), np.ones(12, bool), 2, "log_probs has dtype int"),
        (LOG_PROBS, np.ones(12, int), 2, "available has dtype int"),
        (LOG_PROBS, np.ones(11, bool), 2, r"available has dtype bool and shape \(11,\)"),
        (LOG_PROBS, np.ones(12, bool), 13, "batch_size=13: must be at most the 12 points"),
        (LOG_PROBS, np.ones(12, bool), 0, "batch_size=0: must be at least 1"),
    ):

        def pick(log_probs, available, batch_size=batch_size):
            return function(KEY, log_probs, available, batch_size=batch_size, **options)

        for run in (pick, jax.jit(pick)):
            with pytest.raises(ValueError, match=message):
                run(log_probs, available)


@pytest.mark.parametrize("method", ["random", "power_bald", "batch_bald", "power_lbb", "epig", "badge"])
def test_pure_methods_that_sample_check_the_key(method):
    options = {"embeddings": np.ones((12, 5))} if acquisition.METHODS[method].uses_embeddings else {}
    with pytest.raises(TypeError, match="key: a NoneType is not a random key"):
        acquisition.METHODS[method].function(None, LOG_PROBS, np.ones(12, bool), batch_size=2, **options)


@pytest.mark.parametrize(
    "function", [entropy.marginal_entropy, entropy.joint_entropy, information.tree_total_correlation]
)
def test_numerics_check_shapes_also_under_jit(function):
    for run in (function, jax.jit(function)):
        with pytest.raises(ValueError, match=r"log_probs has shape \(12, 3\): must be \[N, K, C\]"):
            run(LOG_PROBS[:, 0])


def test_whole_numbers_and_bools_are_labels():
    for labels in (np.array([0.0, 2.0]), np.array([False, True]), np.array([0, 2], np.uint8)):
        made = examples.create(np.zeros((2, 1)), labels)
        assert made.labels.dtype == jnp.int32
        np.testing.assert_array_equal(made.labels, labels)


def test_shapes_are_checked_where_values_are_traced():
    def first_labels(labels):
        return labelled_set.draw_balanced(KEY, labels, num_classes=3, size=2)

    jax.jit(first_labels)(np.array([0, -1, 7]))
    with pytest.raises(ValueError, match="size=2: must be at most the 1"):
        jax.jit(first_labels)(np.array([0]))
