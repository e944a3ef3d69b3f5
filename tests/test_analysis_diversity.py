import jax
import numpy as np
import pytest
import run_folders

from lbb_jax import analysis, examples

CONFIG = {
    **{"dataset.num_pool": 40, "dataset.num_test": 10, "dataset.copies": 2, "dataset.noise": 0.1},
    **{"initial_size": 10, "batch_size": 4, "training.num_steps": 3},
}


def pool(labels=(0, 1, 2, 1), copies=2):
    """Four base examples, of which the second and the fourth are of the same class."""
    created = examples.create(np.zeros((len(labels), 2, 2, 1), np.uint8), np.array(labels), mean=0.0, std=1.0)
    return examples.repeat(jax.random.key(0), created, copies=copies, noise=0.0)


def write_run(folder, batches, **overrides):
    return run_folders.write(folder, ((0.5,) * len(batches),), batches=batches, **(CONFIG | overrides))


def test_acquired_points_come_in_their_order_and_the_last_round_has_none(tmp_path):
    acquired = analysis.load_acquired([write_run(tmp_path, [[5, 1, 3, 2], [7, 0, 4, 6], []])])
    assert acquired["index"].tolist() == [5, 1, 3, 2, 7, 0, 4, 6]
    assert acquired["order"].tolist() == [0, 1, 2, 3] * 2
    assert acquired["labels"].tolist() == [10] * 4 + [14] * 4
    assert acquired["gain"].tolist() == pytest.approx([0.5, 0.25, 0.5 / 3, 0.125] * 2)
    assert set(acquired["variant"]) == {"BALD"}
    assert set(acquired["reduced"]) == {"40 base images, 10 test images, 3 training steps"}


def test_copies_count_once_and_classes_have_their_entropy(tmp_path):
    # Of four base examples in two copies: 0 and 4, and 1 and 5, show the same image.
    acquired = analysis.load_acquired([write_run(tmp_path, [[0, 4, 1, 5], [0, 1, 2, 7], [3, 1, 7, 5]])])
    diversity = analysis.batch_diversity(acquired, pool())
    assert diversity["distinct"].tolist() == [2, 4, 2]
    assert diversity["distinct_share"].tolist() == [0.5, 1, 0.5]
    # The labels are 0, 0, 1, 1; then 0, 1, 2, 1; then 1 alone.
    uneven = -(2 * 0.25 * np.log(0.25) + 0.5 * np.log(0.5))
    np.testing.assert_allclose(diversity["class_entropy"], [np.log(2), uneven, 0], atol=1e-12)
    # Four labels of three classes are at best two of one and one of each other.
    np.testing.assert_allclose(diversity["max_class_entropy"], uneven)
    summary = analysis.summarise_diversity(diversity).loc["BALD"]
    assert (summary["batches"], summary["distinct"], summary["fewest_distinct"]) == (3, 2.667, 2)


def test_an_index_beyond_the_pool_is_an_error(tmp_path):
    acquired = analysis.load_acquired([write_run(tmp_path, [[0, 8]])])
    with pytest.raises(ValueError, match="index 8: the pool has 8 examples"):
        analysis.batch_diversity(acquired, pool())


def test_the_pool_is_that_of_the_configuration(tmp_path):
    loaded = analysis.load_pool([write_run(tmp_path, [[0]])])
    assert (loaded.num_base, loaded.copies, loaded.noise) == (40, 2, 0.1)


def test_runs_on_different_data_have_no_pool_in_common(tmp_path):
    paths = [write_run(tmp_path / "a", [[0]]), write_run(tmp_path / "b", [[0]], **{"dataset.copies": 4})]
    with pytest.raises(ValueError, match="pass runs of one data set"):
        analysis.load_pool(paths)
