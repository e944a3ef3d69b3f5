"""Calls of the public functions, made up from a seed: right ones, and ones with one or two wrong arguments.

A wrong call ends in a ValueError or TypeError that names an argument. A right one gives the reference's numbers.
"""

import pathlib
import re
import reprlib
import signal
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import fuzzed_arguments as fuzzed
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from fuzzed_arguments import NUM_CLASSES, NUM_POINTS

import lbb_jax
from lbb_jax import acquisition, entropy, examples, information, labelled_set, loop, metrics, sharding
from lbb_jax.acquisition import blocks

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_CALLS, NUM_PARTS, NUM_IN_SAMPLE = 10_000, 20, 100
SECONDS_PER_CALL = 60
BATCH_SIZE = 4
# Blocks of a stream all have one size, so that few programs are compiled.
BLOCK = 16


class Call(NamedTuple):
    """A right call of a public function.

    Attributes:
      function: The function.
      arguments: By name, each in its plainest form.
      kinds: The kind of each argument that can be made wrong, of `fuzzed_arguments`.
      check: Takes the arguments as they were passed and the result; fails unless the result is right.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]
    kinds: dict[str, str]
    check: Callable[[dict[str, Any], Any], None]


# Acquisition.

OPTIONS = {
    "power_bald": {"alpha": "number"},
    "batch_bald": {"num_samples": "whole number"},
    "lbb": {"pair_weight": "number", "redundancy": "choice"},
    "power_lbb": {"alpha": "number", "pair_weight": "number", "redundancy": "choice"},
    "lbb_released": {"sampling": "choice", "alpha": "number"},
    "epig": {"targets": "targets", "sampling": "choice", "alpha": "number"},
    "log_det": {},
    "batch_epig": {"targets": "targets"},
    "core_set": {"embeddings": "embeddings"},
    "badge": {"embeddings": "embeddings"},
    "bait": {"embeddings": "optional embeddings"},
    "cluster_margin": {"embeddings": "optional embeddings"},
    "typiclust": {"embeddings": "optional embeddings"},
}
METHODS = ("random", "least_confident", "margin", "entropy", "bald", *OPTIONS)
# Compiled by other tests, too.
METHODS_OF_SAMPLE = ("bald", "power_lbb")
SAMPLING = ("random", "power_bald", "power_lbb", "badge", "cluster_margin")


def options_of(method, rng):
    """Right options, those that make another program as they are by default."""
    options = {}
    for name in OPTIONS.get(method, ()):
        if name == "embeddings":
            options[name] = fuzzed.embeddings(rng)
        elif rng.random() < 0.5 or method == "batch_epig":
            options[name] = {
                "alpha": float(rng.integers(4)),
                "num_samples": 10_000,
                "pair_weight": float(rng.integers(3)),
                "redundancy": "pairwise",
                "sampling": "top",
                "targets": fuzzed.log_probs(rng, 7),
            }[name]
    return options


def probs_of(array):
    """The normalised probabilities that log-probabilities of any form stand for."""
    return reference.normalised(np.exp(fuzzed.plain(array).astype(np.float64)))


def gains_of(method, arguments, available):
    """The reference's ``batch -> gains[N]``."""
    probs = np.where(available[:, None, None], probs_of(arguments["log_probs"]), 1 / NUM_CLASSES)
    embeddings, targets = arguments.get("embeddings"), arguments.get("targets")
    return reference.gains_of(
        method,
        probs,
        available,
        embeddings=None if embeddings is None else fuzzed.plain(embeddings).astype(np.float64),
        targets=None if targets is None else probs_of(targets),
        pair_weight=float(arguments.get("pair_weight", 1.0)),
    )


def check_picks(arguments, picked):
    method, available = arguments["method"], arguments.get("available")
    available = np.ones(NUM_POINTS, bool) if available is None else fuzzed.plain(available)
    batch, scores = np.asarray(picked.indices).tolist(), np.asarray(picked.scores)
    assert scores.dtype == np.float32
    assert len(set(batch)) == BATCH_SIZE
    assert all(available[point] for point in batch)
    if method == "bait":
        probs, embeddings = probs_of(arguments["log_probs"]), fuzzed.plain(arguments["embeddings"]).astype(np.float64)
        _, lowered_by, _ = reference.bait(probs, embeddings, available, BATCH_SIZE, 1.0)
        np.testing.assert_allclose(sorted(scores), sorted(lowered_by), rtol=1e-2, atol=1e-5)
        return
    if method == "typiclust":
        # What is typical is a matter of its clusters, which have tests of their own.
        assert np.all(scores >= 0)
        return
    gains_after = gains_of(method, arguments, available)
    for place, (point, score) in enumerate(zip(batch, scores, strict=True)):
        gains = gains_after(batch[:place])
        np.testing.assert_allclose(score, gains[point], rtol=1e-4, atol=2e-5)
        if method not in SAMPLING:
            left = [other for other in np.flatnonzero(available) if other not in batch[:place]]
            assert gains[point] >= max(gains[left]) - 2e-5


def acquire(rng, methods):
    method = methods[rng.integers(len(methods))]
    arguments = {
        "key": fuzzed.key(rng),
        "log_probs": fuzzed.log_probs(rng),
        "method": method,
        "batch_size": BATCH_SIZE,
        "available": fuzzed.mask(rng) if rng.random() < 0.5 else None,
        **options_of(method, rng),
    }
    kinds = {
        "key": "key",
        "log_probs": "predictions",
        "method": "method",
        "batch_size": "whole number",
        "available": "mask",
        **OPTIONS.get(method, {}),
    }
    return Call(acquisition.acquire, arguments, kinds, check_picks)


def acquire_stream(rng, methods):
    methods = [method for method in methods if acquisition.METHODS[method].stream is not None]
    method = methods[rng.integers(len(methods))]
    options = options_of(method, rng)
    if method == "epig":
        options["targets"] = fuzzed.log_probs(rng, 7)
    log_probs = fuzzed.log_probs(rng)
    forms = fuzzed.RIGHT["predictions"]
    blocks = [forms[rng.integers(len(forms))](block) for block in np.split(log_probs, [rng.integers(1, NUM_POINTS)])]
    arguments = {
        "key": fuzzed.key(rng),
        "batches": blocks,
        "method": method,
        "batch_size": BATCH_SIZE,
        "num_candidates": NUM_POINTS,
        **options,
    }
    kinds = {
        "key": "key",
        "batches": "batches",
        "method": "method",
        "batch_size": "whole number",
        "num_candidates": "whole number or None",
        **OPTIONS.get(method, {}),
    }

    def check(arguments, picked):
        whole = np.concatenate([reference.log64(probs_of(block)) for block in blocks])
        check_picks({**arguments, "log_probs": whole}, picked)
        assert picked.num_points == NUM_POINTS

    return Call(acquisition.acquire_stream, arguments, kinds, check)


# The functions around it.


def shard_pool(rng, _):
    arguments = {"log_probs": fuzzed.log_probs(rng), "available": fuzzed.mask(rng)}

    def check(arguments, result):
        spread, available = result
        np.testing.assert_allclose(np.exp(spread), probs_of(arguments["log_probs"]), atol=1e-6)
        np.testing.assert_array_equal(available, fuzzed.plain(arguments["available"]))

    kinds = {"log_probs": "predictions, unread", "available": "mask, unread"}
    return Call(sharding.shard_pool, arguments, kinds, check)


def create_labelled_set(rng, _):
    arguments = {"indices": rng.permutation(50)[:6], "capacity": 9}

    def check(arguments, labelled):
        assert int(labelled.size) == 6
        held = fuzzed.plain(arguments["indices"])
        np.testing.assert_array_equal(labelled.indices[:6], held)

    return Call(labelled_set.create, arguments, {"indices": "distinct indices", "capacity": "whole number"}, check)


def add_to_labelled_set(rng, _):
    points = rng.permutation(50)[:10]
    labelled = labelled_set.create(points[:6], capacity=9)
    arguments = {"labelled": labelled, "indices": points[6:], "count": 3}

    def check(arguments, result):
        np.testing.assert_array_equal(labelled_set.contains(result, 50), np.isin(np.arange(50), points[:9]))

    kinds = {"labelled": "own", "indices": "added indices", "count": "count"}
    return Call(labelled_set.add, arguments, kinds, check)


def contained_in_labelled_set(rng, _):
    points = rng.permutation(50)[:6]
    arguments = {"labelled": labelled_set.create(points, capacity=9), "num_points": 50}

    def check(arguments, result):
        np.testing.assert_array_equal(result, np.isin(np.arange(50), points))

    return Call(labelled_set.contains, arguments, {"labelled": "own", "num_points": "whole number"}, check)


def sample_of_labelled_set(rng, _):
    points = rng.permutation(50)[:6]
    arguments = {"key": fuzzed.key(rng), "labelled": labelled_set.create(points, capacity=9), "batch_size": 4}

    def check(arguments, result):
        assert len(result) == 4
        assert set(np.asarray(result).tolist()) <= set(points.tolist())

    kinds = {"key": "key", "labelled": "own", "batch_size": "whole number"}
    return Call(labelled_set.sample, arguments, kinds, check)


def draw_balanced(rng, _):
    labels = rng.permutation(np.arange(NUM_POINTS) % NUM_CLASSES)
    arguments = {"key": fuzzed.key(rng), "labels": labels, "num_classes": NUM_CLASSES, "size": 6}

    def check(arguments, result):
        np.testing.assert_array_equal(np.bincount(labels[np.asarray(result)]), [2, 2, 2])

    kinds = {"key": "key", "labels": "indices", "num_classes": "whole number", "size": "whole number"}
    return Call(labelled_set.draw_balanced, arguments, kinds, check)


def create_examples(rng, _):
    arguments = {
        "features": rng.normal(size=(NUM_POINTS, 4)),
        "labels": rng.integers(NUM_CLASSES, size=NUM_POINTS),
        "mean": 1.0,
        "std": 2.0,
        "num_classes": NUM_CLASSES,
    }

    def check(arguments, made):
        features = fuzzed.plain(arguments["features"]).astype(np.float32)
        inputs = examples.inputs(made, jnp.arange(NUM_POINTS))
        np.testing.assert_allclose(inputs, (features - 1) / 2, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(made.labels, fuzzed.plain(arguments["labels"]))

    kinds = {
        "features": "features",
        "labels": "stored labels",
        "mean": "mean",
        "std": "std",
        "num_classes": "whole number or None",
    }
    return Call(examples.create, arguments, kinds, check)


EXAMPLES = examples.create(np.arange(24.0).reshape(12, 2), np.arange(12) % 3, mean=0.0, std=1.0)


def repeat_examples(rng, _):
    arguments = {"key": fuzzed.key(rng), "examples": EXAMPLES, "copies": 4, "noise": 0.5}

    def check(arguments, repeated):
        assert repeated.num_examples == 48
        np.testing.assert_array_equal(examples.all_labels(repeated), np.tile(np.arange(12) % 3, 4))

    kinds = {"key": "key", "examples": "own", "copies": "whole number", "noise": "number"}
    return Call(examples.repeat, arguments, kinds, check)


def labels_of_examples(rng, _):
    arguments = {"examples": EXAMPLES, "indices": rng.integers(12, size=6)}

    def check(arguments, result):
        indices = fuzzed.plain(arguments["indices"])
        np.testing.assert_array_equal(result, indices % 3)

    return Call(examples.labels, arguments, {"examples": "own", "indices": "indices"}, check)


def evaluate(rng, _):
    arguments = {"log_probs": fuzzed.log_probs(rng), "labels": rng.integers(NUM_CLASSES, size=NUM_POINTS)}

    def check(arguments, result):
        mean = probs_of(arguments["log_probs"]).mean(axis=1)
        labels = fuzzed.plain(arguments["labels"])
        with np.errstate(divide="ignore"):
            expected = -np.log(mean[np.arange(NUM_POINTS), labels]).mean()
        np.testing.assert_allclose(result.nll, expected, rtol=1e-3)

    return Call(metrics.evaluate, arguments, {"log_probs": "predictions", "labels": "labels"}, check)


def calibration(rng, _):
    confidence, correct = rng.random(NUM_POINTS), rng.random(NUM_POINTS) < 0.5
    arguments = {"confidence": confidence, "correct": correct, "num_bins": 1}

    def check(arguments, result):
        confidence = fuzzed.plain(arguments["confidence"])
        expected = abs(confidence.astype(np.float64).mean() - correct.mean())
        np.testing.assert_allclose(float(result), expected, atol=2e-2 if confidence.dtype.itemsize == 2 else 1e-5)

    kinds = {"confidence": "confidence", "correct": "mask, unread", "num_bins": "whole number"}
    return Call(metrics.expected_calibration_error, arguments, kinds, check)


def rounds(rng, _):
    arguments = {"initial_size": 10, "batch_size": 4, "final_size": int(rng.integers(10, 40))}

    def check(arguments, result):
        assert result == len(range(10, int(arguments["final_size"]), 4)) + 1

    return Call(loop.num_rounds, arguments, dict.fromkeys(arguments, "whole number"), check)


def pure_method(rng, _):
    method = ("random", "least_confident", "margin", "entropy", "bald", "power_bald")[rng.integers(6)]
    arguments = {
        "key": fuzzed.key(rng),
        "log_probs": fuzzed.log_probs(rng),
        "available": fuzzed.mask(rng),
        "batch_size": BATCH_SIZE,
    }
    kinds = {"log_probs": "predictions, whole", "available": "mask, unread", "batch_size": "whole number"}
    if method in SAMPLING:
        kinds["key"] = "key"

    def check(arguments, picked):
        check_picks({**arguments, "method": method}, picked)

    return Call(acquisition.METHODS[method].function, arguments, kinds, check)


INFORMATION = {
    entropy.marginal_entropy: reference.marginal_entropy,
    entropy.conditional_entropy: reference.conditional_entropy,
    information.mutual_information: reference.bald,
    information.joint_mutual_information: reference.batch_bald,
    information.total_correlation: reference.total_correlation,
    information.pairwise_total_correlation: reference.pairwise_total_correlation,
}


def information_of_points(rng, _):
    function = list(INFORMATION)[rng.integers(len(INFORMATION))]
    arguments = {"log_probs": fuzzed.log_probs(rng, 4)}

    def check(arguments, result):
        expected = INFORMATION[function](probs_of(arguments["log_probs"]))
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=2e-5)

    return Call(function, arguments, {"log_probs": "predictions, whole"}, check)


def information_of_pairs(rng, _):
    arguments = {"a": fuzzed.log_probs(rng, 4), "b": fuzzed.log_probs(rng, 5)}

    def check(arguments, result):
        expected = reference.pairwise_information(probs_of(arguments["a"]), probs_of(arguments["b"]))
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=2e-5)

    kinds = dict.fromkeys(arguments, "predictions, whole")
    return Call(information.pairwise_mutual_information, arguments, kinds, check)


FUNCTIONS = (
    *(acquire,) * 8,
    *(acquire_stream,) * 5,
    *(pure_method,) * 2,
    information_of_points,
    information_of_pairs,
    shard_pool,
    create_labelled_set,
    add_to_labelled_set,
    contained_in_labelled_set,
    sample_of_labelled_set,
    draw_balanced,
    create_examples,
    repeat_examples,
    labels_of_examples,
    evaluate,
    calibration,
    rounds,
)


def make(rng, methods) -> tuple[Call, dict[str, Any], set[str]]:
    """A call, its arguments as they are passed, and which of these are wrong."""
    call = FUNCTIONS[rng.integers(len(FUNCTIONS))](rng, methods)
    arguments = dict(call.arguments)
    present = [name for name in call.kinds if arguments.get(name) is not None]
    wrong = set()
    if rng.random() < 0.75:
        wrong = set(rng.choice(present, size=min(len(present), int(rng.integers(1, 3))), replace=False).tolist())
        if {"log_probs", "available"} <= call.kinds.keys() and "log_probs" in wrong:
            # Rows of points that are not available may hold anything.
            arguments["available"] = None
            wrong.discard("available")
    for name in present:
        cases = (fuzzed.WRONG if name in wrong else fuzzed.RIGHT).get(call.kinds[name])
        if cases and arguments[name] is not None:
            case = cases[rng.integers(len(cases))]
            arguments[name] = case(arguments[name], rng) if name in wrong else case(arguments[name])
    if call.function in (acquisition.acquire, acquisition.acquire_stream) and not wrong and rng.random() < 0.1:
        wrong = {"temperature"}
        arguments["temperature"] = 3
    return call, arguments, wrong


def run(call: Call, arguments: dict[str, Any], wrong: set[str]) -> None:
    """Makes the call and holds what comes of it against what is right."""
    try:
        result, error = call.function(**arguments), None
    except (TypeError, ValueError) as raised:
        result, error = None, raised
    if error is None:
        assert not wrong, f"taken for right: {result}"
        call.check(arguments, result)
    else:
        assert wrong, f"refused: {error}"
        assert set(re.findall(r"\w+", str(error))) & set(arguments), f"names no argument: {error}"
        place = traceback.extract_tb(error.__traceback__)[-1].filename
        assert pathlib.Path(lbb_jax.__file__).parent in pathlib.Path(place).parents, f"raised by {place}: {error}"


def run_calls(first: int, last: int, methods: tuple[str, ...]) -> None:
    """Runs the calls of the seeds from ``first`` to before ``last``; fails with all that went wrong."""

    def interrupt(*_):
        raise TimeoutError(f"took more than {SECONDS_PER_CALL} s")

    previous, failures = signal.signal(signal.SIGALRM, interrupt), []
    for seed in range(first, last):
        call, arguments, wrong = make(np.random.default_rng(seed), methods)
        signal.alarm(SECONDS_PER_CALL)
        try:
            run(call, arguments, wrong)
        # Whatever it is, it is to be shown with the call.
        except Exception as error:
            shown = reprlib.repr({name: arguments.get(name) for name in sorted(wrong)})
            failures.append(
                f"seed {seed}: {call.function.__name__}, method {arguments.get('method')!r}, wrong: {shown:.300}\n"
                f"    {type(error).__name__}: {str(error)[:300]}"
            )
        finally:
            signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)
    if failures:
        pytest.fail(f"{len(failures)} calls:\n" + "\n".join(failures[:20]), pytrace=False)


@pytest.fixture(autouse=True)
def one_block_size(monkeypatch):
    monkeypatch.setattr(blocks, "_SMALLEST_BLOCK", BLOCK * fuzzed.NUM_DRAWS * NUM_CLASSES)
    monkeypatch.setattr(blocks, "_LARGEST_BLOCK", BLOCK * fuzzed.NUM_DRAWS * NUM_CLASSES)


@pytest.mark.slow
def test_a_hundred_calls():
    run_calls(0, NUM_IN_SAMPLE, METHODS_OF_SAMPLE)


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(NUM_PARTS))
def test_ten_thousand_calls(part):
    size = NUM_CALLS // NUM_PARTS
    run_calls(part * size, (part + 1) * size, METHODS)
