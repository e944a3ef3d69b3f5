"""The sentences on the page of findings are what the stored runs say; the site shows every run that is stored."""

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
import scripts
from generate import approximation_tables, cache, decisions, draws, evidence, findings, results, stored_runs
from generate.evidence import Comparison

RESULTS = scripts.ROOT / "results"
README = " ".join((scripts.ROOT / "README.md").read_text(encoding="utf-8").split())
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
    without_copies = table[~table["where"].str.match(r"R[A-Z]")]
    is_pairwise = without_copies["comparison"] == "LBB (pairwise) minus BALD"
    of_others = without_copies[~is_pairwise]
    (below,) = of_others[of_others["verdict"] == "below"].itertuples()
    heads = "compared/cifar10_embeddings_ensemble_b=20_2000"
    assert (below.folder, below.comparison) == (heads, "LBB (tree) minus BALD")
    assert round(below.difference, 3) == -0.001
    assert of_others.loc[of_others["verdict"] == "above", "difference"].max() < 0.03
    of_pairwise = without_copies[is_pairwise].groupby("verdict")["folder"].agg(set)
    assert of_pairwise["above"] == {
        "digits_50_seeds/digits",
        "compared/digits_laplace",
        "compared/cifar10_embeddings_b=20",
        "compared/cifar10_embeddings_b=20_2000",
        "fashion_mnist_small",
        "mc_dropout_small/fashion_mnist_mc_dropout_small",
        "mc_dropout_small/mnist_mc_dropout_small",
    }
    assert of_pairwise["below"] == {
        "reduced_b=20/mnist_mlp_small_b=20",
        "characters/emnist_mlp_small",
        "compared/banking77_ensemble",
        "compared/cifar10_embeddings_ensemble_2000",
        "compared/cifar10_embeddings_2000",
        heads,
    }
    of_network = table[table["folder"].isin(["mnist_small", "mnist_paper"])].set_index("comparison")
    of_network = of_network.loc["LBB (pairwise) minus BALD"]
    assert len(of_network) == 2
    assert (of_network["difference"] < 0).all()
    assert set(of_network["verdict"]) == {"open"}


@pytest.mark.slow
def test_where_the_tree_is_above_and_where_the_pairwise_sum_is(compared):
    table = compared["pairs"]
    table = table[table["comparison"] == "LBB (pairwise) minus LBB (tree)"].set_index("folder")
    of_batches_of_20 = ["reduced_b=20/mnist_mlp_small_b=20", "reduced_b=20/mnist_repeated_mlp_small_b=20"]
    of_batches_of_20 += ["characters/emnist_mlp_small"]
    assert set(table.loc[["mnist_small", "reduced_10_seeds/mnist_mlp_small", *of_batches_of_20], "verdict"]) == {
        "below"
    }
    assert (table.loc[of_batches_of_20, "difference"] < -0.035).all()
    assert table.loc["characters/emnist_mlp_small", "difference"] == pytest.approx(-0.09, abs=0.005)
    assert table.loc["compared/cifar10_embeddings_ensemble_2000", "difference"] == pytest.approx(-0.2, abs=0.01)
    assert table.loc["compared/banking77_ensemble", "difference"] == pytest.approx(-0.18, abs=0.005)
    for folder, step, digits in (
        ("compared/cifar10_embeddings_2000", -0.05, 2),
        ("ag_news/ag_news_frozen_mc_dropout", -0.004, 3),
    ):
        assert (table.loc[folder, "verdict"], round(table.loc[folder, "difference"], digits)) == ("below", step)
    assert set(table.index[table["verdict"] == "above"]) == {
        "digits_50_seeds/digits",
        "fashion_mnist/fashion_mnist_repeated_mlp_small",
        "compared/cifar10_embeddings_b=20",
        "mc_dropout_small/mnist_mc_dropout_small",
        "mc_dropout_small/mnist_repeated_mc_dropout_small",
    }


@pytest.mark.slow
def test_what_sampling_adds_is_decided_against_it_with_a_laplace_posterior_alone(compared):
    table = compared["sampling"]
    (against,) = table[table["verdict"] == "below"].itertuples()
    assert against.folder == "compared/digits_laplace"
    assert against.comparison.endswith("minus LBB (pairwise)")
    for first, second in (("PowerBALD, α = 5", "BALD"), ("Power LBB (pairwise), α = 5", "LBB (pairwise)")):
        found = verdicts(table, first, second)
        assert found.count("above") > len(found) / 2
    of_copies = table[table["where"].str.match(r"R[A-Z]") & (table["comparison"] == "PowerBALD, α = 5 minus BALD")]
    assert of_copies["difference"].between(0.07, 0.12).all()


@pytest.mark.slow
def test_redundancy_adds_nothing_to_methods_that_sample(compared):
    table = compared["power"]
    assert table["difference"].abs().max() < 0.015
    decided = table[table["verdict"] != "open"]
    assert list(zip(decided["folder"], decided["verdict"], strict=True)) == [
        ("digits_50_seeds/digits", "above"),
        ("compared/digits_laplace", "above"),
        ("reduced_b=20/mnist_repeated_mlp_small_b=20", "below"),
    ]
    assert decided["comparison"].iloc[1].startswith("Power LBB (tree)")


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
    informative = table["informative picks, pairwise"]
    for title, least, most in ((r"R?MNIST.*ensemble", 6.5, 8), (r"EMNIST", 4, 4.9)):
        of_title = informative[table.index.str.match(title)]
        assert len(of_title) > 0
        assert of_title.between(least, most).all()
    all_informative = table[table.index.str.contains("MNIST.*MC dropout|digits, MLP, (?:deep|MC)")]
    assert len(all_informative) > 5
    assert (all_informative["informative picks, pairwise"] > 9.8).all()
    assert (all_informative["class entropy, pairwise"] > all_informative["class entropy, tree"]).all()
    of_copies = table[table.index.str.match(r"R.*ensemble") & (table["b"] == 10)]
    assert len(of_copies) > 2
    assert (of_copies["distinct, pairwise"] > 8.5).all()
    assert of_copies["distinct, tree"].between(6.5, 8).all()
    assert (of_copies["class entropy, pairwise"] > of_copies["class entropy, tree"]).all()
    at_20 = table[table.index.str.contains("MNIST") & (table["b"] == 20)]
    assert list(at_20["verdict"]) == ["below"] * 3
    assert (at_20["class entropy, pairwise"] < at_20["class entropy, tree"]).all()


@pytest.mark.slow
def test_the_released_score_does_not_fit_the_figure_on_rmnist(compared):
    of_copies = compared["released"][compared["released"]["where"].str.match(r"R[A-Z]")]
    of_forms = of_copies[of_copies["comparison"] == "LBB (released) minus LBB (pairwise)"]
    assert set(of_forms["verdict"]) == {"below"}
    table = evidence.areas(RESULTS)
    for folder in ("rmnist_small", "mc_dropout_small/mnist_repeated_mc_dropout_small"):
        means = table[table["folder"] == folder].groupby("variant")["area"].mean()
        assert means["LBB (pairwise)"] > means["Random"] > means["LBB (released)"]
        assert means["LBB (pairwise)"] > means["BALD"]
    without_copies = compared["released"].set_index(["folder", "comparison"])["verdict"]
    of_perceptron = without_copies["reduced_10_seeds/mnist_mc_dropout_mlp_small"]
    assert of_perceptron["LBB (released) minus LBB (pairwise)"] == "above"
    of_network = without_copies["mc_dropout_small/mnist_mc_dropout_small"]
    assert of_network["LBB (released) minus LBB (pairwise)"] == "below"


@pytest.mark.slow
def test_ensembles_are_more_accurate(compared):
    table = findings.posteriors(RESULTS)
    assert (table["difference"] > 0).all()
    medians = table.groupby("where")["difference"].median()
    is_network = medians.index.str.contains("CNN")
    is_digits = medians.index.str.contains("digits")
    assert min(sum(is_digits), sum(is_network), sum(~is_network & ~is_digits)) > 0
    assert medians[is_digits].to_numpy() == pytest.approx(0.02, abs=0.005)
    assert medians[~is_network & ~is_digits].to_numpy() == pytest.approx(0.05, abs=0.005)
    assert medians[is_network].between(0.06, 0.09).all()
    by_method = table[~table["where"].str.contains("digits")].groupby("comparison")["difference"].mean()
    least = by_method[["Random", "PowerBALD, α = 5", "Power LBB (pairwise), α = 5"]]
    assert least.max() < by_method[["BALD", "LBB (tree)"]].min()
    areas = evidence.areas(RESULTS)
    of_digits = areas[areas["where"] == "digits, MLP, MC dropout, b = 10"]
    methods = sorted(set(of_digits["variant"]) - {"Random"})
    found = evidence.compare(of_digits, [Comparison(name, "Random") for name in methods])
    assert set(found["verdict"]) == {"above"}
    with_dropout = areas[(areas["posterior"] == "mc_dropout") & areas["where"].str.contains("MNIST")]
    names = ("BALD", "LBB (pairwise)", "LBB (tree)", "Power LBB (pairwise), α = 5")
    of_random = {name: evidence.compare(with_dropout, [Comparison(name, "Random")]) for name in names}
    for name in names[:3]:
        assert "above" not in set(of_random[name]["verdict"])
    assert set(of_random["BALD"]["verdict"]) == {"below"}
    of_tree = of_random["LBB (tree)"]
    assert set(of_tree.loc[of_tree["where"].str.contains("CNN"), "verdict"]) == {"below"}
    of_power = of_random["Power LBB (pairwise), α = 5"].set_index("where")
    assert (of_power["difference"] > 0).all()
    assert list(of_power.index[of_power["verdict"] != "above"]) == ["Fashion-MNIST, CNN, MC dropout, b = 10"]


@pytest.mark.slow
def test_near_copies_take_bald_below_random(compared):
    table = compared["random"]
    of_copies = table[table["where"].str.match(r"R[A-Z]")].set_index("comparison")
    assert (of_copies.loc["BALD minus Random", "difference"] < 0).all()
    assert set(of_copies.loc["BALD minus Random", "verdict"]) == {"below"}
    of_pairwise = of_copies.loc["LBB (pairwise) minus Random"].set_index("where")["verdict"]
    at_20 = of_pairwise.index.str.contains("b = 20")
    assert (set(of_pairwise[~at_20]), list(of_pairwise[at_20])) == ({"open"}, ["below"])
    power = of_copies.loc[of_copies.index.str.startswith("Power")]
    assert (power["difference"] > 0).all()
    not_decided = power[power["verdict"] != "above"]
    assert list(not_decided["folder"]) == ["fashion_mnist/fashion_mnist_repeated_mlp_small"]
    for folder, batch_size, low, high in (
        ("mc_dropout_small/mnist_repeated_mc_dropout_small", 10, 3, 4.5),
        ("reduced_10_seeds/mnist_repeated_mc_dropout_mlp_small", 10, 3, 4.5),
        ("reduced_10_seeds/mnist_repeated_mlp_small", 10, 3, 4.5),
        ("reduced_b=20/mnist_repeated_mlp_small_b=20", 20, 7.5, 8.5),
    ):
        batches = pd.read_csv(RESULTS / folder / "diversity.csv")
        of_bald = batches[(batches["run"] == "bald") & (batches["size"] == batch_size)]
        assert low < of_bald["distinct"].mean() < high


@pytest.mark.slow
def test_what_is_said_of_many_classes():
    found = findings.beside_random(RESULTS, findings.many_classes)
    of_emnist = found[found["folder"] == "characters/emnist_mlp_small"].set_index("comparison")
    assert of_emnist["difference"].idxmax() == "PowerBALD, α = 5 minus Random"
    assert of_emnist.loc["PowerBALD, α = 5 minus Random", "difference"] == pytest.approx(0.013, abs=0.0005)
    pairwise = of_emnist.loc["LBB (pairwise) minus Random"]
    assert pairwise["difference"] == pytest.approx(-0.09, abs=0.005)
    assert set(of_emnist["verdict"]) == {"open", "below"}
    assert list(of_emnist.index[of_emnist["verdict"] == "below"]) == ["LBB (pairwise) minus Random"]
    (of_texts,) = found[found["folder"] == "own_data/banking77"].itertuples()
    assert (of_texts.verdict, of_texts.seeds) == ("above", 3)


@pytest.mark.slow
def test_what_is_said_of_banking77():
    areas = evidence.areas(RESULTS)
    gained, verdicts = {}, {}
    for posterior in ("laplace", "ensemble"):
        of_one = areas[areas["folder"] == f"compared/banking77_{posterior}"]
        others = sorted(set(of_one["variant"]) - {"Random"})
        found = evidence.compare(of_one, [Comparison(name, "Random") for name in others])
        gained[posterior] = pd.Series(found["difference"].to_numpy(), others)
        verdicts[posterior] = pd.Series(found["verdict"].to_numpy(), others)
        rest = [Comparison("TypiClust", name) for name in others if name != "TypiClust"]
        assert set(evidence.compare(of_one, rest)["verdict"]) == {"above"}
        both_above = ["TypiClust", "Margin", "BADGE", "Cluster-Margin", "PowerBALD, α = 1", "Power LBB (tree), α = 1"]
        assert set(verdicts[posterior][both_above]) == {"above"}
        assert set(verdicts[posterior][["BALD", "Log-det"]]) == {"below"}
        assert gained[posterior][["BALD", "Log-det"]].between(-0.0355, -0.0185).all()
    second = [gained[posterior].sort_values(ascending=False).index[1] for posterior in ("laplace", "ensemble")]
    assert second == ["Margin", "BADGE"]
    assert gained["laplace"].round(3)[["TypiClust", "Margin"]].tolist() == [0.087, 0.045]
    assert gained["ensemble"].round(3)["TypiClust"] == 0.096
    assert gained["ensemble"].round(2)[["BADGE", "Cluster-Margin"]].tolist() == [0.04, 0.04]
    level = ["LBB (tree)", "Core-set"]
    assert set(verdicts["laplace"][level]) == {"open"}
    assert set(verdicts["ensemble"][level]) == {"below"}
    assert gained["ensemble"].round(2)[[*level, "LBB (pairwise)"]].tolist() == [-0.02, -0.02, -0.19]
    entropies = pd.DataFrame(gained).round(2).loc["Entropy"]
    assert entropies.to_dict() == {"laplace": -0.06, "ensemble": -0.09}
    assert {verdicts[posterior]["Entropy"] for posterior in verdicts} == {"below"}


@pytest.mark.slow
def test_the_matrix_of_wins_is_the_same_seen_from_both_sides():
    table = findings.wins(RESULTS).drop(columns="experiments")
    for first in table.index:
        assert table.loc[first, first] == ""
        for second in table.columns:
            assert table.loc[first, second] == " : ".join(reversed(table.loc[second, first].split(" : ")))


@pytest.mark.slow
def test_a_method_counts_once_in_an_experiment_with_its_most_seeds():
    table = evidence.areas(RESULTS)
    assert not table.duplicated([*evidence.EXPERIMENT, "variant", "seed"]).any()
    of_one = table[(table["where"] == "MNIST, MLP, deep ensemble, b = 10") & (table["variant"] == "LBB (tree)")]
    assert set(of_one["folder"]) == {"reduced_10_seeds/mnist_mlp_small"}
    assert len(of_one) == 10


def runs_of(folder):
    (experiment,) = stored_runs.experiments(folder, stored_runs.folders(RESULTS / folder, RESULTS)[folder])
    return experiment.runs.assign(variant=evidence.canonical(experiment.runs))


def finals(folder):
    """The mean accuracy of each method with all labels."""
    runs = runs_of(folder)
    return runs[runs["labels"] == runs["labels"].max()].groupby("variant")["accuracy"].mean()


@pytest.fixture(scope="module")
def measured():
    """What the study of the approximation measured, with all draws and classes."""
    files = RESULTS.glob("approximation/*/measurements.jsonl")
    table = pd.concat([pd.read_json(path, lines=True) for path in files])
    wholes = table.groupby("source")[["K", "C"]].transform("max")
    is_whole = (table["K"] == wholes["K"]) & (table["C"] == wholes["C"])
    return table[is_whole]


def of_batches(measured, b, points="highest BALD"):
    is_shown = (measured["measurement"] == "approximation") & (measured["batch"] == points)
    return measured[is_shown & (measured["b"] == b)].groupby("source").mean(numeric_only=True)


@pytest.mark.slow
def test_the_readme_says_what_near_copies_do():
    for folder in (
        "rmnist_small",
        "reduced/mnist_repeated_mlp_small",
        "fashion_mnist/fashion_mnist_repeated_mlp_small",
    ):
        batches = pd.read_csv(RESULTS / folder / "diversity.csv")
        distinct = batches[(batches["run"] == "bald") & (batches["size"] == 10)]["distinct"].mean()
        assert 3 <= distinct < 4.5, "BALD picks 3 or 4 distinct images of ten"
        assert finals(folder)["BALD"] < finals(folder)["Random"] - 0.05
    of_network = finals("rmnist_small")
    assert of_network.filter(regex=r"^LBB \((pairwise|tree)").min() > of_network["Random"]
    assert of_network.idxmax().startswith("Power LBB")
    for folder in (
        "reduced/mnist_repeated_mlp_small",
        "reduced_10_seeds/mnist_repeated_mlp_small",
        "reduced_10_seeds/mnist_repeated_mc_dropout_mlp_small",
        "mc_dropout_small/mnist_repeated_mc_dropout_small",
    ):
        of_one = finals(folder)
        above = of_one.index[of_one > of_one["Random"]]
        assert sorted(above) == sorted(name for name in of_one.index if name.startswith("Power")), folder


@pytest.mark.slow
def test_the_readme_says_what_sampling_does(compared):
    table = evidence.areas(RESULTS)
    for name in ("Power LBB (pairwise), α = 5", "PowerBALD, α = 5"):
        found = evidence.compare(table, [Comparison(name, "Random")])
        assert (found["verdict"] == "above").mean() > 0.5
        assert "below" not in set(found["verdict"])
    assert compared["power"]["difference"].abs().max() < 0.015


@pytest.mark.slow
def test_the_readme_says_what_happens_without_copies():
    table = evidence.areas(RESULTS)
    table = table[table["where"] == "digits, MLP, deep ensemble, b = 10"]
    methods = sorted(set(table["variant"]) - {"Random"})
    of_random = evidence.compare(table, [Comparison(name, "Random") for name in methods])
    assert set(of_random["verdict"]) == {"above"}


@pytest.mark.slow
def test_what_fifty_seeds_decide():
    table = evidence.areas(RESULTS)
    table = table[table["folder"] == "digits_50_seeds/digits"]
    assert set(table.groupby("variant")["seed"].nunique()) == {50}
    means = table.groupby("variant")["area"].mean()
    of_information = ["Power LBB (pairwise), α = 5", "LBB (pairwise)", "PowerBALD, α = 5"]
    of_information += ["BatchBALD", "LBB (tree)", "Power EPIG, α = 1", "BALD", "LBB (released)"]
    assert list(means[of_information].sort_values(ascending=False).index) == of_information
    for name in ("Margin", "BAIT"):
        found = evidence.compare(table, [Comparison(name, other) for other in of_information])
        assert set(found["verdict"]) == {"above"}
        assert found["difference"].min() > 0.0075
    level = (Comparison("Margin", "BAIT"), *(Comparison(name, "LBB (pairwise)") for name in ("Core-set", "BADGE")))
    assert set(evidence.compare(table, level)["verdict"]) == {"open"}
    over_bald = evidence.compare(table, [Comparison(name, "BALD") for name in of_information[1:5]])
    assert set(over_bald["verdict"]) == {"above"}
    assert over_bald["difference"].between(0.0035, 0.0095).all()


def test_the_readme_says_how_much_the_pairwise_sum_over_counts(measured):
    of_fifty = of_batches(measured, 50).filter(like="mnist", axis="index")
    ratios = of_fifty["pairs_once"] / of_fifty["total_correlation"]
    assert f"for fifty MNIST images of high BALD it is {ratios.min():.0f} to {ratios.max():.0f} times" in README


def test_the_readme_says_how_much_the_batches_of_the_tree_hold(measured):
    picks = measured[measured["measurement"] == "picks"]
    information = picks.groupby(["source", "b", "variant"])["joint_information"].mean().unstack()
    share = information["LBB (tree)"] / information["BatchBALD"]
    # Beyond what is enumerated, both are estimates.
    assert f"as BatchBALD's, to {100 * (1 - share.min()):.0f} %" in README
    assert share.max() < 1.01


def test_the_readme_says_how_long_a_batch_takes():
    lines = (RESULTS / "benchmark" / "paper.jsonl").read_text(encoding="utf-8").splitlines()
    times = {
        (row["case"], row.get("redundancy"), row["b"]): (row["milliseconds"], row["ratio_to_bald"])
        for row in map(json.loads, lines)
    }
    tree, pairwise = times["lbb", "tree", 100], times["lbb", None, 100]
    assert (
        f"100 picks from 49,980 points take LBB {tree[0]:.0f} ms (tree) and {pairwise[0]:.0f} ms (pairwise)" in README
    )
    assert f", {tree[1]:.1f} and {pairwise[1]:.1f} times a pass of BALD" in README
    assert f"50 picks of BatchBALD take {times['batch_bald', None, 50][0] / 1000:.0f} s" in README
    others = (RESULTS / "benchmark" / "peers.jsonl").read_text(encoding="utf-8").splitlines()
    (redux,) = [row for row in map(json.loads, others) if row["case"] == "batch_bald (batchbald_redux)"]
    comparison = (scripts.ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    assert redux["b"] == 5
    assert f"five picks from 49,980 points took it {redux['milliseconds'] / 1000:.0f} s" in comparison
    fewest, most = sorted([tree[1], times["power_lbb", "tree", 100][1]])
    assert f"{fewest:.0f} to {most:.0f} times a pass of BALD at b = 100" in README


@pytest.mark.slow
@pytest.mark.parametrize(
    "shown",
    [each for decision in decisions.DECISIONS for each in decision.evidence if isinstance(each, decisions.Means)],
    ids=lambda shown: f"{shown.folder}, {shown.at}",
)
def test_what_is_advised_is_above_what_it_is_held_against(shown):
    values = decisions.means(shown, RESULTS)
    assert values.iloc[0] > values.iloc[-1]
    assert values.iloc[0] > values.get("Random", 0)


@pytest.mark.slow
def test_every_line_of_the_table_of_decisions_has_evidence_or_says_what_is_missing():
    lines = decisions.table(RESULTS).splitlines()[2:]
    for decision, line in zip(decisions.DECISIONS, lines, strict=True):
        assert decision.evidence or decision.note
        assert decision.note in line
        assert line.count("|") == 5


def test_the_page_says_how_good_the_approximations_are(measured):
    page = " ".join(PAGE.split())
    ensemble = "mnist, deep ensemble, 50 labels"
    at_six, at_fifty = (of_batches(measured, b).loc[ensemble] for b in (6, 50))
    once = [at["pairs_once"] / at["total_correlation"] for at in (at_six, at_fifty)]
    assert f"on MNIST it is {once[0]:.1f} times too large, for fifty {once[1]:.0f} times" in page
    # The tree keeps half of the total correlation at b = 6.
    assert (of_batches(measured, 6)["tree"] / of_batches(measured, 6)["total_correlation"]).between(0.45, 0.6).all()
    for b in (2, 6, 50):
        of_size = of_batches(measured, b)
        assert (of_size["tree"] <= of_size["total_correlation"] + 3 * of_size["standard_error"] + 1e-5).all()
        assert of_size["pairs_twice"].to_numpy() == pytest.approx(2 * of_size["pairs_once"].to_numpy(), abs=1e-5)


def test_the_page_says_what_batches_hold(measured):
    picks = measured[measured["measurement"] == "picks"]
    means = picks.groupby(["source", "b", "variant"])["joint_information"].mean().unstack()
    pairwise = means["LBB (pairwise), pair weight = 1"]["mnist, deep ensemble, 50 labels"]
    assert pairwise[20] == pytest.approx(pairwise[10], abs=0.001)
    at_ten = means.xs(10, level="b")
    assert (at_ten["BALD"] > 0.95 * at_ten["BatchBALD"]).all()
    assert (at_ten["PowerBALD, α = 5"] < at_ten["BALD"]).all()


def test_the_page_says_what_the_released_score_rewards(measured):
    records = [
        json.loads(line)
        for path in RESULTS.glob("approximation/*/measurements.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    records = [record for record in records if record["measurement"] == "released_score"]
    assert len(records) > 4
    for record in records:
        assert record["spread"] > 3 * record["spread_of_bald"]
        assert record["agreement"]["class counts"] > 0.75
        assert record["agreement"]["confidence"] < 0
        assert record["highest_in_last_chunk"] == 0
        assert (record["share_below_zero"] > 0) == ("deep ensemble" in record["source"])


@pytest.mark.slow
def test_the_page_of_results_says_which_method_leads_on_embeddings():
    table = evidence.areas(RESULTS)
    table = table[table["folder"] == "compared/cifar10_embeddings"]
    others = sorted(set(table["variant"]) - {"Margin"})
    found = evidence.compare(table, [Comparison("Margin", name) for name in others])
    assert (found["low"] > 0).all()
    runs = runs_of("compared/cifar10_embeddings")
    sizes = sorted(set(runs["labels"]))
    assert runs[runs["labels"] == sizes[1]].groupby("variant")["accuracy"].mean().idxmax() == "TypiClust"
    (core_set,) = evidence.compare(table, [Comparison("Core-set", "Random")]).itertuples()
    assert core_set.high < 0


def test_the_page_of_theory_says_what_triples_and_chi_squared_are_worth(measured):
    held = approximation_tables.variants(RESULTS).astype(float)
    assert sorted(held) == sorted(
        f"{dataset}, {posterior}, b = {b}"
        for dataset in ("digits", "MNIST")
        for posterior in ("deep ensemble", "MC dropout")
        for b in (10, 50)
    )
    for form in ("LBB (pairwise)", "LBB (tree)"):
        assert (held.loc[f'{form}, `pairs="chi2"`'] >= held.loc[form] - 0.02).all()
    tens = held.filter(like="b = 10")
    assert (tens.loc["LBB (pairwise), `order=3`"] < tens.loc["LBB (pairwise)"]).all()
    for points, largest in (
        ("highest BALD", {"digits": 0.08, "mnist": 0.12}),
        ("random points", {"digits": 0.17, "mnist": 0.18}),
    ):
        with_triples = of_batches(measured, 10, points).dropna(subset="pairs_and_triples")
        ratios = with_triples["pairs_and_triples"] / with_triples["total_correlation"]
        for dataset, most in largest.items():
            errors = abs(ratios.filter(like=dataset) - 1)
            assert len(errors) == 2
            assert most - 0.01 < errors.max() < most + 0.005
    series = draws.series(RESULTS)
    errors = series[["pairs", "pairs and triples"]].sub(series["total correlation"], axis=0).abs()
    is_of_four = series.index.str.contains(", 4 ")
    assert (errors["pairs and triples"] < errors["pairs"])[is_of_four].all()
    assert (errors["pairs and triples"] > series["total correlation"])[series.index.str.contains("10 of the")].all()


def test_the_page_which_method_says_how_soon_draws_are_exhausted():
    held = draws.joint_information(RESULTS)
    assert held.loc["Random", "K = 100, b = 10"] > 0.95 * np.log(100)
    assert held.loc["LBB (pairwise)", "K = 5, b = 10"] - held.loc["LBB (pairwise)", "K = 5, b = 3"] < 0.05
    assert held.loc["LBB (pairwise)", "K = 100, b = 10"] - held.loc["LBB (pairwise)", "K = 100, b = 3"] > 0.5


@pytest.mark.slow
def test_what_is_said_of_laplace_posteriors():
    found = findings.beside_random(RESULTS, findings.last_layers)
    digits = found[found["folder"] == "compared/digits_laplace"].set_index("comparison")
    for method in ("EPIG", "Log-det", "BAIT"):
        assert digits.loc[f"{method} minus Random", "verdict"] == "below"
    of_information = ("BALD", "LBB", "PowerBALD", "Power LBB", "BatchBALD", "EPIG", "Log-det")
    areas = evidence.areas(RESULTS)
    areas = areas[findings.last_layers(areas)]
    with_laplace = areas[areas["posterior"] == "laplace"]
    assert with_laplace["folder"].nunique() == 6
    for folder, of_one in with_laplace.groupby("folder"):
        means = of_one.groupby("variant")["area"].mean()
        others = [name for name in means.index if name not in ("Margin", "Oracle")]
        margin = evidence.compare(of_one, [Comparison("Margin", name) for name in others]).set_index("comparison")
        above_margin = {"Margin minus TypiClust"} if folder == "compared/banking77_laplace" else set()
        assert set(margin.index[margin["verdict"] == "below"]) == above_margin, folder
        if "LBB (tree)" in others:
            best = means[[name for name in others if name.startswith(of_information)]].idxmax()
            assert best.startswith("Power" if folder == "compared/banking77_laplace" else "LBB ("), folder
    of_twenty = found[found["folder"] == "compared/cifar10_embeddings_b=20"]
    gained = of_twenty.set_index("comparison")["difference"].rename(lambda name: name.removesuffix(" minus Random"))
    assert gained["Oracle"] > 0.035
    assert 0.5 < gained["LBB (pairwise)"] / gained["Oracle"] < 0.75
    assert gained["LBB (pairwise)"] == gained.drop("Oracle").max()
    with_tree = [Comparison("LBB (pairwise)", "LBB (tree)"), Comparison("Power LBB (tree), α = 1", "LBB (tree)")]
    of_embeddings = areas[areas["folder"].str.contains("embeddings")]
    found = evidence.compare(of_embeddings, with_tree).set_index(["folder", "comparison"])["verdict"]
    assert found["compared/cifar10_embeddings_b=20", str(with_tree[0])] == "above"
    assert found["compared/cifar10_embeddings_b=20", str(with_tree[1])] == "below"


@pytest.mark.slow
def test_what_is_said_of_embeddings_to_2000_labels():
    areas = evidence.areas(RESULTS)
    hundred, twenty = (areas[areas["folder"] == f"compared/cifar10_embeddings{name}_2000"] for name in ("", "_b=20"))

    def verdicts_of(of_one, method, others):
        found = evidence.compare(of_one, [Comparison(method, other) for other in others])
        return dict(zip(others, found["verdict"], strict=True))

    methods = set(hundred["variant"])
    leading = {"Margin", "Least confident", "Entropy"}
    means = hundred.groupby("variant")["area"].mean()
    assert (len(methods), set(means.nlargest(3).index)) == (17, leading)
    others = sorted(methods - {*leading, "LBB (tree)"})
    assert set(verdicts_of(hundred, "LBB (tree)", others).values()) == {"above"}
    assert verdicts_of(hundred, "LBB (tree)", ["Entropy"]) == {"Entropy": "open"}
    beside = evidence.compare(hundred, [Comparison(name, "Random") for name in sorted(methods - {"Random"})])
    beside = beside.assign(method=beside["comparison"].str.removesuffix(" minus Random")).set_index("method")
    assert set(beside.index[beside["verdict"] == "below"]) == {"Core-set", "LBB (pairwise)"}
    assert set(beside.index[beside["verdict"] == "open"]) == {"Power LBB (pairwise), α = 1"}
    assert round(beside.loc["LBB (pairwise)", "difference"], 3) == -0.035
    methods = set(twenty["variant"])
    assert (len(methods), twenty.groupby("variant")["area"].mean().idxmax()) == (15, "LBB (pairwise)")
    found = verdicts_of(twenty, "LBB (pairwise)", sorted(methods - {"LBB (pairwise)"}))
    assert {name for name, verdict in found.items() if verdict == "open"} == {*leading, "LBB (tree)"}
    assert set(found.values()) == {"open", "above"}
    (over_random,) = evidence.compare(twenty, [Comparison("LBB (pairwise)", "Random")]).itertuples()
    assert round(over_random.difference, 3) == 0.023
    of_heads = areas[areas["folder"] == "compared/cifar10_embeddings_ensemble_b=20_2000"]
    methods = sorted(set(of_heads["variant"]) - {"Random"})
    of_random = evidence.compare(of_heads, [Comparison(name, "Random") for name in methods])
    gained = of_random.set_index("comparison")["difference"].rename(lambda name: name.removesuffix(" minus Random"))
    assert set(of_random["verdict"]) == {"above", "below"}
    assert set(gained.index[gained < 0]) == {"Core-set", "LBB (pairwise)"}
    assert round(gained["Margin"], 3) == 0.013
    assert round(gained["LBB (pairwise)"], 2) == -0.06
    sampled = [name for name in methods if name.startswith("Power")]
    others = ["Cluster-Margin", "Log-det", "BALD", "EPIG", "TypiClust", "LBB (tree)"]
    ranked = (["Margin", "BADGE"], sampled, others)
    assert set(gained[gained > 0].index) == {name for group in ranked for name in group}
    assert list(gained[others].sort_values(ascending=False).index) == others
    for leading, following in itertools.pairwise(ranked):
        assert gained[leading].min() > gained[following].max()


@pytest.mark.slow
def test_what_is_said_of_batch_epig():
    areas = evidence.areas(RESULTS)
    digits = areas[areas["folder"] == "digits_all"]
    (found,) = evidence.compare(digits, [Comparison("Batch EPIG", "EPIG")]).itertuples()
    assert (found.verdict, round(found.difference, 3)) == ("above", 0.011)


@pytest.mark.slow
def test_an_ensemble_of_heads_turns_around_what_sampling_does():
    areas = evidence.areas(RESULTS)
    laplace, ensemble = (
        areas[areas["folder"] == f"compared/cifar10_embeddings{name}_2000"] for name in ("", "_ensemble")
    )
    methods = sorted(set(ensemble["variant"]) - {"Random"})
    of_random = evidence.compare(ensemble, [Comparison(name, "Random") for name in methods])
    of_random["method"] = of_random["comparison"].str.removesuffix(" minus Random")
    of_random = of_random.groupby("verdict")["method"].agg(set)
    leading = {"Margin", "BADGE", "PowerBALD, α = 1", "Power LBB (tree), α = 1", "TypiClust"}
    assert of_random["above"] == leading
    of_information = {"LBB (tree)", "BALD", "EPIG", "Log-det", "LBB (released)", "Power LBB (pairwise), α = 1"}
    assert of_random["open"] == of_information | {"Entropy", "Least confident"}
    assert of_random["below"] == {"Core-set", "LBB (pairwise)", "Cluster-Margin"}
    far = Comparison("LBB (pairwise)", "Random"), Comparison("Cluster-Margin", "Random")
    assert [round(step, 2) for step in evidence.compare(ensemble, far)["difference"]] == [-0.21, -0.01]
    pairs = [Comparison(first, second) for first in leading for second in leading if first < second]
    assert set(evidence.compare(ensemble, pairs)["verdict"]) == {"open"}
    sampling = Comparison("Power LBB (tree), α = 1", "LBB (tree)")
    (of_laplace,) = evidence.compare(laplace, [sampling]).itertuples()
    (of_ensemble,) = evidence.compare(ensemble, [sampling]).itertuples()
    assert (of_laplace.verdict, of_ensemble.verdict) == ("below", "above")
    assert (round(of_laplace.difference, 3), round(of_ensemble.difference, 3)) == (-0.009, 0.011)
