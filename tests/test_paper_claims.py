"""The paper's claims, decided from runs and measurements that are made up, and from those that are stored."""

import json

import numpy as np
import pytest
import run_folders
import scripts

from lbb_jax.analysis.verdicts import Side, Verdict
from paper import claims
from paper.claims import of_measurements, of_runs
from paper.claims.rules import ANY, Part, Run, RunClaim, decide_claim, decide_profile, final, load_curves

LBB, BALD = Run("lbb", "deep_ensemble", {"redundancy": "tree"}), Run("bald", "deep_ensemble")
ABOVE = Part("LBB above BALD", ((1.0, LBB), (-1.0, BALD)), Side.ABOVE)
BELOW = Part("LBB below BALD", ((1.0, LBB), (-1.0, BALD)), Side.BELOW, final)


def claim(*parts, **fields):
    return RunClaim(3, "Fig. 1", "a claim", ("digits",), {"tree": parts}, "make runs", **fields)


def write(folder, name, accuracies, method, **options):
    fields = {f"acquisition.{option}": value for option, value in options.items()}
    return run_folders.write(folder / name, accuracies, **{"acquisition.method": method, **fields})


@pytest.fixture
def results(tmp_path):
    """Two runs whose areas differ by 0.1 to 0.14, and another form of LBB that is worse than both."""
    rng = np.random.default_rng(0)
    bald = rng.uniform(0.4, 0.6, (5, 3))
    write(tmp_path / "digits", "bald", bald.tolist(), "bald")
    write(tmp_path / "digits", "tree", (bald + rng.uniform(0.1, 0.14, (5, 1))).tolist(), "lbb", redundancy="tree")
    write(tmp_path / "digits", "pairwise", (bald - 0.2).tolist(), "lbb", redundancy="pairwise")
    return tmp_path


def test_a_part_is_decided_by_the_runs_that_it_names(results):
    above, below = decide_claim(claim(ABOVE, BELOW), load_curves(results))
    assert (above.claim, above.form, above.part, above.setting) == (3, "tree", "LBB above BALD", "digits, mlp, b = 10")
    assert (above.verdict, below.verdict) == (Verdict.HOLDS, Verdict.FAILS)
    assert 0.1 < above.decision.interval.mean < 0.14
    assert above.decision.interval.num_pairs == 5


def test_areas_are_taken_over_all_labels(results):
    curves = {run.acquisition["method"]: run for run in load_curves(results) if run.acquisition["redundancy"] == "tree"}
    labels, accuracies = curves["lbb"].by_seed[2]
    assert labels.tolist() == [20, 30, 40]
    middle = of_runs.area(labels, accuracies)
    assert middle == pytest.approx((accuracies[0] + 2 * accuracies[1] + accuracies[2]) / 4)


def test_where_a_method_was_run_twice_the_run_with_the_most_seeds_counts(results):
    write(results / "again", "bald", [(0.9, 0.9, 0.9)] * 2, "bald")
    write(results / "again", "tree", [(0.1, 0.1, 0.1)] * 2, "lbb", redundancy="tree")
    (row,) = decide_claim(claim(ABOVE), load_curves(results))
    assert (row.verdict, row.decision.interval.num_pairs) == (Verdict.HOLDS, 5)


def test_what_was_not_run_stays_open(results):
    missing = Part("LBB above random", ((1.0, LBB), (-1.0, Run("random", "deep_ensemble"))), Side.ABOVE)
    other = Part("LBB above BALD", ((1.0, LBB), (-1.0, Run("bald", "mc_dropout"))), Side.ABOVE)
    curves = load_curves(results)
    for rows in (
        decide_claim(claim(missing), curves),
        decide_claim(claim(other), curves),
        decide_claim(claim(ABOVE, batch_size=20), curves),
    ):
        assert [(row.setting, row.decision, row.verdict) for row in rows] == [("", None, Verdict.UNDECIDED)]


def test_one_seed_decides_nothing(tmp_path):
    write(tmp_path / "digits", "bald", [(0.5, 0.5)], "bald")
    write(tmp_path / "digits", "tree", [(0.9, 0.9)], "lbb", redundancy="tree")
    assert decide_claim(claim(ABOVE), load_curves(tmp_path))[0].decision is None


def test_a_profile_is_decided_over_experiments(tmp_path):
    for number, error in enumerate((0.1, 0.2, 0.3, 0.25)):
        of_batch = {"batch_size": 5 + number}
        for name, factor in (("bald", 1.0), ("lbb", 0.5 + 0.02 * number)):
            run_folders.write(
                tmp_path / f"{number}" / name,
                # Only the seeds that both have count.
                [(0.5, 1 - factor * error)] * 2 + [(0.5, 0.1)] * (name == "bald"),
                **{"acquisition.method": name, "acquisition.redundancy": "tree", **of_batch},
            )
    part = Part("LBB above BALD", ((1.0, Run("lbb", ANY)), (-1.0, Run("bald", ANY))), Side.ABOVE, final)
    (row,) = decide_profile(RunClaim(16, "A.6", "a claim", (), {"tree": (part,)}, ""), load_curves(tmp_path))
    assert (row.verdict, row.setting) == (Verdict.HOLDS, "4 experiments")
    assert row.decision.interval.mean == pytest.approx(-np.mean(np.log([0.5, 0.52, 0.54, 0.56])))


def write_lines(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def test_bounds_on_times(tmp_path):
    (measured,) = (claim for claim in of_measurements.MEASURED_CLAIMS if claim.number == 5)
    assert {bound.verdict for bounds in measured.measure(tmp_path).values() for bound in bounds} == {Verdict.UNDECIDED}
    sizes = {"N": 49_980, "b": 10}
    write_lines(
        tmp_path / "benchmark" / "paper.jsonl",
        {"case": "batch_bald", "milliseconds": 100.0, "ratio_to_bald": 20.0, **sizes},
        {"case": "lbb", "redundancy": "tree", "milliseconds": 10.0, "ratio_to_bald": 2.0, **sizes},
        # As the pairwise sum is recorded, which is the default.
        {"case": "lbb", "milliseconds": 50.0, "ratio_to_bald": 10.0, **sizes},
    )
    bounds = measured.measure(tmp_path)
    assert [(bound.value, bound.verdict) for bound in bounds["tree"][:2]] == [(10, "holds"), (2, "holds")]
    assert [(bound.value, bound.verdict) for bound in bounds["pairwise"][:2]] == [
        (2, "does not hold"),
        (10, "does not hold"),
    ]


def test_a_share_of_the_total_correlation_is_a_median(tmp_path):
    measured = next(claim for claim in of_measurements.MEASURED_CLAIMS if claim.number == 2)
    record = {"measurement": "approximation", "batch": "random", "b": 6, "tree": 1.0, "released": -4.0}
    write_lines(
        tmp_path / "approximation" / "digits" / "measurements.jsonl",
        *({**record, "total_correlation": 2.0, "pairs_once": value} for value in (1.0, 2.1, 9.0)),
    )
    bounds = measured.measure(tmp_path)
    assert {form: (of_form[0].value, of_form[0].verdict) for form, of_form in bounds.items()} == {
        "pairwise": (1.05, "holds"),
        "tree": (0.5, "does not hold"),
        "released": (-2.0, "does not hold"),
    }


@pytest.mark.slow
def test_every_claim_is_decided_from_the_stored_results():
    findings = claims.decide_all(scripts.ROOT / "results")
    assert list(dict.fromkeys(finding.number for finding in findings)) == list(range(1, 17))
    keys = [(finding.number, finding.text, finding.form) for finding in findings]
    assert len(keys) == len(set(keys))
    assert all(finding.parts and finding.command for finding in findings)
    named = {word for finding in findings for word in finding.command.split() if word.endswith(".py")}
    assert named
    assert all((scripts.ROOT / name).exists() for name in named)
    assert findings[0].verdict is Verdict.HOLDS
    of_times = [finding for finding in findings if finding.number in (3, 4, 5) and finding.form != "released"]
    assert not any("not measured" in part for finding in of_times for part in finding.parts)
    page = claims.to_markdown(findings)
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert any("undecided; 2 of" in row for row in rows)
    assert len(rows) == page.count("\n## ") == len({key[:2] for key in keys})
    assert all(part in page for finding in findings for part in finding.parts)
