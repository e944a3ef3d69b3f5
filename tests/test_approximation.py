"""The approximation study: its estimates against the reference, and its records against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from scipy.stats import spearmanr

from lbb_jax import experiment
from paper.approximation import estimates, predictions, released_score, study
from paper.approximation.predictions import Predictions

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, NUM_DRAWS, NUM_CLASSES = 24, 4, 3
PROBS = reference.random_probs(3, NUM_POINTS, NUM_DRAWS, NUM_CLASSES, "sharp")
POOL = Predictions(jnp.asarray(reference.log32(PROBS)), "some source", "24 points", seed=7)
METHODS = "random,bald,batch_bald:num_samples=30"


@pytest.fixture(scope="module")
def records(quick_compilation):
    variants = experiment.parse_methods(METHODS)
    with pytest.MonkeyPatch.context() as patch:
        # Fewer sizes are fewer programs to compile.
        patch.setattr(study, "SIZES", (2, 3, 10, 50))
        patch.setattr(study, "SIZES_OF_VARIATIONS", (3,))
        return study.measure(jax.random.key(0), POOL, variants, batch_size=10, repetitions=2, num_samples=4_000)


def of(records, measurement):
    return [record for record in records if record["measurement"] == measurement]


def test_small_batches_are_exact():
    batch = PROBS[:3]
    result = jax.jit(estimates.estimate, static_argnames="num_samples")(
        jax.random.key(0), POOL.log_probs[:3], num_samples=2
    )
    assert result.standard_error == 0
    expected = (
        reference.total_correlation(batch),
        reference.batch_bald(batch),
        0,
        reference.bald(batch).sum(),
        reference.pairwise_total_correlation(batch),
        reference.third_order_total_correlation(batch),
        reference.tree_total_correlation(batch),
    )
    np.testing.assert_allclose(result, expected, atol=2e-6)


@pytest.mark.slow
def test_sampled_information_is_unbiased_and_knows_its_error():
    sample = jax.jit(estimates.sampled_joint_information, static_argnames="num_samples")
    values, errors = np.array(
        [sample(jax.random.key(seed), POOL.log_probs[:3], num_samples=1_000) for seed in range(30)]
    ).T
    exact = reference.batch_bald(PROBS[:3])
    assert abs(values.mean() - exact) < 4 * values.std() / np.sqrt(30)
    # Stratified draws only make it more exact than it says.
    assert 0.5 * errors.mean() < values.std() < 1.3 * errors.mean()


@pytest.mark.parametrize(("num_points", "num_classes", "exact"), [(6, 10, True), (7, 2, False), (4, 100, False)])
def test_batches_are_exact_up_to_six_points_and_as_far_as_they_can_be_enumerated(num_points, num_classes, exact):
    assert estimates.is_exact(num_points, num_classes) is exact


@pytest.mark.parametrize(("num_classes", "groups"), [(1, [[0, 1, 2]]), (2, [[0, 1], [2]]), (3, [[0], [1], [2]])])
def test_merged_classes_have_the_probabilities_of_their_members(num_classes, groups):
    merged = predictions.merge_classes(POOL.log_probs, num_classes)
    expected = np.stack([PROBS[..., group].sum(axis=-1) for group in groups], axis=-1)
    np.testing.assert_allclose(np.exp(merged), expected, atol=1e-6)


@pytest.mark.slow
def test_all_sizes_are_measured_and_in_some_fewer_draws_and_merged_classes(records):
    for kind, count in (("highest BALD", 1), ("random points", 2)):
        found = [(record["K"], record["C"], record["b"]) for record in records if record.get("batch") == kind]
        expected = [(4, 3, size) for size in (2, 3, 10)] + [(2, 3, 3), (4, 2, 3)]
        assert sorted(found) == sorted(expected * count)
    picked = [(record["variant"], record["repetition"]) for record in of(records, "picks") if record["b"] == 2]
    assert picked == [("Random", 0), ("Random", 1), ("BALD", 0), ("BatchBALD", 0)]
    assert {record["is_exact"] for record in records if record.get("b") == 10} == {False}
    assert max(record["standard_error"] for record in records if record.get("b") == 10) > 0
    assert all((record["source"], record["reduced"], record["seed"]) == POOL[1:] for record in records)


@pytest.mark.slow
def test_the_measurements_of_every_batch_keep_the_identities(records):
    for record in of(records, "approximation") + of(records, "picks"):
        total = record["total_correlation"] + record["joint_information"]
        assert total == pytest.approx(record["sum_of_bald"], abs=1e-5)
        assert record["pairs_twice"] == pytest.approx(2 * record["pairs_once"], abs=2e-6)
        assert record["joint_information"] <= np.log(record["K"])
        slack = 5 * record["standard_error"] + 1e-5
        assert record["tree"] <= record["total_correlation"] + slack
        assert record["standard_error"] == 0 or not record["is_exact"]
        if record["b"] == 2:
            assert record["tree"] == pytest.approx(record["total_correlation"], abs=1e-5)
            assert record["pairs_once"] == pytest.approx(record["total_correlation"], abs=1e-5)
        if record["b"] <= 3:
            assert record["pairs_and_triples"] == pytest.approx(record["total_correlation"], abs=1e-5)


@pytest.mark.slow
def test_the_highest_bald_of_fewer_draws_is_that_of_the_first_draws(records):
    best = np.argsort(-reference.bald(PROBS[:, :2]))[:3]
    (record,) = [record for record in records if record.get("batch") == "highest BALD" and record["K"] == 2]
    assert record["sum_of_bald"] == pytest.approx(reference.bald(PROBS[best, :2]).sum(), abs=1e-5)
    assert record["total_correlation"] == pytest.approx(reference.total_correlation(PROBS[best, :2]), abs=1e-5)


@pytest.mark.slow
def test_the_released_redundancy_is_what_its_score_takes_off_bald(records):
    best = np.argsort(-reference.bald(PROBS))[:3]
    added = (reference.released_scores(PROBS) - reference.bald(PROBS))[best].sum()
    (record,) = [record for record in of(records, "picks") if record["variant"] == "BALD" and record["b"] == 3]
    assert record["released"] == pytest.approx(-added, abs=1e-4)


@pytest.mark.slow
def test_overlap_is_the_share_of_picks_that_batch_bald_makes_too(records):
    overlaps = {(record["variant"], record["b"]): record["overlap"] for record in of(records, "picks")}
    assert {overlap for (variant, _), overlap in overlaps.items() if variant == "BatchBALD"} == {1.0}

    def batch_bald(batch):
        return reference.batch_bald_gains(PROBS, batch)

    greedy = set(reference.greedy(batch_bald, NUM_POINTS, 3)[0])
    highest = set(np.argsort(-reference.bald(PROBS))[:3].tolist())
    assert overlaps["BALD", 3] == pytest.approx(len(greedy & highest) / 3)


@pytest.mark.slow
def test_rank_correlations_are_those_of_the_scores(records):
    (record,) = of(records, "released_score")
    bald = reference.bald(PROBS)
    score = reference.released_scores(PROBS)
    counts = PROBS.sum(axis=0)
    expected = {
        "predictive entropy": reference.marginal_entropy(PROBS),
        "conditional entropy": reference.conditional_entropy(PROBS),
        "BALD": bald,
        "EPIG": reference.epig_scores(PROBS),
        "confidence": PROBS.mean(axis=1).max(axis=-1),
        "class counts": [sum(np.cov(point[:, c], counts[:, c])[0, 1] for c in range(NUM_CLASSES)) for point in PROBS],
    }
    for name, values in expected.items():
        assert record["score"][name] == pytest.approx(spearmanr(score, values).statistic, abs=0.01)
        added = score - bald
        assert record["agreement"][name] == pytest.approx(spearmanr(added, values).statistic, abs=0.01)
        assert record["size_of_agreement"][name] == pytest.approx(spearmanr(abs(added), values).statistic, abs=0.01)
    assert (record["in_last_chunk"], record["highest_in_last_chunk"]) == (1, 1)
    assert record["share_below_zero"] == pytest.approx(np.mean(score < bald), abs=1e-4)
    shared = set(np.argsort(-score)[:10]) & set(np.argsort(-bald)[:10])
    assert record["overlap"]["BALD"] == len(shared) / 10


def test_scores_that_are_all_the_same_have_no_rank_correlation():
    same = Predictions(jnp.full_like(POOL.log_probs, -jnp.log(NUM_CLASSES)), "the same for all points")
    record = released_score.correlations(jax.random.key(0), same, num_targets=study.NUM_TARGETS, batch_size=2)
    assert set(record["agreement"].values()) == {None}


def test_a_batch_larger_than_the_pool_is_an_error():
    with pytest.raises(ValueError, match="batch_size=25: must be between 2 and the pool's 24 points"):
        study.measure(jax.random.key(0), POOL, {}, batch_size=25, repetitions=1, num_samples=2)


def test_predictions_of_a_file_are_checked(tmp_path):
    np.save(tmp_path / "log_probs.npy", reference.log64(PROBS))
    loaded = predictions.from_file(tmp_path / "log_probs.npy")
    np.testing.assert_array_equal(loaded.log_probs, POOL.log_probs)
    assert (loaded.source, loaded.reduced, loaded.seed) == ("log_probs", "", 0)
    np.save(tmp_path / "probs.npy", PROBS)
    with pytest.raises(ValueError, match=r"probs.npy\[0, 0\]: the probabilities sum to"):
        predictions.from_file(tmp_path / "probs.npy")
    np.save(tmp_path / "flat.npy", PROBS[0])
    with pytest.raises(ValueError, match=r"flat.npy has shape \(4, 3\): must be \[N, K, C\]"):
        predictions.from_file(tmp_path / "flat.npy")


@pytest.mark.slow
def test_a_posterior_predicts_the_points_that_it_was_not_trained_on(training_settings):
    config = experiment.default_config()
    config.dataset.num_pool, config.dataset.num_test = 60, 10
    config.network.hidden_sizes = (8,)
    config.posterior.num_members = 2
    config.training.num_steps = 2
    config.acquisition.method = "random"
    first, second = predictions.of_posterior(config, num_labels=20, num_seeds=2)
    assert first.log_probs.shape == second.log_probs.shape == (40, 2, 10)
    np.testing.assert_allclose(np.exp(first.log_probs).sum(axis=-1), 1, atol=1e-5)
    assert not np.array_equal(first.log_probs, second.log_probs)
    assert (first.source, first.seed) == ("digits, deep ensemble, 20 labels", 0)
    assert first.reduced == "60 base images, 10 test images, 2 training steps"
    for num_labels in (0, 60, 61):
        with pytest.raises(
            ValueError, match=rf"^--labels={num_labels}: must be between 1 and 59; the pool has 60 points"
        ):
            next(predictions.of_posterior(config, num_labels=num_labels, num_seeds=1, name="--labels"))
