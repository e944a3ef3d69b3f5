"""The adapters inside the libraries that they are for: the same picks as `acquire`."""

import jax
import numpy as np
import pytest
from sklearn import datasets, ensemble, linear_model

from lbb_jax import acquisition


def expected(log_probs, number, **arguments):
    key = jax.random.fold_in(jax.random.key(3), number)
    return np.asarray(acquisition.acquire(key, log_probs, **arguments).indices)


@pytest.fixture(scope="module")
def wine():
    features, labels = datasets.load_wine(return_X_y=True)
    return features, labels, np.arange(0, len(labels), 6)


class TestSkactiveml:
    @pytest.fixture(autouse=True)
    def library(self):
        pytest.importorskip("skactiveml")

    @pytest.mark.parametrize("method", ["lbb", "power_lbb"])
    def test_the_trees_of_a_forest_are_draws(self, wine, method):
        from skactiveml.classifier import SklearnClassifier

        from lbb_jax.adapters.skactiveml import LargeBatchQuery

        features, labels, known = wine
        partly = np.full(len(labels), np.nan)
        partly[known] = labels[known]
        forest = SklearnClassifier(ensemble.RandomForestClassifier(10, random_state=0), classes=[0, 1, 2])
        forest.fit(features, partly)
        strategy = LargeBatchQuery(method, {"redundancy": "tree"}, random_state=3)
        probs = np.stack([tree.predict_proba(features) for tree in forest.estimator_.estimators_], axis=1)
        with np.errstate(divide="ignore"):
            log_probs = np.log(probs).astype(np.float32)
        for number in range(2):
            picks = strategy.query(features, forest, batch_size=5)
            assert (
                picks.tolist() == expected(log_probs, number, method=method, redundancy="tree", batch_size=5).tolist()
            )

    def test_classes_that_a_member_lacks_have_probability_0(self, wine):
        from lbb_jax.adapters.skactiveml import LargeBatchQuery, member_log_probs

        features, labels, _ = wine
        names = np.array(["a", "b", "c"])[labels]
        members = [
            linear_model.LogisticRegression(max_iter=5000).fit(features[keep], names[keep])
            for keep in (labels != 0, labels != 1, labels != 2)
        ]
        log_probs = member_log_probs(features, members)
        assert log_probs.shape == (len(features), 3, 3)
        assert np.all(log_probs[:, [0, 1, 2], [0, 1, 2]] == -np.inf)
        np.testing.assert_allclose(np.exp(log_probs[:, 0, 1:]), members[0].predict_proba(features), rtol=1e-5)
        picks = LargeBatchQuery("bald", random_state=3).query(features, members, 4)
        assert picks.tolist() == expected(log_probs, 0, method="bald", batch_size=4).tolist()

    def test_it_is_an_estimator_with_parameters(self):
        from sklearn.base import clone

        from lbb_jax.adapters.skactiveml import LargeBatchQuery

        copy = clone(LargeBatchQuery("lbb", {"pair_weight": 2.0}, random_state=1))
        assert copy.get_params() == {"method": "lbb", "options": {"pair_weight": 2.0}, "random_state": 1}


# Its logging warns of what Python will remove.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestBaal:
    @pytest.fixture(autouse=True)
    def library(self):
        pytest.importorskip("baal")

    @pytest.mark.parametrize("method", ["lbb", "power_lbb"])
    def test_the_loop_labels_what_acquire_picks(self, method):
        from baal.active import ActiveLearningDataset
        from baal.active.active_loop import ActiveLearningLoop

        from lbb_jax.adapters.baal import LargeBatch

        probs = np.random.default_rng(0).dirichlet(np.ones(3), size=(60, 8)).astype(np.float32)
        pool = ActiveLearningDataset(list(range(60)))
        loop = ActiveLearningLoop(
            pool,
            lambda subset: np.swapaxes(probs[[subset[row] for row in range(len(subset))]], 1, 2),
            LargeBatch(5, method, seed=3, redundancy="tree"),
            query_size=5,
        )
        left = np.arange(60)
        for number in range(2):
            arguments = {"method": method, "redundancy": "tree", "batch_size": 5}
            picks = left[expected(np.log(probs[left]), number, **arguments)]
            assert loop.step()
            left = np.setdiff1d(left, picks)
            assert np.flatnonzero(~pool.labelled).tolist() == left.tolist()

    def test_logits_and_generators_are_read(self):
        from lbb_jax.adapters.baal import LargeBatch

        logits = np.random.default_rng(0).normal(size=(20, 3, 6)).astype(np.float32) * 4
        log_probs = np.swapaxes(np.asarray(jax.nn.log_softmax(logits, axis=1)), 1, 2)
        picks = expected(log_probs, 0, method="bald", batch_size=4)
        for predictions in (logits, (block for block in np.split(logits, 4))):
            ranks, scores = LargeBatch(4, "bald", seed=3).get_ranks(predictions)
            assert ranks[:4].tolist() == picks.tolist()
            assert sorted(ranks.tolist()) == list(range(20))
            assert np.flatnonzero(scores).tolist() == sorted(picks.tolist())
        with pytest.raises(ValueError, match=r"shape \(3, 4\)"):
            LargeBatch(4).get_ranks(np.ones((3, 4)))
