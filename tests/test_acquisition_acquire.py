"""The front door: what it takes, what it refuses and how, and that it compiles once."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import reference
import variants
from slow_parts import slow_but
from tensors import OnlyArray, OnlyDlpack

from lbb_jax import acquisition, information

pytestmark = pytest.mark.usefixtures("quick_compilation")

POOL = reference.random_probs(2, 12, 6, 3, "sharp")
LOG_PROBS = reference.log32(POOL)


def acquire_variant(name, log_probs, *, batch_size=4, seed=0, **more):
    method, options = variants.VARIANTS[name][0], variants.options_of(name, len(LOG_PROBS))
    key = jax.random.key(seed)
    return acquisition.acquire(key, log_probs, method=method, batch_size=batch_size, **{**options, **more})


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(lambda x: x.astype(np.float64), id="float64"),
        pytest.param(lambda x: x.astype(">f4"), id="big-endian"),
        pytest.param(lambda x: np.asfortranarray(x), id="fortran"),
        pytest.param(jnp.asarray, id="jax"),
        pytest.param(OnlyArray, id="__array__"),
        pytest.param(OnlyDlpack, id="__dlpack__"),
    ],
)
def test_takes_arrays_of_any_kind(convert):
    picked = acquire_variant("lbb", convert(LOG_PROBS))
    expected = acquire_variant("lbb", LOG_PROBS)
    np.testing.assert_array_equal(picked.indices, expected.indices)
    np.testing.assert_array_equal(picked.scores, expected.scores)


def test_takes_half_precision():
    # Halves and quarters survive the rounding of their logarithms well enough.
    weights = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5], [1.0, 0.0, 0.0]])
    probs = weights[np.random.default_rng(0).integers(4, size=(8, 5))]
    log_probs = np.maximum(reference.log64(probs), -6e4).astype(np.float16)
    picked = acquire_variant("bald", log_probs)
    assert picked.scores.dtype == jnp.float32
    np.testing.assert_allclose(picked.scores, np.sort(reference.bald(probs))[:-5:-1], rtol=0, atol=2e-3)


def test_does_not_change_its_arguments():
    log_probs, available = LOG_PROBS.copy(), np.arange(12) > 3
    acquire_variant("power_lbb", log_probs, available=available)
    np.testing.assert_array_equal(log_probs, LOG_PROBS)
    np.testing.assert_array_equal(available, np.arange(12) > 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", variants.ALL)
def test_float64_mode_gives_the_same_float32_results(name):
    expected = acquire_variant(name, LOG_PROBS)
    with jax.enable_x64(True):
        picked = acquire_variant(name, LOG_PROBS.astype(np.float64))
    assert picked.indices.dtype == jnp.int32
    assert picked.scores.dtype == jnp.float32
    assert len(set(picked.indices.tolist())) == 4
    if name in variants.GREEDY:
        np.testing.assert_array_equal(picked.indices, expected.indices)
        np.testing.assert_allclose(picked.scores, expected.scores, rtol=0, atol=5e-6)


def test_another_shape_is_another_program(compilations):
    # So the tests beside this one would notice.
    acquire_variant("bald", LOG_PROBS, batch_size=5)
    assert compilations


@pytest.mark.parametrize(
    ("method", "option"),
    [("bald", "alpha"), ("power_lbb", "alpha"), ("power_lbb", "pair_weight")],
)
def test_numbers_are_no_part_of_the_program(method, option, compilations):
    fixed = {"sampling": "softmax"} if method == "bald" else {}

    def run(**options):
        acquisition.acquire(jax.random.key(0), LOG_PROBS, method=method, batch_size=4, **fixed, **options)

    run()
    compilations.clear()
    for value in (1.0, 0, 2.5, np.float32(0.5)):
        run(**{option: value})
    assert compilations == []


@pytest.mark.parametrize("method", ["power_bald", "power_lbb"])
def test_alpha_is_one_by_default(method):
    for seed in range(5):
        default = acquisition.acquire(jax.random.key(seed), LOG_PROBS, method=method, batch_size=4)
        explicit = acquisition.acquire(jax.random.key(seed), LOG_PROBS, method=method, batch_size=4, alpha=1.0)
        np.testing.assert_array_equal(default.indices, explicit.indices)


@pytest.mark.parametrize("method", ["lbb", "power_lbb"])
def test_pairs_count_once_by_default(method):
    default = acquisition.acquire(jax.random.key(0), LOG_PROBS, method=method, batch_size=4)
    explicit = acquisition.acquire(
        jax.random.key(0), LOG_PROBS, method=method, batch_size=4, pair_weight=1.0, redundancy="pairwise"
    )
    np.testing.assert_array_equal(default.indices, explicit.indices)
    np.testing.assert_array_equal(default.scores, explicit.scores)


@pytest.mark.parametrize(
    ("method", "scores"), [("margin", [1.0, 0.8, 0.5, 0.0]), ("least_confident", [0.6, 0.5, 0.3, 0.0])]
)
def test_uncertain_points_come_first(method, scores):
    # Two draws each, with means (0.5, 0.3, 0.2), (0.4, 0.4, 0.2), (1, 0, 0) and (0.7, 0.2, 0.1).
    first, second = ([0.6, 0.1, 0.3], [0.4, 0.5, 0.1]), ([0.3, 0.6, 0.1], [0.5, 0.2, 0.3])
    certain, likely = ([1, 0, 0], [1, 0, 0]), ([0.8, 0.1, 0.1], [0.6, 0.3, 0.1])
    log_probs = reference.log32(np.array([first, second, certain, likely]))
    picked = acquisition.acquire(jax.random.key(0), log_probs, method=method, batch_size=4)
    np.testing.assert_array_equal(picked.indices, [1, 0, 3, 2])
    np.testing.assert_allclose(picked.scores, scores, atol=1e-6)


@pytest.mark.slow
def test_batch_bald_takes_ten_thousand_samples_by_default():
    # 10 ** 4 configurations are enumerated, so that the key is of no consequence, and 11 ** 4 are not.
    for num_classes, key_matters in ((10, False), (11, True)):
        log_probs = reference.log32(reference.random_probs(1, 6, 4, num_classes, "smooth"))
        one, other = (
            acquisition.acquire(jax.random.key(seed), log_probs, method="batch_bald", batch_size=5) for seed in (0, 1)
        )
        assert np.any(one.scores[4] != other.scores[4]) == key_matters


def test_other_targets_are_no_other_program(compilations):
    def run(targets):
        return acquisition.acquire(jax.random.key(0), LOG_PROBS, method="epig", batch_size=4, targets=targets)

    one = run(LOG_PROBS[:7])
    compilations.clear()
    other = run(LOG_PROBS[5:])
    assert compilations == []
    assert np.any(one.scores != other.scores)


def with_entry(value, index=(3, 2, 1)):
    log_probs = LOG_PROBS.copy()
    log_probs[index] = value
    return log_probs


def off_by(excess):
    """Rows that sum to ``1 + excess``, at point 3 and draw 2 alone."""
    return with_entry(LOG_PROBS[3, 2] + np.log1p(excess), (3, 2))


SWAPPED = np.swapaxes(LOG_PROBS, 0, 1)

# What is wrong, the arguments, the error, and what its message must name: the argument, the value, what is allowed.
BAD_ARGUMENTS = [
    ("rank 2", {"log_probs": LOG_PROBS[0]}, ValueError, ["log_probs", "(6, 3)", "[N, K, C]"]),
    ("rank 4", {"log_probs": LOG_PROBS[None]}, ValueError, ["log_probs", "(1, 12, 6, 3)", "[N, K, C]"]),
    ("rank 0", {"log_probs": np.float32(0)}, ValueError, ["log_probs", "()", "[N, K, C]"]),
    ("no points", {"log_probs": LOG_PROBS[:0]}, ValueError, ["log_probs", "(0, 6, 3)", "N", "at least 1"]),
    ("no draws", {"log_probs": LOG_PROBS[:, :0]}, ValueError, ["log_probs", "(12, 0, 3)", "K", "at least 1"]),
    ("no classes", {"log_probs": LOG_PROBS[..., :0]}, ValueError, ["log_probs", "(12, 6, 0)", "C", "at least 1"]),
    ("integers", {"log_probs": np.zeros((4, 2, 1), int)}, ValueError, ["log_probs", "int64", "floating"]),
    ("booleans", {"log_probs": np.zeros((4, 2, 1), bool)}, ValueError, ["log_probs", "bool", "floating"]),
    ("complex", {"log_probs": LOG_PROBS.astype(complex)}, ValueError, ["log_probs", "complex128", "floating"]),
    ("objects", {"log_probs": LOG_PROBS.astype(object)}, ValueError, ["log_probs", "object", "floating"]),
    ("a list", {"log_probs": LOG_PROBS.tolist()}, TypeError, ["log_probs", "list", "array"]),
    ("nothing", {"log_probs": None}, TypeError, ["log_probs", "NoneType", "array"]),
    ("NaN", {"log_probs": with_entry(np.nan)}, ValueError, ["log_probs[3, 2]", "NaN"]),
    ("+inf", {"log_probs": with_entry(np.inf)}, ValueError, ["log_probs[3, 2]", "inf"]),
    ("probabilities", {"log_probs": POOL}, ValueError, ["log_probs[0, 0]", "sum to", "1 within 0.001"]),
    ("logits", {"log_probs": LOG_PROBS + 1}, ValueError, ["log_probs[0, 0]", "2.718", "1 within 0.001"]),
    ("sum above 1", {"log_probs": off_by(0.0013)}, ValueError, ["log_probs[3, 2]", "1.001", "1 within 0.001"]),
    ("sum below 1", {"log_probs": off_by(-0.0013)}, ValueError, ["log_probs[3, 2]", "0.9987", "1 within 0.001"]),
    ("only zeros", {"log_probs": with_entry(-np.inf, (3, 2))}, ValueError, ["log_probs[3, 2]", "sum to 0"]),
    ("batch_size 0", {"batch_size": 0}, ValueError, ["batch_size=0", "between 1 and", "12"]),
    ("batch_size negative", {"batch_size": -1}, ValueError, ["batch_size=-1", "between 1 and", "12"]),
    ("batch_size above N", {"batch_size": 13}, ValueError, ["batch_size=13", "between 1 and", "12"]),
    (
        "batch_size above available",
        {"batch_size": 4, "available": np.arange(12) < 3},
        ValueError,
        ["batch_size=4", "between 1 and", "3"],
    ),
    ("nothing available", {"available": np.zeros(12, bool)}, ValueError, ["batch_size=2", "0 available"]),
    ("batch_size float", {"batch_size": 2.0}, TypeError, ["batch_size=2.0", "integer", "float"]),
    ("batch_size string", {"batch_size": "2"}, TypeError, ["batch_size='2'", "integer", "str"]),
    ("batch_size bool", {"batch_size": True}, TypeError, ["batch_size=True", "integer", "bool"]),
    ("batch_size None", {"batch_size": None}, TypeError, ["batch_size=None", "integer"]),
    ("mask of integers", {"available": np.ones(12, int)}, ValueError, ["available", "int64", "bool", "(12,)"]),
    ("mask too short", {"available": np.ones(11, bool)}, ValueError, ["available", "(11,)", "bool", "(12,)"]),
    ("mask of rank 2", {"available": np.ones((12, 1), bool)}, ValueError, ["available", "(12, 1)", "bool", "(12,)"]),
    (
        "draws first",
        {"log_probs": SWAPPED, "batch_size": 10},
        ValueError,
        ["(6, 12, 3)", "np.moveaxis(log_probs, 1, 0)"],
    ),
    (
        "draws first, with a mask",
        {"log_probs": SWAPPED, "available": np.ones(12, bool)},
        ValueError,
        ["available", "(12,)", "np.moveaxis(log_probs, 1, 0)"],
    ),
    (
        "draws first, with embeddings",
        {"log_probs": SWAPPED, "method": "badge", "embeddings": np.ones((12, 2))},
        ValueError,
        ["embeddings", "must be [6, D]", "np.moveaxis(log_probs, 1, 0)"],
    ),
    (
        "draws last",
        {"log_probs": np.swapaxes(LOG_PROBS, 1, 2)},
        ValueError,
        ["log_probs[0, 0]", "over axis 1 they sum to 1", "np.swapaxes"],
    ),
    ("8 bits", {"log_probs": LOG_PROBS.astype(ml_dtypes.float8_e4m3fn)}, ValueError, ["float8", "floating point"]),
    ("mask of indices", {"available": np.arange(3)}, ValueError, ["int64", "np.isin(np.arange(12), indices)"]),
    ("mask of scores", {"available": np.ones(12)}, ValueError, ["float64", "True for the points that may be picked"]),
    ("key None", {"key": None}, TypeError, ["key", "NoneType", "jax.random.key(seed)"]),
    ("key a seed", {"key": 0}, TypeError, ["key", "int", "jax.random.key(seed)"]),
    ("keys", {"key": jax.random.split(jax.random.key(0))}, ValueError, ["key", "(2,)", "jax.random.split(key)"]),
    ("key of numbers", {"key": jnp.zeros(2)}, TypeError, ["key", "float32", "jax.random.key(seed)"]),
    ("key too long", {"key": np.zeros(3, np.uint32)}, ValueError, ["key", "(3,)", "jax.random.key(seed)"]),
    ("mask a list", {"available": [True] * 12}, TypeError, ["available", "list", "array"]),
    ("method unknown", {"method": "bogus"}, ValueError, ["method='bogus'", "'batch_bald'", "'power_lbb'"]),
    ("method in capitals", {"method": "BALD"}, ValueError, ["method='BALD'", "'bald'"]),
    ("method a list", {"method": ["bald"]}, (TypeError, ValueError), ["method=['bald']", "'bald'"]),
    ("option of another method", {"alpha": 1.0}, ValueError, ["alpha=1.0", "'lbb'", "pair_weight", "redundancy"]),
    ("option unknown", {"temperature": 3}, ValueError, ["temperature=3", "'lbb'", "pair_weight", "redundancy"]),
    ("option where none", {"method": "log_det", "alpha": 1.0}, ValueError, ["alpha=1.0", "'log_det'", "no options"]),
    ("alpha negative", {"method": "power_lbb", "alpha": -0.5}, ValueError, ["alpha=-0.5", "at least 0"]),
    ("alpha too large", {"method": "power_bald", "alpha": 1e38}, ValueError, ["alpha=1e+38", "at most 1e+30"]),
    ("alpha infinite in float32", {"method": "power_lbb", "alpha": 1e300}, ValueError, ["alpha=1e+300", "finite"]),
    ("alpha infinite", {"method": "power_lbb", "alpha": np.inf}, ValueError, ["alpha=inf", "finite"]),
    ("alpha NaN", {"method": "power_bald", "alpha": np.nan}, ValueError, ["alpha=nan", "finite"]),
    ("alpha string", {"method": "power_bald", "alpha": "1"}, TypeError, ["alpha='1'", "number"]),
    ("alpha None", {"method": "power_bald", "alpha": None}, TypeError, ["alpha=None", "number"]),
    ("alpha bool", {"method": "power_bald", "alpha": True}, TypeError, ["alpha=True", "number"]),
    ("alpha array", {"method": "power_bald", "alpha": np.ones(2)}, (TypeError, ValueError), ["alpha", "number"]),
    ("num_samples 0", {"method": "batch_bald", "num_samples": 0}, ValueError, ["num_samples=0", "at least 1"]),
    ("num_samples negative", {"method": "batch_bald", "num_samples": -3}, ValueError, ["num_samples=-3", "at least 1"]),
    ("num_samples float", {"method": "batch_bald", "num_samples": 1e4}, TypeError, ["num_samples=10000.0", "integer"]),
    (
        "num_samples beyond memory",
        {
            "method": "batch_bald",
            "num_samples": 10**9,
            "batch_size": 12,
            "log_probs": np.repeat(LOG_PROBS, 9000, axis=1),
        },
        ValueError,
        ["num_samples=1000000000", "38,263,752,000 bytes", "at most 19,884"],
    ),
    ("num_targets 0", {"method": "epig", "num_targets": 0}, ValueError, ["num_targets=0", "at least 1"]),
    ("num_targets float", {"method": "epig", "num_targets": 5.0}, TypeError, ["num_targets=5.0", "integer"]),
    (
        "num_targets with targets",
        {"method": "epig", "num_targets": 5, "targets": LOG_PROBS},
        ValueError,
        ["num_targets=5", "targets=...", "leave it out"],
    ),
    (
        "sampling unknown",
        {"method": "bald", "sampling": "hard"},
        ValueError,
        ["sampling='hard'", "'softrank'"],
    ),
    (
        "targets rank 2",
        {"method": "epig", "targets": LOG_PROBS[0]},
        ValueError,
        ["targets has shape (6, 3)", "[T, K, C]"],
    ),
    ("targets none", {"method": "epig", "targets": LOG_PROBS[:0]}, ValueError, ["targets", "T, the", "at least 1"]),
    ("targets integers", {"method": "epig", "targets": np.zeros((4, 6, 3), int)}, ValueError, ["targets", "int64"]),
    ("targets a list", {"method": "epig", "targets": LOG_PROBS.tolist()}, TypeError, ["targets", "list", "array"]),
    (
        "targets of other draws",
        {"method": "epig", "targets": LOG_PROBS[:, :5]},
        ValueError,
        ["targets has shape (12, 5, 3)", "must be [T, 6, 3]", "same draws"],
    ),
    (
        "targets of other classes",
        {"method": "epig", "targets": np.zeros((4, 6, 1), np.float32)},
        ValueError,
        ["targets has shape (4, 6, 1)", "must be [T, 6, 3]"],
    ),
    (
        "targets with NaN",
        {"method": "epig", "targets": with_entry(np.nan)},
        ValueError,
        ["targets[3, 2]", "NaN", "leave such points out"],
    ),
    (
        "targets not logarithms",
        {"method": "epig", "targets": POOL},
        ValueError,
        ["targets[0, 0]", "sum to", "1 within"],
    ),
    (
        "embeddings missing",
        {"method": "badge"},
        ValueError,
        ["embeddings: not given", "'badge'", "[N, D]", "pass"],
    ),
    ("embeddings None", {"method": "core_set", "embeddings": None}, TypeError, ["embeddings", "NoneType", "array"]),
    (
        "embeddings rank 1",
        {"method": "core_set", "embeddings": np.ones(12)},
        ValueError,
        ["embeddings has shape (12,)", "must be [N, D]"],
    ),
    (
        "embeddings empty",
        {"method": "badge", "embeddings": np.ones((12, 0))},
        ValueError,
        ["embeddings has shape (12, 0)", "must be [N, D]"],
    ),
    (
        "embeddings integers",
        {"method": "badge", "embeddings": np.ones((12, 2), int)},
        ValueError,
        ["embeddings has dtype int64", "floating point", "astype"],
    ),
    (
        "embeddings of other points",
        {"method": "badge", "embeddings": np.ones((11, 2))},
        ValueError,
        ["embeddings has shape (11, 2)", "must be [12, D]"],
    ),
    (
        "embeddings with NaN",
        {"method": "core_set", "embeddings": np.where(np.arange(24).reshape(12, 2) == 7, np.nan, 1.0)},
        ValueError,
        ["embeddings[3] holds NaN", "not available"],
    ),
    (
        "embeddings too large",
        {"method": "badge", "embeddings": np.where(np.arange(24).reshape(12, 2) == 8, -2e15, 1.0)},
        ValueError,
        ["embeddings[4] holds", "beyond 1e+15", "scale"],
    ),
    ("embeddings of another method", {"embeddings": np.ones((12, 2))}, ValueError, ["embeddings=", "'lbb'"]),
    ("targets of another method", {"targets": LOG_PROBS}, ValueError, ["targets=", "'lbb'", "redundancy"]),
    ("redundancy unknown", {"redundancy": "full"}, ValueError, ["redundancy='full'", "'pairwise'", "'tree'"]),
    ("redundancy None", {"redundancy": None}, (TypeError, ValueError), ["redundancy=None", "'pairwise'", "'tree'"]),
    (
        "redundancy array",
        {"redundancy": np.array(["tree"])},
        (TypeError, ValueError),
        ["redundancy=", "'pairwise'", "'tree'"],
    ),
    ("pair_weight negative", {"pair_weight": -1.0}, ValueError, ["pair_weight=-1.0", "at least 0"]),
    ("pair_weight NaN", {"pair_weight": np.nan}, ValueError, ["pair_weight=nan", "finite"]),
    ("pair_weight infinite", {"pair_weight": np.inf}, ValueError, ["pair_weight=inf", "finite"]),
    ("pair_weight string", {"pair_weight": "2"}, TypeError, ["pair_weight='2'", "number"]),
    ("pair_weight vast", {"pair_weight": 1e35}, ValueError, ["pair_weight=", "at most 1e+30"]),
    (
        "embeddings too long for bait",
        {"method": "bait", "embeddings": np.full((12, 4), 100.0)},
        ValueError,
        ["regularizer=1", "4e+04", "10,000 times", "divide the embeddings by 2 or more"],
    ),
    ("regularizer too small for bait", {"method": "bait", "regularizer": 1e-8}, ValueError, ["regularizer=1e-08"]),
    ("regularizer vast", {"method": "bait", "regularizer": 1e20}, ValueError, ["regularizer=1e+20", "at most 1e+15"]),
]


@pytest.mark.parametrize(
    ("arguments", "error", "named"), [pytest.param(*case[1:], id=case[0]) for case in BAD_ARGUMENTS]
)
def test_refuses_bad_arguments(arguments, error, named):
    arguments = {"key": jax.random.key(0), "log_probs": LOG_PROBS, "method": "lbb", "batch_size": 2, **arguments}
    with pytest.raises(error) as caught:
        acquisition.acquire(**arguments)
    for text in named:
        assert text in str(caught.value)


def test_errors_come_in_the_order_of_the_checks_and_before_the_method_is_compiled(compilations):
    # A size that nothing else here has.
    probs = reference.random_probs(0, 7, 2, 3)
    wrong = {
        "method": "bogus",
        "alpha": -1.0,
        "embeddings": np.ones((7, 2), int),
        "key": None,
        "available": np.ones(7),
        "batch_size": 8,
    }
    right = {"method": "badge", "embeddings": np.ones((7, 2)), "key": jax.random.key(0), "batch_size": 2}
    named = ["method", "alpha", "embeddings", "key", "available", "batch_size", "log_probs"]
    while named:
        with pytest.raises((TypeError, ValueError), match=rf"^{named[0]}\b"):
            acquisition.acquire(log_probs=probs, **{**right, **wrong})
        wrong.pop(named.pop(0), None)
    compilations.clear()
    acquisition.acquire(log_probs=reference.log32(probs), **right)
    # The pick, which is as yet to be compiled, and the check of the embeddings, which comes after that of log_probs.
    assert len(compilations) >= 2


@pytest.mark.parametrize("method", slow_but(acquisition.METHODS, "power_bald"))
def test_old_and_new_keys_give_the_same_picks(method):
    options = {"embeddings": np.ones((12, 5))} if acquisition.METHODS[method].uses_embeddings else {}
    one, other = (
        acquisition.acquire(key, LOG_PROBS, method=method, batch_size=4, **options)
        for key in (jax.random.key(0), jax.random.PRNGKey(0))
    )
    np.testing.assert_array_equal(one.indices, other.indices)


@pytest.mark.parametrize("excess", [0.0007, -0.0007])
def test_takes_rows_that_sum_to_almost_one(excess):
    acquire_variant("bald", off_by(excess))


@pytest.mark.parametrize(
    "arguments",
    [
        {"method": "power_lbb", "alpha": 0},
        {"method": "power_bald", "alpha": np.float32(2)},
        {"method": "power_bald", "alpha": jnp.float32(2)},
        {"method": "lbb", "pair_weight": 0},
        pytest.param({"method": "lbb", "redundancy": "tree", "pair_weight": 2.0}, marks=pytest.mark.slow),
        {"method": "bald", "sampling": "top", "alpha": 5.0},
        pytest.param({"method": "batch_bald", "num_samples": np.int64(1)}, marks=pytest.mark.slow),
        pytest.param({"method": "epig", "num_targets": np.int64(3)}, marks=pytest.mark.slow),
        {"method": "epig", "targets": None, "alpha": 1},
        {"method": "epig", "targets": OnlyArray(LOG_PROBS[:2].astype(np.float64))},
        {"method": "lbb_released", "sampling": "power", "alpha": 0},
        {"method": "badge", "embeddings": np.ones((12, 5)), "batch_size": 4},
        {"method": "core_set", "embeddings": OnlyArray(np.ones((12, 5))), "batch_size": 4},
        {
            "method": "badge",
            "embeddings": np.where(np.arange(12) > 3, 1.0, np.nan).reshape(-1, 1).repeat(5, axis=1),
            "available": np.arange(12) > 3,
            "batch_size": 4,
        },
        {"method": "bald", "batch_size": np.int32(12)},
        {"method": "bald", "available": jnp.ones(12, bool)},
        {"method": "bald", "available": OnlyArray(np.ones(12, bool))},
        {"method": "bald", "available": None},
    ],
)
def test_takes_what_is_within_bounds(arguments):
    picked = acquisition.acquire(jax.random.key(0), LOG_PROBS, **{"batch_size": 4, **arguments})
    assert np.all(picked.indices >= 0)


# Methods of the user's.


def scaled_bald(key, log_probs, available, *, batch_size, scale, offset=0.0, sign="+"):
    """BALD ranked downwards with ``sign="-"``, its scores changed in proportion."""
    scores = information.mutual_information(log_probs) * scale + offset
    return acquisition.pick_by_score(key, scores if sign == "+" else -scores, available, batch_size=batch_size)


def test_a_function_is_a_method_and_is_compiled_once(compilations):
    def acquire(method=scaled_bald, **options):
        return acquisition.acquire(jax.random.key(0), LOG_PROBS, method=method, batch_size=12, **options)

    expected = acquire("bald")
    picked = acquire(scale=np.float32(2))
    np.testing.assert_array_equal(picked.indices, expected.indices)
    np.testing.assert_allclose(picked.scores, 2 * expected.scores, rtol=1e-6)
    compilations.clear()
    # Arrays are arguments of the program; the row of the same function runs the same one.
    for method in (scaled_bald, acquisition.Method(scaled_bald, label="Scaled"), f"{__name__}:scaled_bald"):
        np.testing.assert_allclose(acquire(method, scale=np.array(3.0)).scores, 3 * expected.scores, rtol=1e-6)
    assert compilations == []
    np.testing.assert_array_equal(acquire(scale=2, sign="-").indices[::-1], expected.indices)
    assert compilations
    # A method of the project's is known by its function, too.
    assert acquisition.find_method(acquisition.max_entropy) is acquisition.METHODS["entropy"]


def with_numpy(key, log_probs, available, *, batch_size):
    return acquisition.pick_by_score(key, np.exp(log_probs).max(axis=(1, 2)), available, batch_size=batch_size)


def with_a_branch(key, log_probs, available, *, batch_size):
    scores = log_probs.max(axis=(1, 2))
    return acquisition.pick_by_score(key, scores if scores[0] > 0 else -scores, available, batch_size=batch_size)


@pytest.mark.parametrize("method", [with_numpy, with_a_branch])
def test_a_method_that_cannot_be_compiled_is_told_why(method):
    message = rf"method: {method.__name__} cannot be compiled \(.*\); a method computes with jax\.numpy"
    with pytest.raises(TypeError, match=message):
        acquisition.acquire(jax.random.key(0), LOG_PROBS, method=method, batch_size=2)


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        (scaled_bald, {}, ValueError, "scale: not given; method 'scaled_bald' needs scale"),
        (scaled_bald, {"scale": 1, "alpha": 2}, ValueError, "alpha=2: .* has the options scale, offset, sign"),
        (scaled_bald, {"scale": [1]}, TypeError, r"scale=\[1\]: must be an array or hashable, not list"),
        (lambda key, log_probs: log_probs, {}, TypeError, r"method=<lambda>: must be a function \(key, log_probs"),
        (lambda key, *pool, batch_size: pool[0], {}, TypeError, "method: returned a jax.Array; must return"),
        (
            lambda key, *pool, batch_size: acquisition.bald(key, *pool, batch_size=1),
            {},
            ValueError,
            r"method: returned indices of dtype int32 and shape \(1,\).*each of shape \(2,\)",
        ),
        (
            lambda key, *pool, batch_size: acquisition.Acquisition(*acquisition.bald(key, *pool, batch_size=2)[::-1]),
            {},
            ValueError,
            "method: returned indices of dtype float32",
        ),
        (lambda key, *pool, batch_size, embeddings: None, {}, ValueError, "embeddings: not given"),
        (f"{__name__}:nothing", {}, ValueError, "has no function or class 'nothing'; it has .*scaled_bald"),
        ("no_such_module:bald", {}, ValueError, "there is no module 'no_such_module'"),
        (3, {}, ValueError, "method=3: must be one of 'random', .*module:attribute"),
    ],
)
def test_what_is_no_method_is_refused(method, options, error, message):
    with pytest.raises(error, match=message):
        acquisition.acquire(jax.random.key(0), LOG_PROBS, method=method, batch_size=2, **options)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["bait", "cluster_margin", "typiclust"])
def test_mean_predictions_serve_where_there_are_no_embeddings(method):
    log_probs = reference.log32(np.random.default_rng(3).dirichlet(np.ones(3), size=(12, 4)))
    mean_probs = np.exp(log_probs).mean(axis=1)
    options = {"method": method, "batch_size": 4}
    expected = acquisition.acquire(jax.random.key(0), log_probs, embeddings=mean_probs, **options)
    for nothing in ({}, {"embeddings": None}):
        picked = acquisition.acquire(jax.random.key(0), log_probs, **nothing, **options)
        np.testing.assert_array_equal(picked.indices, expected.indices)
        np.testing.assert_allclose(picked.scores, expected.scores, rtol=1e-5)
