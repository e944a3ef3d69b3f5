"""The sentences on the page of findings are what the stored runs say; the site shows every run that is stored."""

import re

import pytest
import scripts
from generate import cache, evidence, findings, results, stored_runs
from generate.evidence import Comparison

RESULTS = scripts.ROOT / "results"
PAGE = (scripts.ROOT / "docs" / "findings.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compared():
    return {name: findings.compared(name, RESULTS) for name in findings.QUESTIONS}


def verdicts(table, first, second, *, copies=None):
    of_one = table[table["comparison"] == str(Comparison(first, second))]
    if copies is not None:
        of_one = of_one[of_one["where"].str.match(r"R[A-Z]") == copies]
    assert len(of_one) > 1
    return list(of_one["verdict"])


def test_every_piece_that_the_page_includes_is_written(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(cache, "make", lambda page, sources, text: made.append(page.name))
    findings.write(tmp_path, RESULTS)
    assert sorted(made) == sorted(re.findall(r"generated/findings/(\w+\.md)", PAGE))


def test_a_page_is_made_anew_where_its_sources_have_changed(tmp_path):
    source, page = tmp_path / "source", tmp_path / "made" / "page.md"
    source.write_text("a")
    assert cache.make(page, [source], lambda: "first") == "first"
    assert cache.make(page, [source], lambda: "second") == "first"
    source.write_text("b")
    assert cache.make(page, [source], lambda: "third") == page.read_text() == "third"


def test_every_folder_of_runs_is_on_the_page_of_results(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "_fragment", lambda output, name, sources, make: f"here is {name}\n")
    results.write(tmp_path / "results.md", RESULTS)
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    for name in stored_runs.folders(RESULTS, RESULTS):
        assert page.count(f"here is {name}\n") == 1, name
    # Each is below its command.
    assert page.index("--workdir=runs/digits_all") < page.index("here is digits_all\n") < page.index("## MNIST and")


@pytest.mark.slow
def test_redundancy_helps_where_there_are_copies(compared):
    table = compared["redundancy"]
    for form in ("LBB (pairwise)", "LBB (tree)", "BatchBALD"):
        of_copies = table[table["where"].str.match(r"R[A-Z]") & (table["comparison"] == f"{form} minus BALD")]
        assert (of_copies["difference"] > 0).all()
        assert "above" in verdicts(table, form, "BALD", copies=True)
        assert verdicts(table, form, "BALD", copies=False).count("above") <= 1
    assert "below" in verdicts(table, "LBB (pairwise)", "BALD", copies=False)


@pytest.mark.slow
def test_what_sampling_adds_is_never_decided_against_it(compared):
    assert "below" not in set(compared["sampling"]["verdict"])
    assert "above" in verdicts(compared["sampling"], "PowerBALD, α = 5", "BALD")


@pytest.mark.slow
def test_with_the_exponent_tuned_nothing_is_left_over_power_bald(compared):
    table = compared["tuned"]
    of_lbb = table[table["comparison"].str.startswith("Power LBB")]
    assert set(of_lbb["verdict"]) == {"open"}
    assert of_lbb["difference"].abs().max() < 0.03
    assert (table.loc[table["comparison"].str.endswith("Random"), "difference"] > 0).all()


@pytest.mark.slow
def test_the_pairwise_sum_runs_out_and_the_tree_lets_copies_through():
    table = findings.why(RESULTS)
    of_mnist = table[table.index.str.contains("MNIST") & ~table.index.str.contains("Fashion")]
    of_ensembles = of_mnist[of_mnist.index.str.contains("ensemble")]
    informative = of_ensembles["informative picks, pairwise"]
    assert informative.between(6.5, 8).all()
    of_copies = table[table.index.str.match(r"R.*ensemble") & (table["b"] == 10)]
    assert (of_copies["distinct, pairwise"] > 8.5).all()
    assert of_copies["distinct, tree"].between(6.5, 8).all()
    assert (of_copies["class entropy, pairwise"] > of_copies["class entropy, tree"]).all()
    at_20 = table.loc["MNIST, MLP, deep ensemble"].set_index("b").loc[20]
    assert at_20["verdict"] == "below"
    assert at_20["class entropy, pairwise"] < at_20["class entropy, tree"]


@pytest.mark.slow
def test_the_released_score_does_not_fit_the_figure_on_rmnist(compared):
    of_copies = compared["released"][compared["released"]["where"].str.match(r"R[A-Z]")]
    of_forms = of_copies[of_copies["comparison"] == "LBB (released) minus LBB (pairwise)"]
    assert (of_forms["difference"] < 0).all()
    of_network = of_forms[of_forms["where"].str.contains("RMNIST, CNN")]
    assert list(of_network["verdict"]) == ["below"]


@pytest.mark.slow
def test_ensembles_are_more_accurate():
    table = findings.posteriors(RESULTS)
    assert "below" not in set(table["verdict"])
    assert table["difference"].median() == pytest.approx(0.05, abs=0.01)


@pytest.mark.slow
def test_near_copies_take_bald_below_random(compared):
    table = compared["random"]
    of_copies = table[table["where"].str.match(r"R[A-Z]")].set_index("comparison")
    assert (of_copies.loc["BALD minus Random", "difference"] < 0).all()
    assert set(verdicts(table, "LBB (pairwise)", "Random", copies=True)) == {"open"}
    power = of_copies.loc[of_copies.index.str.startswith("Power")]
    assert (power["difference"] > 0).all()
    assert set(power["verdict"]) == {"open"}


@pytest.mark.slow
def test_the_matrix_of_wins_is_the_same_seen_from_both_sides():
    table = findings.wins(RESULTS).drop(columns="experiments")
    for first in table.index:
        assert table.loc[first, first] == ""
        for second in table.columns:
            assert table.loc[first, second] == " : ".join(reversed(table.loc[second, first].split(" : ")))
    assert evidence.AGAIN
