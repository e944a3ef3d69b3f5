"""A stream's picks are those of the whole pool wherever the result says so, and it says so only where they are."""

import itertools
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from slow_parts import slow_but

from lbb_jax import acquisition, information
from lbb_jax.acquisition import blocks, stream_passes
from lbb_jax.acquisition.stored import open_predictions

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, BATCH_SIZE = 200, 8
# Every number of candidates is two programs for each method: there are few.
SOME = 30
TARGETS = reference.log32(reference.random_probs(7, 9, 6, 3))

METHODS = {
    "random": ("random", {}),
    "least_confident": ("least_confident", {}),
    "margin": ("margin", {}),
    "entropy": ("entropy", {}),
    "bald": ("bald", {}),
    "power_bald": ("power_bald", {"alpha": 2.0}),
    "batch_bald": ("batch_bald", {"num_samples": 50}),
    "lbb": ("lbb", {}),
    "lbb tree": ("lbb", {"redundancy": "tree"}),
    "power_lbb": ("power_lbb", {"alpha": 2.0}),
    "power_lbb tree": ("power_lbb", {"redundancy": "tree"}),
    "log_det": ("log_det", {}),
    "epig": ("epig", {"targets": TARGETS}),
    "epig power": ("epig", {"targets": TARGETS, "sampling": "power", "alpha": 2.0}),
    "bald softmax": ("bald", {"sampling": "softmax", "alpha": 8.0}),
}
# What they pick depends on what they have picked, so that few candidates need not be enough.
UNCERTAIN = ["lbb", "lbb tree", "power_lbb", "power_lbb tree", "log_det", "batch_bald"]


def pool(seed: int = 0, kind: str = "sharp") -> np.ndarray:
    """``log_probs[200, 6, 3]``, some points of which say much more than others."""
    probs = reference.random_probs(seed, NUM_POINTS, 6, 3, kind)
    weight = np.random.default_rng(seed).uniform(size=(NUM_POINTS, 1, 1)) ** 4
    return reference.log32(weight * probs + (1 - weight) * probs.mean(axis=1, keepdims=True))


def whole(name, log_probs, *, seed=0, **more):
    method, options = METHODS[name]
    return acquisition.acquire(
        jax.random.key(seed), log_probs, method=method, batch_size=BATCH_SIZE, **{**options, **more}
    )


def streamed(name, batches, *, seed=0, num_candidates=NUM_POINTS, batch_size=BATCH_SIZE, **more):
    method, options = METHODS[name]
    return acquisition.acquire_stream(
        jax.random.key(seed),
        batches,
        method=method,
        batch_size=batch_size,
        num_candidates=num_candidates,
        **{**options, **more},
    )


def assert_same(picked, expected):
    np.testing.assert_array_equal(picked.indices, expected.indices)
    np.testing.assert_allclose(picked.scores, expected.scores, rtol=1e-6, atol=5e-6)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    # Blocks of 32 points with 6 draws and 3 classes.
    monkeypatch.setattr(blocks, "_SMALLEST_BLOCK", 4 * 18)
    monkeypatch.setattr(blocks, "_LARGEST_BLOCK", 32 * 18)


@pytest.mark.parametrize("name", slow_but(METHODS, "lbb tree"))
def test_with_places_for_all_points_the_stream_is_the_pool(name):
    picked = streamed(name, np.split(pool(), [40, 41, 137]))
    assert picked.certified
    assert picked.slack == 0
    assert picked.num_points == NUM_POINTS
    assert picked.indices.dtype == jnp.int32
    assert_same(picked, whole(name, pool()))


@pytest.mark.parametrize(
    "name",
    slow_but(["random", "entropy", "power_bald", "bald softmax", "epig", "epig power"], "entropy"),
)
def test_methods_that_score_points_alone_need_no_more_places_than_picks(name):
    picked = streamed(name, [pool()], num_candidates=BATCH_SIZE)
    assert picked.certified
    assert_same(picked, whole(name, pool()))


def test_all_points_of_a_stream_can_be_picked():
    picked = streamed("bald", [pool()[:BATCH_SIZE]])
    assert picked.certified
    assert sorted(picked.indices.tolist()) == list(range(BATCH_SIZE))


def test_a_batch_of_one_point_is_the_best_of_the_pool():
    picked = streamed("bald", [pool()], batch_size=1)
    assert picked.certified
    np.testing.assert_array_equal(picked.indices, [np.argmax(information.mutual_information(pool()))])


@pytest.mark.parametrize("name", slow_but(UNCERTAIN, "lbb tree"))
def test_a_certified_batch_is_that_of_the_whole_pool(name):
    num_certified = 0
    for seed in range(40):
        kind = reference.KINDS[seed % len(reference.KINDS)]
        picked = streamed(name, [pool(seed, kind)], seed=seed, num_candidates=SOME)
        if picked.certified:
            num_certified += 1
            assert_same(picked, whole(name, pool(seed, kind), seed=seed))
        else:
            assert picked.slack >= 0
            assert picked.num_candidates_needed > SOME
    # The others can be certified only now and then.
    assert num_certified >= 10 or name in ("lbb", "batch_bald")


ORDERS = ("as it comes", "ascending", "descending", "copies", "ties", "NaN")


def ordered_pool(order: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A pool in an order that a rising threshold may stumble over, and which of its points are available."""
    log_probs, available = pool(seed), np.ones(NUM_POINTS, bool)
    by_worth = np.argsort(np.asarray(information.mutual_information(log_probs)))
    if order == "ascending":
        log_probs = log_probs[by_worth]
    elif order == "descending":
        log_probs = log_probs[by_worth[::-1]]
    elif order == "copies":
        log_probs = np.tile(log_probs[: NUM_POINTS // 10], (10, 1, 1))
    elif order == "ties":
        # The same BALD, whatever the classes are called.
        log_probs = np.concatenate([log_probs[:70][:, :, list(names)] for names in ([0, 1, 2], [1, 2, 0], [2, 0, 1])])
        log_probs = log_probs[:NUM_POINTS]
    elif order == "NaN":
        available = np.random.default_rng(seed).uniform(size=NUM_POINTS) < 0.7
        log_probs = np.where(available[:, None, None], log_probs, np.nan)
    return log_probs, available


@pytest.mark.slow
@pytest.mark.parametrize("name", UNCERTAIN)
def test_a_threshold_that_rises_certifies_only_what_is_so(name, monkeypatch):
    # It rises from 16 points on, as the batch from the best 8 of those kept says.
    monkeypatch.setattr(stream_passes, "_FIRST_RISE", 16)
    monkeypatch.setattr(stream_passes, "_SAMPLE", 8)
    monkeypatch.setattr(stream_passes, "_SAMPLE_PER_PICK", 1)
    num_certified = 0
    for seed, order in itertools.product(range(4), ORDERS):
        log_probs, available = ordered_pool(order, seed)
        parts = zip(np.split(log_probs, 8), np.split(available, 8), strict=True)
        picked = streamed(name, parts, seed=seed, num_candidates=SOME + 30 * (seed % 2))
        if picked.certified:
            num_certified += 1
            assert picked.slack == 0
            assert_same(picked, whole(name, log_probs, seed=seed, available=available))
        else:
            assert picked.slack >= 0
    assert num_certified >= 6 or name in ("lbb", "batch_bald")


def test_a_threshold_that_rises_leaves_out_few_that_could_be_picked(monkeypatch):
    monkeypatch.setattr(stream_passes, "_FIRST_RISE", 16)
    monkeypatch.setattr(stream_passes, "_SAMPLE", 12)
    monkeypatch.setattr(stream_passes, "_SAMPLE_PER_PICK", 1)
    kept = []
    monkeypatch.setattr(stream_passes.KeptPoints, "settle", lambda places: kept.append(places.size))
    for seed in range(4):
        picked = streamed("lbb tree", np.split(pool(seed), 8), seed=seed)
        assert picked.certified
        assert_same(picked, whole("lbb tree", pool(seed), seed=seed))
    assert max(kept) < NUM_POINTS // 2


def test_a_stream_may_fill_the_same_array_again_and_again():
    for length in (5, 32, 200):

        def blocks(length=length):
            array = np.empty((length, 6, 3), np.float32)
            for start in range(0, NUM_POINTS, length):
                part = pool()[start : start + length]
                array[: len(part)] = part
                yield array[: len(part)]
                array[:] = 0

        assert_same(streamed("lbb tree", blocks()), whole("lbb tree", pool()))


@pytest.mark.parametrize("name", slow_but(UNCERTAIN, "lbb"))
def test_a_stream_that_can_be_read_again_is_certified(name, monkeypatch):
    # Some twenty challengers at a time, beside contenders of which there may be 32.
    monkeypatch.setattr(stream_passes, "_CHALLENGERS_PER_PICK", 2)
    monkeypatch.setattr(stream_passes, "_NUMBERS_OF_CHALLENGERS", 20 * 18)
    num_passes = []
    for seed, order in itertools.product(range(3), ORDERS):
        log_probs, available = ordered_pool(order, seed)
        parts = list(zip(np.split(log_probs, 8), np.split(available, 8), strict=True))
        picked = streamed(name, lambda parts=parts: iter(parts), seed=seed, num_candidates=BATCH_SIZE + 1)
        assert picked.certified
        assert picked.slack == 0
        assert_same(picked, whole(name, log_probs, seed=seed, available=available))
        num_passes.append(picked.num_passes)
    assert max(num_passes) > 1


@pytest.mark.slow
def test_a_file_is_read_again_until_its_picks_are_certified(tmp_path):
    path = tmp_path / "log_probs.npy"
    np.save(path, pool())
    for max_passes in (1, 2, 8):
        picked = streamed("lbb", path, num_candidates=SOME, max_passes=max_passes)
        assert picked.num_passes <= max_passes
        if picked.certified:
            assert_same(picked, whole("lbb", pool()))
        else:
            assert picked.num_passes == max_passes
            assert picked.slack > 0
    assert picked.certified


def test_an_iterator_is_read_once():
    picked = streamed("lbb", iter([pool()]), num_candidates=SOME)
    assert (picked.certified, picked.num_passes) == (False, 1)


def test_a_stream_that_holds_other_points_when_read_again_is_an_error():
    lengths = iter([200, 150])
    with pytest.raises(ValueError, match="held 200 points when it was read first, and 150 when it was read again"):
        streamed("lbb", lambda: [pool()[: next(lengths)]], num_candidates=SOME)


def test_what_cannot_be_certified_says_how_far_it_is():
    # Pairwise gains go below 0, and every point left out is worth at least 0 by itself.
    picked = streamed("lbb", [pool()], num_candidates=SOME)
    assert float(picked.scores[-1]) < 0
    assert not picked.certified
    left_out = np.sort(np.asarray(information.mutual_information(pool())))[-SOME - 1]
    np.testing.assert_allclose(picked.slack, left_out - float(picked.scores.min()), atol=1e-6)
    assert picked.num_candidates_needed == NUM_POINTS


@pytest.mark.slow
def test_as_many_candidates_as_it_asks_for_certify():
    picked = streamed("lbb tree", [pool()], num_candidates=9)
    assert not picked.certified
    assert 9 < picked.num_candidates_needed < NUM_POINTS
    # An estimate from bins of the scores: a few more make up for those.
    again = streamed("lbb tree", [pool()], num_candidates=picked.num_candidates_needed + 5)
    assert again.certified
    assert_same(again, whole("lbb tree", pool()))


@pytest.mark.parametrize("name", slow_but(["bald", "lbb tree", "power_lbb tree"], "lbb tree"))
def test_neither_blocks_nor_the_lengths_read_matter(name, monkeypatch):
    expected = streamed(name, [pool()], num_candidates=SOME)
    monkeypatch.setattr(blocks, "_LARGEST_BLOCK", 7 * 18)
    picked = streamed(name, (pool()[start : start + 3] for start in range(0, NUM_POINTS, 3)), num_candidates=SOME)
    assert_same(picked, expected)
    assert picked.certified == expected.certified


@pytest.mark.parametrize("name", slow_but(METHODS, "lbb tree"))
def test_only_available_points_take_part(name):
    available = np.arange(NUM_POINTS) % 3 != 0
    log_probs = np.where(available[:, None, None], pool(), np.nan)
    parts = list(zip(np.split(log_probs, 4), np.split(available, 4), strict=True))
    picked = streamed(name, parts)
    assert picked.certified
    assert_same(picked, whole(name, log_probs, available=available))


def test_equal_points_go_to_the_lowest_index():
    log_probs = np.repeat(pool()[:1], NUM_POINTS, axis=0)
    picked = streamed("bald", [log_probs], num_candidates=BATCH_SIZE)
    np.testing.assert_array_equal(picked.indices, np.arange(BATCH_SIZE))


def test_a_file_is_mapped(tmp_path):
    path = tmp_path / "log_probs.npy"
    np.save(path, pool())
    assert_same(streamed("lbb tree", path), whole("lbb tree", pool()))
    assert_same(streamed("lbb tree", str(path)), whole("lbb tree", pool()))


def test_no_file_is_unpickled(tmp_path):
    path = tmp_path / "log_probs.npy"
    np.save(path, np.array([object()]), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        streamed("bald", path)


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "log_probs.npy", pool())
    assert_same(streamed("bald", "~/log_probs.npy"), whole("bald", pool()))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "is a folder"),
        ("missing.npy", "there is no such file"),
        ("pool.npz", "is an archive of arrays"),
        ("cut.npy", "is no whole .npy file"),
        ("empty.npy", "is no whole .npy file"),
        ("flat.npy", "must be \\[N, K, C\\]"),
    ],
)
def test_files_that_are_no_predictions_are_named(name, message, tmp_path):
    (tmp_path / "folder").mkdir()
    np.savez(tmp_path / "pool.npz", log_probs=pool())
    np.save(tmp_path / "flat.npy", pool()[0])
    np.save(tmp_path / "cut.npy", pool())
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-500])
    (tmp_path / "empty.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=f"^batches=.*{name}.*{message}"):
        streamed("bald", tmp_path / name)


@pytest.mark.parametrize("length", [3, 9, 40, 79, 127])
def test_a_file_cut_off_anywhere_is_named(length, tmp_path):
    path = tmp_path / "log_probs.npy"
    np.save(path, pool())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"^batches=.*log_probs\.npy: is no whole \.npy file"):
        streamed("bald", path)


def test_a_file_with_a_damaged_header_is_named_or_read(tmp_path):
    path = tmp_path / "log_probs.npy"
    np.save(path, pool())
    content, errors = path.read_bytes(), []
    for place, damage in itertools.product(range(6, 128), (b"(", b"x")):
        path.write_bytes(content[:place] + damage + content[place + 1 :])
        try:
            shape = open_predictions(path, name="batches").shape
        except ValueError as error:
            errors.append(str(error))
        else:
            assert shape == pool().shape
    assert errors
    assert [error for error in errors if not error.startswith(f"batches={path}")] == []


def test_half_precision_in_a_stream_is_that_of_acquire():
    halves = pool().astype(np.float16)
    assert_same(streamed("bald", [halves]), whole("bald", halves))


def test_arrays_of_other_kinds_are_taken():
    parts = [jnp.asarray(pool()[:50]), pool()[50:].astype(np.float64)]
    assert_same(streamed("bald", parts), whole("bald", pool()))


def test_a_second_stream_compiles_nothing(compilations):
    streamed("power_lbb tree", [pool()], num_candidates=SOME)
    compilations.clear()
    streamed("power_lbb tree", [pool(1)[:150], pool(2)], num_candidates=SOME, seed=1)
    assert not compilations


@pytest.mark.slow
@pytest.mark.parametrize("num_candidates", [BATCH_SIZE, SOME])
def test_memory_does_not_grow_with_the_stream_on_the_host(num_candidates):
    def peak(num_blocks: int) -> int:
        parts = (pool(block) for block in range(num_blocks))
        tracemalloc.start()
        try:
            streamed("lbb tree", parts, num_candidates=num_candidates)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(3)
    # A twentieth of what the longer stream holds more; peaks vary by some kilobytes with the collection of garbage.
    assert peak(360) - peak(30) < 330 * pool(0).nbytes / 20


def test_memory_does_not_grow_with_the_stream():
    alive = []

    def blocks():
        for _ in range(30):
            alive.append(sum(array.nbytes for array in jax.live_arrays()))
            yield pool()

    streamed("lbb tree", blocks(), num_candidates=SOME)
    assert max(alive[5:]) <= max(alive[:5])


@pytest.mark.parametrize(
    ("batches", "options", "message"),
    [
        ([], {}, "batches: holds no points"),
        ([np.zeros((0, 6, 3), np.float32)], {}, "batches: holds no points"),
        ([np.zeros((4, 3), np.float32)], {}, "must be \\[N, K, C\\]"),
        ([pool(), pool()[:, :2]], {}, "a block of shape \\(200, 2, 3\\) after others of \\[n, 6, 3\\]"),
        ([np.exp(pool())], {}, "log_probs\\[0, 0\\]: the probabilities sum to"),
        ([pool(), np.full((1, 6, 3), np.nan, np.float32)], {}, "log_probs\\[200, 0\\] holds NaN"),
        ([(pool(), np.ones(3, bool))], {}, "batches, block 0: available has dtype bool and shape \\(3,\\)"),
        ([pool()[:4]], {}, "batch_size=8: must be at most the 4 available points"),
        ([(pool(), None, 1)], {}, "batches, block 0: is a tuple of 3"),
        (
            [pool()],
            {"num_candidates": 10**9},
            "num_candidates=1000000000: .* take 80,000,000,000 bytes.*at most 53,687,091",
        ),
        ([pool()], {"num_candidates": 7}, "batch_size=8: must be between 1 and num_candidates=7"),
        ([pool()], {"num_candidates": 0}, "num_candidates=0: must be at least 1"),
        ([pool()], {"batch_size": 0}, "batch_size=0: must be between 1"),
    ],
)
def test_bad_input_is_an_error_that_names_it(batches, options, message):
    with pytest.raises(ValueError, match=message):
        streamed("lbb tree", batches, **options)


def test_nothing_of_a_stream_is_read_before_the_arguments_are_checked():
    def blocks():
        pytest.fail("it was read")
        yield

    for wrong in (
        {"key": None},
        {"batch_size": 0},
        {"num_candidates": 1.5},
        {"alpha": -1.0},
        {"method": ["power_bald"]},
    ):
        arguments = {"key": jax.random.key(0), "method": "power_bald", "batch_size": 2} | wrong
        with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
            acquisition.acquire_stream(batches=blocks(), **arguments)


def test_what_is_no_block_is_refused():
    with pytest.raises(TypeError, match="batches, block 1, log_probs: a list is not an array"):
        streamed("bald", [pool(), [pool()]])


@pytest.mark.parametrize("batches", [3, None, pool()])
def test_what_is_no_stream_is_refused(batches):
    with pytest.raises(TypeError, match="not an iterable of blocks"):
        streamed("bald", batches)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("lbb_released", {}, "method='lbb_released': does not say how it is streamed; use acquire"),
        ("core_set", {"embeddings": np.ones((200, 2))}, "method='core_set': does not say how it is streamed"),
        ("badge", {}, "method='badge': does not say how it is streamed"),
        ("epig", {}, r"targets=None: method 'epig' takes its targets from the whole pool.*pass targets=\.\.\."),
        ("epig", {"targets": TARGETS[:, :4]}, r"targets has shape \(9, 4, 3\): must be \[T, 6, 3\]"),
        ("bald", {"sampling": "softrank"}, "sampling='softrank': ranks each point among the whole pool.*'softmax'"),
    ],
)
def test_what_needs_the_whole_pool_is_refused(method, options, message):
    with pytest.raises(ValueError, match=message):
        acquisition.acquire_stream(jax.random.key(0), [pool()], method=method, batch_size=2, **options)


def largest_probability(log_probs, *, draw):
    return -jnp.max(log_probs[:, draw], axis=-1)


def unsure(key, log_probs, available, *, batch_size, draw=0):
    """A method that the project does not know: the least confident points of one draw."""
    scores, indices = jax.lax.top_k(
        jnp.where(available, largest_probability(log_probs, draw=draw), -jnp.inf), batch_size
    )
    return acquisition.Acquisition(indices, scores)


def test_a_new_method_is_streamed_if_it_says_how():
    with pytest.raises(ValueError, match=r"method='unsure': does not say how it is streamed.*acquisition\.Stream"):
        acquisition.acquire_stream(jax.random.key(0), [pool()], method=unsure, batch_size=2)
    row = acquisition.Method(unsure, stream=acquisition.Stream(largest_probability))
    arguments = {"method": row, "batch_size": BATCH_SIZE, "draw": 2}
    picked = acquisition.acquire_stream(jax.random.key(0), np.split(pool(), 4), num_candidates=SOME, **arguments)
    assert picked.certified
    assert_same(picked, acquisition.acquire(jax.random.key(0), pool(), **arguments))


def test_scores_that_are_no_numbers_are_refused():
    row = acquisition.Method(unsure, stream=acquisition.Stream(lambda log_probs, **_: log_probs[:, 0, 0] * jnp.nan))
    with pytest.raises(ValueError, match=r"stream\.scores: is NaN for point 0"):
        acquisition.acquire_stream(jax.random.key(0), [pool()], method=row, batch_size=2)


def test_scores_that_are_not_one_a_point_are_refused():
    row = acquisition.Method(unsure, stream=acquisition.Stream(lambda log_probs, **_: log_probs[:, 0]))
    with pytest.raises(ValueError, match=r"stream\.scores: returned shape \(\d+, 3\); must return one score"):
        acquisition.acquire_stream(jax.random.key(0), [pool()], method=row, batch_size=2)


def test_unknown_methods_and_options_are_refused():
    with pytest.raises(ValueError, match="method='bogus'"):
        acquisition.acquire_stream(jax.random.key(0), [pool()], method="bogus", batch_size=2)
    with pytest.raises(ValueError, match="alpha"):
        acquisition.acquire_stream(jax.random.key(0), [pool()], method="log_det", batch_size=2, alpha=2.0)


@pytest.mark.parametrize("name", ["bald", "lbb"])
@pytest.mark.parametrize(
    "size", [{"batch_size": 10**9, "num_candidates": None}, {"num_candidates": 10**9, "batch_size": 4}]
)
def test_more_points_than_memory_holds_are_refused(name, size):
    argument = next(iter(size))
    with pytest.raises(ValueError, match=rf"^{argument}=1000000000: their predictions of .* draws .* bytes"):
        streamed(name, [pool()], **size)
