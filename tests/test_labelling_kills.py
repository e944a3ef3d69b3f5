"""Labelling projects whose processes are killed, and a whole project with people as they are."""

import json
import os
import random
import signal
import time

import numpy as np
import pytest
from labelling_processes import CONTEXT, Handle, ask_in_process, killed_at, tell_in_process, work_until_killed
from labelling_projects import CLASSES, fill_in, ids_of
from sklearn import datasets, ensemble

from lbb_jax import csv_tables, labelling
from lbb_jax.labelling import tables

pytestmark = pytest.mark.slow


def run_and_kill(path, seed, num_notes, seconds):
    """Runs a worker, kills it some time after so many notes, and returns all that it had acknowledged."""
    reading, writing = os.pipe()
    process = CONTEXT.Process(target=work_until_killed, args=(path, seed, Handle(writing)))
    process.start()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = b"".join(pipe.readline() for _ in range(num_notes))
        time.sleep(seconds)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        content += pipe.read()
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


def test_a_killed_project_has_lost_nothing_and_asks_nothing_twice(tmp_path):
    path, random_numbers = tmp_path / "pool", random.Random(0)
    labelling.create(path, ids=ids_of(20), classes=CLASSES)
    asked, told = [], {}
    for seed in range(8):
        for note in run_and_kill(path, seed, seed + 1, random_numbers.uniform(0, 0.05)):
            asked += note.get("asked", [])
            told |= note.get("told", {})
        project = labelling.open(path)
        labels, pending = project.labels(), project.pending
        for id_, label in told.items():
            assert labels.get(id_) == label, id_
        # What was asked and not told is pending still, and its file is there.
        assert {id_ for id_ in asked if id_ not in told and id_ not in labels} <= set(pending) | skipped(project)
        for number in set(pending.values()):
            rows = [row["id"] for _, row in csv_tables.read_rows(project.batch_path(number), ["id"], name="batch")]
            assert {id_ for id_, batch in pending.items() if batch == number} <= set(rows)
        assert not list((path / "batches").glob(".*"))
        every = all_asked(path)
        assert len(every) == len(set(every)), "asked twice"
        assert set(asked) <= set(every)
    # Every other note is of two labels.
    assert len(told) >= sum(2 * ((seed + 1) // 2) for seed in range(8))


def skipped(project):
    events = [json.loads(line) for line in (project.path / "log.jsonl").read_bytes().split(b"\n") if line]
    labels = {id_: label for event in events if event["event"] == "tell" for id_, label in event["labels"].items()}
    return {id_ for id_, label in labels.items() if label is None}


def all_asked(path):
    events = [json.loads(line) for line in (path / "log.jsonl").read_bytes().split(b"\n")[:-1]]
    return [id_ for event in events if event["event"] == "ask" for id_ in event["ids"]]


class Labeller:
    """Answers late, forgets some points, cannot label some, errs at times and corrects that later.

    Attributes:
      said: What the labeller has last said of each id.
      open: Files of batches that wait, in the order of their arrival.
    """

    def __init__(self, truth, seed):
        self.truth, self.random = truth, random.Random(seed)
        self.unreadable = {id_ for id_ in truth if self.random.random() < 0.03}
        self.said, self.errors, self.open = {}, [], []

    def answer(self):
        """Fills in a waiting file in part, and corrects an error now and then; returns the files to be told."""
        filled = []
        if self.open and self.random.random() < 0.8:
            path = self.random.choice(self.open)
            ids = [row["id"] for _, row in csv_tables.read_rows(path, ["id"], name="batch")]
            labels = {id_: self.say(id_) for id_ in ids if id_ not in self.said and self.random.random() < 0.7}
            fill_in(path, {id_: tables.SKIP if label is None else label for id_, label in labels.items()})
            self.said |= labels
            if all(id_ in self.said for id_ in ids):
                self.open.remove(path)
            filled.append(path)
        if self.errors and self.random.random() < 0.5:
            id_, path = self.errors.pop(0)
            fill_in(path, {id_: self.truth[id_]})
            self.said[id_] = self.truth[id_]
            filled.append(path)
        return filled

    def say(self, id_):
        if id_ in self.unreadable:
            return None
        if self.random.random() < 0.1:
            path = next(path for path in self.open if id_ in path.read_text())
            self.errors.append((id_, path))
            return self.random.choice([label for label in set(self.truth.values()) if label != self.truth[id_]])
        return self.truth[id_]


class Killer:
    """Runs functions in processes, some of which are killed when they have written one of their first three files.

    Attributes:
      kills: How many were killed before they had ended.
    """

    def __init__(self, seed):
        self.random, self.kills = random.Random(seed), 0

    def repeat_until_done(self, function, arguments, *, is_done):
        """Runs a function; the user looks and, if need be, runs it again."""
        while True:
            if self.random.random() < 0.4:
                process = CONTEXT.Process(target=killed_at, args=(self.random.randrange(3), function, *arguments))
            else:
                process = CONTEXT.Process(target=function, args=arguments)
            process.start()
            process.join()
            assert process.exitcode in (0, -signal.SIGKILL)
            self.kills += process.exitcode == -signal.SIGKILL
            if process.exitcode == 0 or is_done():
                return


def test_a_whole_project_with_a_forest_and_a_labeller_as_they_are(tmp_path):
    digits = datasets.load_digits()
    order = np.random.default_rng(0).permutation(len(digits.data))
    features, labels = digits.data[order[:300]], digits.target[order[:300]]
    test_features, test_labels = digits.data[order[300:]], digits.target[order[300:]]
    classes = [f"digit {label}" for label in range(10)]
    ids = [f"scan_{number:03d}" for number in range(300)]
    truth = {id_: classes[label] for id_, label in zip(ids, labels, strict=True)}
    row_of = {id_: row for row, id_ in enumerate(ids)}

    path, killer = tmp_path / "pool", Killer(seed=8)
    project = labelling.create(path, ids=ids[:250], classes=classes)
    labeller, accuracies = Labeller(truth, seed=2), []
    # Two of each class are known from the start.
    known = {id_: label for label in classes for id_ in [id_ for id_ in ids[:250] if truth[id_] == label][:2]}
    project.tell(known)
    for week in range(24):
        if week == 5:
            # More scans have come in.
            project.add(ids[250:])
        status = project.status()
        if status.pending < 40 and status.left >= 15:
            held = project.labels(audit=False)
            forest = ensemble.RandomForestClassifier(20, min_samples_leaf=2, random_state=week)
            forest.fit(features[[row_of[id_] for id_ in held]], [int(label[-1]) for label in held.values()])
            current = project.ids
            probs = np.zeros((len(current), 20, 10))
            for draw, tree in enumerate(forest.estimators_):
                probs[:, draw, forest.classes_] = tree.predict_proba(features[[row_of[id_] for id_ in current]])
            with np.errstate(divide="ignore"):
                log_probs = np.log(probs).astype(np.float32)
            accuracies.append(np.mean(forest.predict(test_features) == test_labels))
            number = status.asked + 1
            renew = week % 8 == 7
            arguments = {"method": "power_lbb", "redundancy": "tree", "batch_size": 15, "audit": 0.2, "renew": renew}
            killer.repeat_until_done(
                ask_in_process,
                (path, log_probs, arguments),
                is_done=lambda number=number: labelling.open(path).status().asked == number,
            )
            labeller.open.append(labelling.open(path).batch_path(number))
        for file in labeller.answer():
            killer.repeat_until_done(tell_in_process, (path, file), is_done=lambda: False)
        project = labelling.open(path)
        # Whatever was killed, the project knows what the labeller has said, and nothing else.
        assert project.labels() == known | {id_: label for id_, label in labeller.said.items() if label is not None}
    assert killer.kills > 5

    status, events = project.status(), [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
    assert status.skipped == sum(label is None for label in labeller.said.values()) > 0
    assert status.labelled == len(project.labels()) > 100
    assert status.labelled + status.skipped + status.pending + status.left == 300
    # A point is asked again only after it was withdrawn.
    pending = set()
    for event in events:
        if event["event"] == "ask":
            pending -= set(event["withdrawn"])
            assert not pending & set(event["ids"])
            pending |= set(event["ids"])
        elif event["event"] == "tell":
            pending -= set(event["labels"])
    assert pending == set(project.pending)
    # Labels told once stay in the log: what they add up to are the final ones, and every error was told first.
    told = [(id_, label) for event in events if event["event"] == "tell" for id_, label in event["labels"].items()]
    assert {id_: label for id_, label in told if label is not None} == project.labels()
    assert status.corrections == len(told) - len(dict(told)) > 0
    wrong = {id_ for id_, label in project.labels().items() if label != truth[id_]}
    assert wrong == {id_ for id_, _ in labeller.errors}
    # What speaks for stopping agrees with what nobody in the project knows.
    assert len(status.kappas) == status.asked - 1
    assert accuracies[-1] > accuracies[0]
