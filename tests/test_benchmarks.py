import json
import os
import pathlib
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from aborting_work import work_that_aborts
from slow_parts import slow_but

from lbb_jax import information
from lbb_jax.errors import exit_in_words
from paper.benchmarks import (
    accelerator_cases,
    acquisition_cases,
    child_process,
    predictions,
    speed_cases,
    table2,
    timing,
)
from paper.benchmarks.acquisition_cases import Case

ROOT = pathlib.Path(__file__).parents[1]
mutual_information = jax.jit(information.mutual_information)


@pytest.fixture(scope="module")
def log_probs():
    return jax.jit(predictions.generate, static_argnums=(1, 2, 3))(jax.random.key(0), 400, 5, 4)


@pytest.mark.slow
def test_generated_predictions_are_log_probabilities_of_unequal_information(log_probs):
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, rtol=1e-5)
    scores = np.sort(mutual_information(log_probs))
    assert scores[200] < 0.05
    assert scores[-1] > 0.3


@pytest.mark.parametrize("name", slow_but(predictions.POOLS, "dirichlet"))
def test_pools_to_time_on_are_log_probabilities(name):
    log_probs = jax.jit(predictions.POOLS[name], static_argnums=(1, 2, 3))(jax.random.key(0), 401, 5, 4)
    assert log_probs.shape == (401, 5, 4)
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, rtol=1e-5)


@pytest.mark.slow
def test_points_of_the_near_certain_pool_are_certain_and_there_twice():
    log_probs = predictions.near_certain_with_copies(jax.random.key(0), 401, 5, 10)
    np.testing.assert_array_equal(log_probs[:200], log_probs[201:])
    assert np.median(jnp.exp(log_probs).mean(1).max(-1)) > 0.9


@pytest.mark.slow
def test_the_unit_is_bald(log_probs):
    scores, indices = acquisition_cases.bald_pass(log_probs, batch_size=7)
    expected = np.asarray(mutual_information(log_probs))
    np.testing.assert_array_equal(indices, np.argsort(-expected)[:7])
    np.testing.assert_allclose(scores, np.sort(expected)[::-1][:7], rtol=0, atol=2e-6)


@pytest.mark.slow
def test_a_record_holds_what_was_timed_and_counted(log_probs, monkeypatch):
    monkeypatch.setattr(acquisition_cases, "time_beside", lambda *_, repetitions: timing.Timing(0.012, 0.004))
    record = acquisition_cases.run_one(Case("lbb", 3, {"redundancy": "tree"}), log_probs, repetitions=2)
    assert {key: record[key] for key in ("case", "redundancy", "N", "K", "C", "b")} == {
        "case": "lbb",
        "redundancy": "tree",
        "N": 400,
        "K": 5,
        "C": 4,
        "b": 3,
    }
    assert record["share_of_dense"] == round(record["evaluations"] / 800, 6)
    assert (record["milliseconds"], record["bald_milliseconds"], record["ratio_to_bald"]) == (12.0, 4.0, 3.0)
    assert record["peak_megabytes"] > 0


def test_the_papers_table_stands_beside_what_was_timed():
    records = [
        {"case": "lbb", "redundancy": "tree", "b": 10, "milliseconds": 12.0},
        {"case": "batch_bald", "b": 20, "milliseconds": 3456.7},
        {"case": "bald (acquire)", "b": 10, "milliseconds": 99.0},
    ]
    lines = table2.compare(records).to_string().splitlines()
    by_name = {name: next(line for line in lines if line.startswith(name)) for name in table2.PAPER}
    assert by_name["BatchBALD"].split() == ["BatchBALD", "269.0", "839.0", "3.4567"]
    assert by_name["LBB (tree)"].split() == ["LBB", "(tree)", "0.0120"]
    assert by_name["BALD"].split() == ["BALD", "5.0", "5.1"]


@pytest.mark.slow
def test_pools_side_by_side_are_timed_beside_one_after_another(log_probs):
    pools = jnp.stack([log_probs[:200], log_probs[200:]])
    record = acquisition_cases.run_side_by_side(Case("lbb", 3, {"redundancy": "tree"}), pools, repetitions=1)
    assert (record["pools"], record["N"], record["b"]) == (2, 200, 3)
    assert record["milliseconds"] > 0
    assert record["milliseconds_one_after_another"] > 0


def test_what_takes_twice_as_long_as_it_did_is_too_slow():
    stored = [{"case": name, "ratio": 2.0} for name in ("same", "faster", "doubled")]
    now = [
        {"case": name, "unit": "BALD", "ratio": ratio}
        for name, ratio in (("same", 2.4), ("faster", 0.5), ("doubled", 4.0), ("new", 1.0))
    ]
    faults = speed_cases.faults(now, stored, factor=2.0)
    assert faults == {
        "doubled": "takes 4.00 times its unit (BALD), and took 2.00 times it",
        "new": "has no stored ratio; store one with --save",
    }


def test_every_case_of_speed_has_a_stored_ratio_and_a_name_of_its_own():
    names = [case.name for case in speed_cases.cases()]
    assert len(set(names)) == len(names)
    stored = [json.loads(line) for line in (ROOT / "results/benchmark/speed.jsonl").read_text().splitlines()]
    assert [record["case"] for record in stored] == names


def test_a_case_is_timed_beside_its_unit(monkeypatch):
    calls, now = [], [0.0]

    def take(letter, seconds):
        calls.append(letter)
        now[0] += seconds

    monkeypatch.setattr(timing, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    case = speed_cases.SpeedCase("three", "one", lambda: (lambda: take("f", 0.3), lambda: take("u", 0.1)))
    record = next(speed_cases.measure([case], repetitions=2))
    assert calls == [*"uffufu"]
    assert (record["ratio"], record["milliseconds"], record["unit_milliseconds"]) == (3.0, 300.0, 100.0)


def test_a_task_that_kills_its_process_is_one_faulty_row():
    rows = list(child_process.rows(work_that_aborts, [["first"], ["timed", "aborts", "behind"], ["last"]]))
    # What was done with the task that aborts is not done again, and the rest of its group is done at the end.
    assert [row["case"] for row in rows] == ["first", "timed", "last", "aborts", "behind"]
    assert [row.get("error") for row in rows] == [None] * 3 + ["its process ended with SIGABRT, see its messages", None]


@pytest.mark.parametrize(
    ("exit_code", "words"), [(3, "status 3"), (None, "status None"), (-9, "SIGKILL"), (-40, "signal 40")]
)
def test_an_exit_code_is_described(exit_code, words):
    assert exit_in_words(exit_code) == words


# A parent that used the device would take the memory that the child needs.
@pytest.mark.slow
def test_the_parent_of_what_is_timed_uses_no_device(tmp_path):
    result = subprocess.run(
        [sys.executable, ROOT / "experiments" / "accelerator.py"],
        env={**os.environ, "JAX_PLATFORMS": "nothing"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    # An error in the child is a row, one in the parent a traceback.
    assert result.stderr.startswith("error: RuntimeError: Unable to initialize backend 'nothing'")


def test_no_two_cases_on_accelerators_have_the_same_name():
    names = [case.full_name for group in accelerator_cases.groups(accelerator_cases.FULL) for case in group]
    assert len(names) == len(set(names))
