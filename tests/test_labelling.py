"""Projects of people who label: what is asked, told and kept."""

import json
import threading

import jax
import numpy as np
import pytest
from folders import contents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from labelling_projects import CLASSES, fill_in, ids_of, log_of, predictions
from sklearn import metrics

from lbb_jax import acquisition, labelling
from lbb_jax.labelling import project as project_module
from lbb_jax.labelling import tables

COUNT = 12


@pytest.fixture
def project(tmp_path):
    return labelling.create(tmp_path / "pool", ids=ids_of(COUNT), classes=CLASSES)


def ask(project, **arguments):
    return project.ask(predictions(len(project.ids)), **({"method": "bald", "batch_size": 3} | arguments))


def test_a_batch_is_what_acquire_picks(project):
    log_probs = predictions(COUNT)
    batch = project.ask(log_probs, method="bald", batch_size=4, sampling="top")
    expected = acquisition.acquire(jax.random.key(0), log_probs, method="bald", batch_size=4)
    assert batch.number == 1
    assert batch.indices.tolist() == expected.indices.tolist()
    assert batch.ids == [f"img_{index}" for index in batch.indices]
    np.testing.assert_array_equal(batch.scores, expected.scores)
    (event,) = log_of(project)
    assert (event["event"], event["ids"], event["options"]) == ("ask", batch.ids, {"sampling": "top"})
    head, *rows = (project.path / "batches" / "0001.csv").read_text().splitlines()
    assert head == "id,score,label"
    assert [row.split(",")[0] for row in rows] == batch.ids
    assert all(row.endswith(",") for row in rows)


def test_nothing_that_was_asked_or_told_is_asked_again(project):
    project.tell({"img_0": "cat", "img_1": None})
    first = ask(project)
    second = ask(project)
    project.tell({first.ids[0]: "dog"})
    third = ask(project, batch_size=COUNT - 8)
    asked = [*first.ids, *second.ids, *third.ids]
    assert len(set(asked)) == COUNT - 2
    assert not {"img_0", "img_1"} & set(asked)
    with pytest.raises(labelling.LabellingError, match=r"batch_size=1: only 0 points are left"):
        ask(project, batch_size=1)
    assert project.status().left == 0


def test_what_is_pending_is_asked_again_once_it_is_withdrawn(project):
    first, second = ask(project), ask(project)
    project.tell({first.ids[0]: "cat"})
    again = ask(project, batch_size=2, renew=[1])
    # The same predictions, so the same picks; but the batch that was not withdrawn stays out.
    assert set(again.ids) == set(first.ids[1:])
    assert set(project.pending.values()) == {2, 3}
    everything = ask(project, batch_size=COUNT - 1, renew=True)
    assert set(everything.ids) == set(ids_of(COUNT)) - {first.ids[0]}
    assert set(project.pending.values()) == {4}
    # A label for a point that was withdrawn is a label.
    project.tell({second.ids[0]: "dog"})
    assert second.ids[0] not in project.pending
    with pytest.raises(labelling.LabellingError, match="there is no batch 9"):
        ask(project, renew=[9])


def test_labels_are_corrected_and_the_log_keeps_the_old_ones(project):
    assert project.tell({"img_3": "cat", "img_4": None}) == (2, {}, 0)
    told = project.tell({"img_3": "dog", "img_4": None, "img_5": "cow"})
    assert told == labelling.Told(1, {"img_3": ("cat", "dog")}, 1)
    assert [event["labels"] for event in log_of(project)] == [
        {"img_3": "cat", "img_4": None},
        {"img_3": "dog", "img_5": "cow"},
    ]
    assert project.labels() == {"img_3": "dog", "img_5": "cow"}
    status = project.status()
    assert (status.labelled, status.skipped, status.corrections) == (2, 1, 1)
    assert status.by_class == {"cat": 0, "dog": 1, "cow": 1}
    # Nothing new, no event.
    project.tell({"img_3": "dog"})
    assert len(log_of(project)) == 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"img_0": "cat", "img_1": "cta"}, r"label 'cta' of 'img_1': is no class of the project"),
        ({"img_0": "cat", "img_99": "cat"}, r"'img_99': no id of the project"),
        ({"img_0": 1.5}, r"label 1.5: must be a string or an integer"),
    ],
)
def test_a_wrong_label_changes_nothing(project, labels, message):
    before = contents(project.path)
    with pytest.raises(labelling.LabellingError, match=message):
        project.tell(labels)
    assert contents(project.path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": ids_of(COUNT)[:-1]}, "11 ids for the 12 rows"),
        ({"ids": [*ids_of(COUNT)[:-1], "img_77"]}, "rows for 'img_77', not in the project"),
        ({"ids": [*ids_of(COUNT)[:-1], "img_0"]}, "'img_0' stand there more than once"),
        ({"classes": ["cat", "dog", "ant"]}, "are of the classes 'cat', 'dog', 'ant', and the project has"),
        ({"method": "no_such"}, "no_such"),
        ({"alhpa": 1.0}, "alhpa"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"audit": 1.5}, "audit=1.5"),
        ({"seed": -1}, "seed=-1"),
        ({"format": "xml"}, "format='xml'"),
        ({"data": {}}, "data: is what tasks of Label Studio show"),
    ],
)
def test_a_wrong_question_changes_nothing(project, arguments, message):
    before = contents(project.path)
    with pytest.raises(ValueError, match=message):
        ask(project, **arguments)
    assert contents(project.path) == before


@pytest.mark.parametrize(
    ("log_probs", "message"),
    [
        (predictions(COUNT - 1), r"11 rows, and the project has 12 ids, 'img_0', 'img_1', 'img_2' and 9 more"),
        (predictions(COUNT, num_classes=2), r"must be \[points, draws, 3\]"),
        (np.exp(predictions(COUNT)), "probabilities"),
        (np.full((COUNT, 2, 3), np.nan, np.float32), "NaN"),
        (predictions(COUNT)[:, 0], r"log_probs has shape \(12, 3\): must be \[N, K, C\]"),
        (np.array(0.0), r"log_probs has shape \(\): must be \[N, K, C\]"),
        (predictions(COUNT)[:, :0], "K, the number of draws, must be at least 1"),
        (predictions(COUNT) * 1j, "log_probs has dtype complex64: must be floating point"),
        (predictions(COUNT).astype(np.float64) + 1e300, "log_probs"),
    ],
)
def test_wrong_predictions_change_nothing(project, log_probs, message):
    before = contents(project.path)
    with pytest.raises(ValueError, match=message):
        project.ask(log_probs, method="bald", batch_size=2)
    assert contents(project.path) == before


def test_rows_are_matched_to_ids_and_columns_to_classes(project):
    log_probs = predictions(COUNT)
    expected = ask(project)
    rows, columns = np.random.default_rng(3).permutation(COUNT), [2, 0, 1]
    other = labelling.create(project.path.parent / "other", ids=ids_of(COUNT), classes=CLASSES)
    batch = other.ask(
        log_probs[rows][:, :, columns],
        ids=[f"img_{row}" for row in rows],
        classes=[CLASSES[column] for column in columns],
        **{"method": "bald", "batch_size": 3},
    )
    assert batch.ids == expected.ids
    assert [f"img_{rows[index]}" for index in batch.indices] == batch.ids
    predicted = [np.load(each.path / "predictions" / "0001.npy") for each in (project, other)]
    np.testing.assert_array_equal(*predicted)
    np.testing.assert_array_equal(predicted[0], np.exp(log_probs).mean(1).argmax(1))


@pytest.mark.parametrize("audit", [0, 1])
def test_points_without_a_prediction_are_an_error(project, audit):
    log_probs = predictions(COUNT)
    log_probs[3, 1] = np.nan
    with pytest.raises(labelling.LabellingError, match="NaN for 'img_3'"):
        project.ask(log_probs, method="bald", batch_size=3, audit=audit)
    project.tell({"img_3": "cat"})
    assert "img_3" not in project.ask(log_probs, method="bald", batch_size=3, audit=audit).ids


def test_points_without_a_row_are_an_error_or_left_out(project):
    arguments = {"ids": ids_of(6), "method": "bald", "batch_size": 3}
    with pytest.raises(labelling.LabellingError, match=r"no row for 'img_6', 'img_7', .* and 1 more"):
        project.ask(predictions(6), **arguments)
    batch = project.ask(predictions(6), subset=True, **arguments)
    assert set(batch.ids) <= set(ids_of(6))
    # Points that cannot be asked need no row.
    project.tell(dict.fromkeys(ids_of(COUNT)[6:], "cat"))
    project.ask(predictions(6, seed=1), **arguments)


def test_ids_are_added_and_the_model_may_change(project):
    first = ask(project)
    assert project.add(["img_3", "new_1", 17]) == 2
    assert project.ids == [*ids_of(COUNT), "new_1", "17"]
    with pytest.raises(labelling.LabellingError, match="have 12 rows, and the project has 14 ids"):
        project.ask(predictions(COUNT), method="bald", batch_size=2)
    log_probs = predictions(14, seed=5, num_draws=7)
    second = project.ask(log_probs, method="power_bald", batch_size=4)
    assert not set(first.ids) & set(second.ids)
    expected = project_module.Project(project.path).status().kappas
    before, after = (np.load(project.path / "predictions" / f"000{number}.npy") for number in (1, 2))
    assert expected == [pytest.approx(metrics.cohen_kappa_score(before, after[:COUNT]))]


def test_every_batch_has_random_numbers_of_its_own(project):
    log_probs = np.log(np.full((COUNT, 2, 3), 1 / 3, np.float32))
    batches = [project.ask(log_probs, method="random", batch_size=5, renew=True, seed=4).ids for _ in range(3)]
    assert len({tuple(ids) for ids in batches}) == 3
    again = labelling.create(project.path.parent / "again", ids=ids_of(COUNT), classes=CLASSES)
    assert again.ask(log_probs, method="random", batch_size=5, seed=4).ids == batches[0]


def test_integers_are_ids_and_classes(tmp_path):
    project = labelling.create(tmp_path, ids=np.arange(5), classes=range(3))
    assert project.classes == ["0", "1", "2"]
    batch = project.ask(predictions(5), method="bald", batch_size=2)
    project.tell({int(id_): np.int64(1) for id_ in batch.ids})
    assert project.labels() == dict.fromkeys(batch.ids, "1")


def test_a_class_found_half_way_is_added_and_labels_stay(project):
    project.tell({"img_0": "cat"})
    before = (project.path / "log.jsonl").read_bytes()
    assert project.add_classes(["dog", "fox"]) == 1
    assert (project.path / "log.jsonl").read_bytes().startswith(before)
    assert labelling.open(project.path).classes == [*CLASSES, "fox"]
    project.tell({"img_1": "fox", "img_0": "fox"})
    assert project.labels() == {"img_0": "fox", "img_1": "fox"}
    assert project.status().by_class == {"cat": 0, "dog": 0, "cow": 0, "fox": 2}
    log_probs = predictions(COUNT)
    with pytest.raises(labelling.LabellingError, match=r"must be \[points, draws, 4\].*name those that it does"):
        project.ask(log_probs, batch_size=2)
    with pytest.raises(labelling.LabellingError, match="'dog' stand there more than once"):
        project.ask(log_probs, batch_size=2, classes=["dog", "dog", "cat"])
    named = project.ask(log_probs, method="bald", batch_size=2, classes=CLASSES)
    known = np.array([False, False] + [True] * (COUNT - 2))
    expected = acquisition.acquire(jax.random.key(0), log_probs, method="bald", batch_size=2, available=known)
    assert named.indices.tolist() == expected.indices.tolist()


def test_what_is_no_class_is_not_added(project):
    for classes, message in ((["SKIP"], "marks points"), ([], "there are none"), (["a\nb"], "one line")):
        with pytest.raises(labelling.LabellingError, match=message):
            project.add_classes(classes)
    assert not (project.path / "log.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": []}, "there are none"),
        ({"ids": ["a", "b", "a"]}, "'a' stand there more than once"),
        ({"ids": ["a", " b"]}, "neither empty nor"),
        ({"ids": ["a\nb"]}, "in one line"),
        ({"ids": "abc"}, "must be several"),
        ({"ids": [1.5]}, "not float"),
        ({"classes": ["cat"]}, "at least two"),
        ({"classes": ["cat", "SKIP"]}, "marks points that cannot be labelled"),
    ],
)
def test_wrong_ids_and_classes_make_no_project(tmp_path, arguments, message):
    with pytest.raises(labelling.LabellingError, match=message):
        labelling.create(tmp_path / "pool", **({"ids": ["a", "b"], "classes": ["cat", "dog"]} | arguments))
    assert not (tmp_path / "pool").exists()


def test_a_project_is_made_once(project, tmp_path):
    with pytest.raises(labelling.LabellingError, match="is a project already"):
        labelling.create(project.path, ids=["a"], classes=CLASSES)
    with pytest.raises(labelling.LabellingError, match="is no labelling project"):
        labelling.open(tmp_path)
    ask(project)
    (project.path / "project.json").unlink()
    with pytest.raises(labelling.LabellingError, match=r"whose project\.json is gone"):
        labelling.create(project.path, ids=["a"], classes=CLASSES)


@pytest.mark.parametrize("length", [1, 20, -1])
def test_an_event_whose_line_was_cut_short_has_not_happened(project, length):
    project.tell({"img_0": "cat"})
    whole = (project.path / "log.jsonl").read_bytes()
    project.tell({"img_1": "dog"})
    line = (project.path / "log.jsonl").read_bytes()[len(whole) : -1]
    (project.path / "log.jsonl").write_bytes(whole + line[:length])
    again = labelling.open(project.path)
    assert again.labels() == {"img_0": "cat"}
    again.tell({"img_2": "cow"})
    assert labelling.open(project.path).labels() == {"img_0": "cat", "img_2": "cow"}
    assert len(log_of(project)) == 2


def test_an_event_that_only_lacks_its_newline_has_happened(project):
    project.tell({"img_0": "cat"})
    path = project.path / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    again = labelling.open(project.path)
    again.tell({"img_1": "dog"})
    assert again.labels() == {"img_0": "cat", "img_1": "dog"}
    assert len(log_of(project)) == 2


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"event": "ask"', '{"event": "unheard of"}'])
def test_a_damaged_log_is_an_error_that_changes_nothing(project, line):
    project.tell({"img_0": "cat"})
    path = project.path / "log.jsonl"
    path.write_text(line + "\n" + path.read_text())
    before = contents(project.path)
    for call in (project.status, lambda: project.tell({"img_1": "cat"}), lambda: ask(project)):
        with pytest.raises(labelling.LabellingError, match=r"damaged: line 1|unknown kind"):
            call()
    assert contents(project.path) == before


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        (1, {"ids": {"a": 1}}, "lacks a field of the event 'add'"),
        (1, {"ids": ["new", "new"]}, "has a name twice"),
        (1, {"ids": ["img_0"]}, "has 'img_0', which must be new ids"),
        (2, {"classes": [["ant"]]}, r"has \['ant'\], which must be new classes"),
        (3, {"method": None}, "lacks a field of the event 'ask'"),
        (3, {"kappa": "high"}, "lacks a field of the event 'ask'"),
        (3, {"batch": 2}, "has batch 2, which must be 1"),
        (3, {"ids": ["img_0", "img_99", "new"]}, "has 'img_99', which must be ids that can be asked"),
        (3, {"ids": ["img_0", "img_0", "new"]}, "has a name twice"),
        (3, {"scores": ["high", 1, 2]}, "must have a score for each id"),
        (3, {"audit": {"img_99": "cat"}}, "has 'img_99', which must be among the ids asked"),
        (3, {"withdrawn": [{}]}, "has {}, which must be pending"),
        (4, {"labels": {"img_99": "cat"}}, "has 'img_99', which must be ids of the project"),
        (4, {"labels": {"img_0": "cta"}}, "has 'cta', which must be classes of the project"),
        (4, {"labels": {"img_0": ["cat"]}}, r"has \['cat'\], which must be classes"),
    ],
)
def test_an_event_that_cannot_have_happened_is_an_error_that_names_the_line(project, line, change, message):
    project.add(["new"])
    project.add_classes(["ant"])
    project.ask(predictions(COUNT + 1, num_classes=4), method="bald", batch_size=3)
    project.tell({"img_0": "cat"})
    events = log_of(project)
    events[line - 1] |= change
    (project.path / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    with pytest.raises(labelling.LabellingError, match=rf"log\.jsonl is damaged: line {line} {message}.*; restore"):
        labelling.open(project.path).status()


@pytest.mark.parametrize(
    "damaged", [None, np.zeros((2, COUNT), np.int32), np.zeros(COUNT), np.full(COUNT, 7, np.int32)]
)
def test_predictions_that_are_no_classes_of_points_count_as_none(project, damaged):
    ask(project, audit=1.0)
    path = project.path / "predictions" / "0001.npy"
    if damaged is None:
        # The header is no Python any more.
        path.write_bytes(path.read_bytes().replace(b"}", b"(", 1))
    else:
        np.save(path, damaged)
    project.tell(dict.fromkeys(project.pending, "cat"))
    assert project.status().audit_latest is None
    ask(project)
    assert project.status().kappas == [None]


@pytest.mark.parametrize(
    "content",
    [
        *("", "{}", '{"version": 2}', '{"version": 1, "classes": 3, "ids": []}'),
        *('{"version": 1, "classes": ["a", "b"], "ids": {"a": 1}}', '{"version": 1, "classes": [["a"]], "ids": ["a"]}'),
    ],
)
def test_a_damaged_description_is_an_error(project, content):
    (project.path / "project.json").write_text(content)
    with pytest.raises(labelling.LabellingError, match=r"project\.json (is damaged|: has version)|project\.json: has"):
        labelling.open(project.path)


def test_a_batch_is_whole_wherever_its_writing_stops(project, monkeypatch):
    """Whatever is left when a step of `ask` fails, the next one opens a project that asked all of it or nothing."""
    steps = [(project_module.files, "atomic_write"), (project_module.Log, "append"), (project_module.os, "replace")]
    asked, interruptions = 0, dict.fromkeys((name for _, name in steps), 0)
    for owner, name in steps:
        for call in range(3):
            original, calls = getattr(owner, name), []

            def stop(*arguments, original=original, calls=calls, call=call):
                calls.append(arguments)
                if len(calls) > call:
                    raise KeyboardInterrupt
                return original(*arguments)

            with monkeypatch.context() as patched:
                patched.setattr(owner, name, stop)
                try:
                    ask(project, batch_size=1)
                except KeyboardInterrupt:
                    interruptions[name] += 1
            again = labelling.open(project.path)
            events = log_of(project) if (project.path / "log.jsonl").exists() else []
            numbers = [f"{number:04d}" for number in range(1, len(events) + 1)]
            assert sorted(path.stem for path in (project.path / "batches").glob("*")) == numbers
            assert len(again.pending) == len(events)
            asked = len(events)
    # `ask` writes two files, appends one line, and renames the files twice: to what is staged, and when it is logged.
    assert interruptions == {"atomic_write": 2, "append": 1, "replace": 3}
    # All but the interrupted, and what had been logged when the third file was renamed.
    assert asked == 3 + 1


def test_one_writes_while_another_waits(project, monkeypatch):
    """Two labellers and two models at once: every point is asked once, every label is kept."""
    errors = []

    def work(name):
        try:
            mine = labelling.open(project.path)
            for _ in range(3):
                batch = ask(mine, batch_size=2)
                mine.tell(dict.fromkeys(batch.ids, name))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=[name]) for name in ("cat", "dog")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(project.labels()) == COUNT
    asked = [id_ for event in log_of(project) if event["event"] == "ask" for id_ in event["ids"]]
    assert sorted(asked) == sorted(ids_of(COUNT))
    assert project.status().by_class == {"cat": 6, "dog": 6, "cow": 0}


def test_a_writer_that_does_not_end_is_an_error(project, monkeypatch):
    monkeypatch.setattr(project_module, "LOCK_SECONDS", 0.1)
    with (
        project_module.filelock.FileLock(project.path / ".lock", is_singleton=False, thread_local=False),
        pytest.raises(labelling.LabellingError, match="another process has been writing there"),
    ):
        run_in_thread(lambda: project.tell({"img_0": "cat"}))
    assert project.labels() == {}


def run_in_thread(function):
    """Runs a function in another thread, and raises here what it raises there."""
    caught = []

    def run():
        try:
            function()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


class Labelling(RuleBasedStateMachine):
    """A project beside a model of it in plain Python: asks, answers, corrections, withdrawals, new ids, reopenings."""

    folder = None

    @initialize()
    def begin(self):
        path = self.folder / str(len(list(self.folder.iterdir())))
        self.project = labelling.create(path, ids=ids_of(4), classes=CLASSES)
        self.ids, self.labels, self.pending = ids_of(4), {}, {}
        self.num_batches = 0

    @rule(data=st.data(), seed=st.integers(0, 5), renew=st.booleans())
    def ask(self, data, seed, renew):
        pending = {} if renew else self.pending
        left = [id_ for id_ in self.ids if id_ not in self.labels and id_ not in pending]
        size = data.draw(st.integers(1, 3))
        arguments = {"method": "random", "batch_size": size, "audit": 1.0, "renew": renew, "seed": seed}
        log_probs = predictions(len(self.ids), seed=seed)
        if size > len(left):
            with pytest.raises(labelling.LabellingError, match="points are left"):
                self.project.ask(log_probs, **arguments)
            return
        batch = self.project.ask(log_probs, **arguments)
        assert set(batch.ids) <= set(left)
        self.num_batches += 1
        assert batch.number == self.num_batches
        self.pending = pending | dict.fromkeys(batch.ids, batch.number)

    @rule(data=st.data())
    def tell(self, data):
        told = data.draw(st.dictionaries(st.sampled_from(self.ids), st.sampled_from([*CLASSES, None]), max_size=3))
        self.project.tell(told)
        self.labels |= told
        self.pending = {id_: number for id_, number in self.pending.items() if id_ not in told}

    @rule()
    def add(self):
        if len(self.ids) < 8:
            self.ids = [*self.ids, f"new_{len(self.ids)}"]
            assert self.project.add(self.ids) == 1

    @rule(cut=st.integers(1, 40))
    def kill(self, cut):
        """The beginning of a line is what a killed writer leaves."""
        with open(self.project.path / "log.jsonl", "ab") as file:
            file.write(json.dumps({"time": "now", "event": "tell", "labels": {"img_0": "cat"}}).encode()[:cut])
        self.project = labelling.open(self.project.path)

    @invariant()
    def agrees(self):
        if hasattr(self, "project"):
            assert self.project.ids == self.ids
            assert self.project.pending == self.pending
            assert self.project.labels() == {id_: label for id_, label in self.labels.items() if label is not None}
            status = self.project.status()
            assert status.labelled + status.skipped + status.pending + status.left == status.ids
            assert status.asked == self.num_batches


def test_a_project_is_what_its_events_add_up_to(tmp_path):
    machine = type("Machine", (Labelling,), {"folder": tmp_path})
    run_state_machine_as_test(machine, settings=settings(max_examples=10, stateful_step_count=20, deadline=None))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(), min_size=1, max_size=5, unique=True))
def test_ids_of_any_text_come_back_or_are_refused(tmp_path, ids):
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    try:
        project = labelling.create(folder, ids=ids, classes=CLASSES)
    except labelling.LabellingError:
        assert not folder.exists()
        return
    assert labelling.open(folder).ids == ids
    project.ask(predictions(len(ids)), method="random", batch_size=len(ids), audit=1.0)
    path = project.batch_path(1)
    fill_in(path, dict.fromkeys(ids, "cat"))
    told = tables.read_labels(path, ids=set(ids), classes=CLASSES)
    assert told == dict.fromkeys(ids, "cat")
