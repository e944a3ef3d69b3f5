"""What speaks for stopping: agreement of predictions, best scores, audit points; and its picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelling_projects import CLASSES, ids_of, log_of, predictions
from scipy import stats
from sklearn import metrics

from lbb_jax import labelling
from lbb_jax.labelling import command, figure, status
from lbb_jax.labelling.predictions import kappa, likeliest

COUNT = 40


@pytest.fixture
def project(tmp_path):
    return labelling.create(tmp_path / "pool", ids=ids_of(COUNT), classes=CLASSES)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=20))
def test_kappa_is_cohens(pairs):
    first, second = np.array(pairs, np.int32).T
    if len({*first, *second}) == 1:
        # Undefined, where all agree: 1.
        assert kappa(first, second) == 1
    else:
        assert kappa(first, second) == pytest.approx(metrics.cohen_kappa_score(first, second), abs=1e-9)
    # Points that one of the two lacks do not count.
    longer = np.array([*first, 1, 2], np.int32)
    assert kappa(longer, np.array([*second, -1], np.int32)) == kappa(first, second)


def test_kappa_of_nothing_in_common_is_none():
    assert kappa(np.array([0, -1]), np.array([-1, 1])) is None


@pytest.mark.parametrize(("right", "count"), [(0, 5), (5, 5), (7, 10), (99, 100), (1, 1)])
def test_the_interval_is_clopper_and_pearsons(right, count):
    found = status.accuracy_of([True] * right + [False] * (count - right))
    expected = stats.binomtest(right, count).proportion_ci(method="exact")
    assert (found.right, found.count) == (right, count)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random_numbers = np.random.default_rng(0)
    for share in (0.5, 0.9, 0.98):
        samples = random_numbers.random((400, 30)) < share
        found = [status.accuracy_of(sample.tolist()) for sample in samples]
        assert np.mean([each.low <= share <= each.high for each in found]) > 0.93


def test_audit_points_are_random_marked_and_judged(project):
    log_probs = predictions(COUNT)
    predicted = [CLASSES[number] for number in likeliest(log_probs)]
    batch = project.ask(log_probs, method="bald", batch_size=10, audit=0.3)
    (event,) = log_of(project)
    audited = batch.ids[7:]
    assert np.isnan(batch.scores).tolist() == [False] * 7 + [True] * 3
    assert list(event["audit"]) == audited
    assert event["audit"] == {id_: predicted[int(id_.removeprefix("img_"))] for id_ in audited}
    assert event["scores"][7:] == [None] * 3
    # No method chose them: other seeds choose others.
    others = [project.ask(log_probs, method="bald", batch_size=10, audit=0.3, renew=True, seed=seed) for seed in (1, 2)]
    assert len({tuple(ids) for ids in (audited, *(each.ids[7:] for each in others))}) == 3

    assert project.status().audit_latest is None
    last = others[1]
    project.tell(dict.fromkeys(last.ids, "cat"))
    right = sum(predicted[index] == "cat" for index in last.indices[7:])
    found = project.status()
    assert (found.audit_when_asked.right, found.audit_when_asked.count) == (right, 3)
    assert found.audit_latest == found.audit_when_asked
    # The model changes its mind, and its past is judged as it was.
    certain = np.log(np.full((COUNT, 2, 3), [0.8, 0.1, 0.1], np.float32))
    project.ask(certain, method="entropy", batch_size=1)
    found = project.status()
    assert (found.audit_latest.right, found.audit_latest.count) == (3, 3)
    assert found.audit_when_asked.right == right
    # What a model that is judged by them is trained on.
    assert set(project.labels(audit=False)) == set(last.ids[:7])
    # A point that cannot be labelled judges nothing.
    project.tell({last.ids[9]: None})
    assert project.status().audit_latest.count == 2


def test_every_point_is_as_likely_to_be_audited(tmp_path):
    project = labelling.create(tmp_path, ids=ids_of(5), classes=CLASSES)
    log_probs = predictions(5)
    counts = np.zeros(5)
    for seed in range(100):
        counts[project.ask(log_probs, method="random", batch_size=1, audit=1, renew=True, seed=seed).indices] += 1
    assert stats.chisquare(counts).pvalue > 0.001


def test_settled_predictions_are_said_to_be(project):
    for _ in range(4):
        batch = project.ask(predictions(COUNT), method="bald", batch_size=2)
        project.tell(dict.fromkeys(batch.ids, "dog"))
    found = project.status()
    assert found.kappas == [1.0, 1.0, 1.0]
    assert found.is_settled
    scores = [score for _, score in found.best_scores]
    assert scores == sorted(scores, reverse=True)
    assert "1, 1, 1; settled" in str(found)
    assert f"best score of a batch (bald): {scores[0]:.3g}" in str(found)
    project.ask(predictions(COUNT, seed=1), method="entropy", batch_size=2)
    found = project.status()
    assert found.kappas[-1] == pytest.approx(
        metrics.cohen_kappa_score(likeliest(predictions(COUNT)), likeliest(predictions(COUNT, seed=1)))
    )
    assert not found.is_settled
    # Scores of another method are not compared.
    assert "best score of a batch (entropy): none, none, none, none, 1" in str(found)


def test_a_new_project_has_a_status(project):
    found = project.status()
    assert (found.ids, found.left, found.asked, found.is_settled) == (COUNT, COUNT, 0, False)
    assert str(found).splitlines()[-1] == "corrected  0"


def test_the_status_is_drawn(project, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(["status", "pool", "--plot=new.svg"]) == 0
    for seed in range(3):
        batch = project.ask(predictions(COUNT, seed=seed), method="bald", batch_size=4, audit=0.5)
        project.tell(dict(zip(batch.ids, [*CLASSES, None], strict=True)))
    drawn = figure.draw(project.status())
    labels, audit, kappas, scores = drawn.axes
    assert [bar.get_width() for bar in labels.patches] == [3, 3, 3]
    assert len(audit.get_yticks()) == 2
    assert kappas.lines[0].get_ydata()[1:].tolist() == project.status().kappas
    assert scores.lines[0].get_ydata().tolist() == [score for _, score in project.status().best_scores]
    assert command.main(["status", "pool", "--plot=status.png"]) == 0
    assert (tmp_path / "status.png").read_bytes().startswith(b"\x89PNG")
    assert command.main(["status", "pool", "--plot=status.txt"]) == 1
    assert "--plot=status.txt: must end in .pdf or .png or .svg" in capsys.readouterr().err
