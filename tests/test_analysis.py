import re

import numpy as np
import pandas as pd
import pytest
import run_folders
from tables_of_runs import of_curves

from lbb_jax import analysis, figures

TREE, ALPHA = {"acquisition.redundancy": "tree"}, {"acquisition.alpha": 5.0}


def write_run(path, method, **overrides):
    return run_folders.write(path, ((0.07999999821186066,),), **{"acquisition.method": method, **overrides})


def test_runs_are_one_table_with_a_row_for_each_run_seed_and_round(tmp_path):
    paths = [write_run(tmp_path / "a", "bald"), write_run(tmp_path / "b", "power_lbb", **TREE, **ALPHA)]
    runs = analysis.load_runs(paths)
    assert list(runs.columns) == [
        *("path", "experiment", "dataset", "encoder", "network", "posterior", "method", "variant", "batch_size"),
        *("alpha", "reduced", "setup"),
        *("seed", "round", "labels", "accuracy", "nll", "ece", "balanced_accuracy", "macro_f1"),
        *("seconds", "seconds_train", "seconds_predict", "seconds_acquire"),
    ]
    assert runs["path"].tolist() == [str(path) for path in paths]
    assert set(runs["experiment"]) == {tmp_path.name}
    assert runs["variant"].tolist() == ["BALD", "Power LBB (tree)"]
    assert runs["alpha"].tolist() == pytest.approx([np.nan, 5.0], nan_ok=True)
    assert runs["seconds"].tolist() == [6.0, 6.0]
    # To the bit.
    assert runs["accuracy"].tolist() == [0.07999999821186066] * 2


def test_variants_that_differ_in_an_option_are_told_apart_by_it(tmp_path):
    runs = analysis.load_runs(
        [
            write_run(tmp_path / "1", "power_bald"),
            write_run(tmp_path / "2", "power_bald", **ALPHA),
            write_run(tmp_path / "3", "lbb", **ALPHA),
            write_run(tmp_path / "4", "lbb", **{"acquisition.pair_weight": 2.0}),
            write_run(tmp_path / "5", "lbb", **TREE, **{"acquisition.pair_weight": 2.0}),
        ]
    )
    assert runs["variant"].tolist() == [
        *("PowerBALD, α = 1", "PowerBALD, α = 5"),
        *("LBB (pairwise), pair weight = 1", "LBB (pairwise), pair weight = 2", "LBB (tree)"),
    ]
    assert analysis.base_variant("PowerBALD, α = 1") == "PowerBALD"


def test_no_runs_and_folders_without_a_run_are_errors(tmp_path):
    with pytest.raises(ValueError, match="paths is empty"):
        analysis.load_runs([])
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        analysis.load_runs([tmp_path])


def test_pairs_are_exact_unless_the_name_says_otherwise():
    acquisitions = [{"method": "lbb", "redundancy": "tree", "pairs": pairs} for pairs in ("exact", "chi2")]
    assert analysis.variant_names(acquisitions) == ["LBB (tree)", "LBB (tree), pairs = chi2"]


def test_the_oracle_depends_on_no_exponent():
    runs = [{"method": "lbb_jax.acquisition:ORACLE", "alpha": alpha} for alpha in (1.0, 5.0)]
    assert analysis.variant_names(runs, ["Oracle"] * 2) == ["Oracle"] * 2


def test_a_run_that_is_there_twice_is_an_error(tmp_path):
    paths = [write_run(tmp_path / "a", "bald"), write_run(tmp_path / "b", "bald")]
    message = r"a and .*b are both runs of BALD with seed 0 \(dataset digits, network mlp"
    for load in (analysis.load_runs, analysis.load_acquired):
        with pytest.raises(ValueError, match=message):
            load(paths)


def test_runs_with_different_encoders_are_different_experiments(tmp_path):
    paths = [write_run(tmp_path / encoder, "bald", **{"dataset.num_pool": 100}) for encoder in ("minilm", "bert")]
    for path in paths:
        run_folders.change_config(path, config={"dataset.encoder": path.name, "dataset.max_length": 32})
    runs = analysis.load_runs(paths)
    assert runs["encoder"].tolist() == ["minilm (32 tokens)", "bert (32 tokens)"]
    assert runs["reduced"].tolist() == ["100 base texts, 300 training steps"] * 2
    with pytest.raises(ValueError, match=r"runs of 2 experiments \(digits, minilm \(32 tokens\), mlp"):
        figures.learning_curves(runs)


DIFFERENT = [
    ({"training.num_steps": 100}, "training.num_steps=300"),
    ({"posterior.num_members": 3}, "posterior.num_members=5"),
    ({"network.hidden_sizes": (16,)}, "network.hidden_sizes=[128]"),
    ({"compute_dtype": "bfloat16"}, "compute_dtype=float32"),
    ({"dataset.num_validation": 100}, "dataset.num_validation=0"),
    ({"final_size": 50}, "final_size=40"),
    ({"data": {"labels": "1" * 64}}, "data.labels=00000000…"),
    ({"data": {"inputs": "1" * 64}}, "data.inputs=00000000…"),
    ({"settings": {"jax_enable_x64": True}}, "jax_enable_x64=false"),
]


def two_runs(folder, differing):
    """Two methods with three rounds and two seeds; the second differs in what is given."""
    curves = ((0.5, 0.6, 0.7), (0.5, 0.7, 0.8))
    data = {"labels": "0" * 64, "inputs": "0" * 64}
    paths = []
    for method, own in (("random", {}), ("bald", differing)):
        fields = {name: value for name, value in own.items() if name not in ("data", "settings")}
        fields = {"acquisition.method": method, "final_size": 40, **fields}
        paths.append(run_folders.write(folder / method, curves, data=data | own.get("data", {}), **fields))
        run_folders.change_config(paths[-1], settings=own.get("settings", {}))
    return paths


@pytest.mark.parametrize(("differing", "of_the_other"), DIFFERENT)
def test_runs_that_differ_in_more_than_the_method_are_no_experiment(differing, of_the_other, tmp_path, caplog):
    runs = analysis.load_runs(two_runs(tmp_path, differing))
    assert runs.drop_duplicates("path")["setup"].iloc[0] == of_the_other
    assert runs["setup"].nunique() == 2
    assert "differ in more than the method, and count as 2 experiments" in caplog.text
    assert f"{of_the_other} ({tmp_path}/random)" in caplog.text
    name = re.escape(of_the_other)
    with pytest.raises(ValueError, match=rf"runs of 2 experiments \(.*{name}"):
        figures.learning_curves(runs)
    with pytest.raises(ValueError, match=r"setup .*: no run of baseline='Random'"):
        analysis.labels_to_reach(runs)
    with pytest.raises(ValueError, match=r"setup .*: no run of baseline='Random'"):
        analysis.paired_differences(analysis.areas_under_curve(runs))
    assert len(analysis.final_errors(runs)) == 2
    assert analysis.load_acquired([tmp_path / "random", tmp_path / "bald"])["setup"].nunique() == 2


def test_runs_may_differ_in_what_changes_no_number(tmp_path, caplog):
    driver = {"driver": "scan", "rounds_at_once": 3, "seeds_at_once": 1, "posterior.members_at_once": 2}
    driver |= {"save_predictions": True}
    runs = analysis.load_runs(two_runs(tmp_path, driver | {"posterior.num_draws": 7, "posterior.num_test_draws": 2}))
    assert set(runs["setup"]) == {""}
    assert not caplog.records
    assert set(analysis.areas_under_curve(runs)["setup"]) == {""}


def test_what_an_older_version_did_not_record_is_no_difference(tmp_path, caplog):
    paths = two_runs(tmp_path, {})
    run_folders.change_config(paths[0], data={"inputs": ...}, settings={"jax_enable_x64": ...}, config={"driver": ...})
    assert set(analysis.load_runs(paths)["setup"]) == {""}
    assert not caplog.records


def test_different_numbers_of_seeds_are_said(tmp_path, caplog):
    paths = two_runs(tmp_path, {})
    paths.append(run_folders.write(tmp_path / "entropy", ((0.5, 0.6, 0.7),), **{"acquisition.method": "entropy"}))
    run_folders.change_config(paths[2], data={"labels": "0" * 64, "inputs": "0" * 64})
    assert set(analysis.load_runs(paths)["setup"]) == {""}
    assert (
        f"have different numbers of seeds ({tmp_path}/random: 2, {tmp_path}/bald: 2, {tmp_path}/entropy: 1)"
        in caplog.text
    )


@pytest.mark.parametrize("num_lines", [4, 5])
def test_a_run_that_stopped_short_is_said_and_has_its_whole_rounds(num_lines, tmp_path, caplog):
    paths = two_runs(tmp_path, {})
    lines = (paths[1] / "metrics.jsonl").read_text().splitlines(keepends=True)
    (paths[1] / "metrics.jsonl").write_text("".join(lines[:num_lines]))
    runs = analysis.load_runs(paths)
    assert runs.groupby("path").size().tolist() == [4, 6]
    assert f"{paths[1]} stopped short: 2 of 3 rounds are done" in caplog.text
    with pytest.raises(ValueError, match=r"BALD with seed 0 goes from 20 to 30 labels"):
        analysis.areas_under_curve(runs)


def test_a_run_may_be_named_from_home_and_its_path_stays_as_given(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run_folders.write(tmp_path / "runs" / "bald", ((0.5, 0.6),))
    runs = analysis.load_runs(["~/runs/bald"])
    assert set(runs["path"]) == {"~/runs/bald"}
    assert set(runs["experiment"]) == {"runs"}
    assert set(analysis.load_acquired(["~/runs/bald"])["path"]) == {"~/runs/bald"}


def test_a_run_with_a_damaged_file_is_an_error_that_names_it_or_left_out(tmp_path, caplog):
    paths = two_runs(tmp_path, {})
    for name, content in (("metrics.jsonl", ""), ("metrics.jsonl", "{}\n"), ("config.json", "[]")):
        (paths[1] / name).write_text(content)
        with pytest.raises(ValueError, match=rf"bald/{name}"):
            analysis.load_runs(paths)
        caplog.clear()
        assert analysis.find_runs(paths) == paths[:1]
        assert f"{paths[1]} is left out: {paths[1]}/{name}" in caplog.text


def test_the_pool_of_a_run_is_that_of_its_data(tmp_path):
    run = write_run(tmp_path / "a", "bald")
    assert analysis.load_pool([run]).num_examples == 1297
    run_folders.change_config(run, data={"inputs": "0123"})
    with pytest.raises(
        ValueError, match=r"a is a run on other data than those here: inputs was 0123, and is [0-9a-f]+"
    ):
        analysis.load_pool([run])


def test_folders_that_hold_no_run_are_left_out_with_a_warning(tmp_path, caplog):
    run = write_run(tmp_path / "a", "bald")
    (tmp_path / "failed").mkdir()
    (tmp_path / "failed" / "config.json").write_text("{}")
    assert analysis.find_runs([run, tmp_path / "failed", tmp_path / "nowhere"]) == [run]
    assert "failed is left out: it has no metrics.jsonl" in caplog.text
    assert "nowhere is left out: it has no config.json and no metrics.jsonl" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"no folder of a run, with config\.json and metrics\.jsonl"):
        analysis.find_runs([tmp_path / "failed"])


def test_a_table_read_back_from_a_file_draws_as_before(tmp_path):
    runs = analysis.load_runs([write_run(tmp_path / "a", "bald"), write_run(tmp_path / "b", "random")])
    runs.to_csv(tmp_path / "runs.csv", index=False)
    read = pd.read_csv(tmp_path / "runs.csv")
    assert read["reduced"].isna().all()
    titles = [figures.learning_curves(table).axes[0].get_title() for table in (runs, read)]
    assert titles[0] == titles[1] == "digits, MLP, deep ensemble, batches of 10 (1 seed)"


def test_the_area_is_the_mean_height_of_the_curve_whatever_the_steps():
    runs = of_curves({("Random", 0): (0.5, 0.7, 0.9), ("BALD", 3): (0.6, 0.6, 0.6)}, labels=(20, 30, 60))
    areas = analysis.areas_under_curve(runs.iloc[::-1])
    # (10 * 0.6 + 30 * 0.8) / 40, by hand.
    assert areas.set_index(["variant", "seed"])["area"].to_dict() == pytest.approx(
        {("BALD", 3): 0.6, ("Random", 0): 0.75}
    )
    assert areas[analysis.EXPERIMENT].iloc[0].tolist() == ["digits", "", "mlp", "deep_ensemble", 10, "", ""]


def test_a_curve_of_one_round_has_no_area():
    with pytest.raises(ValueError, match="Random has only one round"):
        analysis.areas_under_curve(of_curves({("Random", 0): (0.5,)}, labels=(20,)))


def test_runs_that_cannot_be_compared_are_errors():
    whole = of_curves({("Random", 0): (0.5, 0.7, 0.9), ("BALD", 0): (0.5, 0.7, 0.9)})
    with pytest.raises(ValueError, match=r"BALD with seed 0 goes from 20 to 30 labels.*Random.*from 20 to 40"):
        analysis.areas_under_curve(whole.iloc[:-1])
    twice = pd.concat([whole, whole.assign(path="runs/again")])
    with pytest.raises(ValueError, match=r"several runs of Random with seed 0 \(runs/Random, runs/again\)"):
        analysis.final_errors(twice)


CURVES = {
    ("Random", 0): (0.5, 0.7, 0.9),
    ("Random", 1): (0.5, 0.9, 0.7),
    ("BALD", 0): (0.8, 0.9, 0.9),
    ("BALD", 1): (0.1, 0.2, 0.3),
}


def test_labels_to_reach_are_those_of_the_first_round_at_the_target():
    savings = analysis.labels_to_reach(of_curves(CURVES), shares=(1.0,))
    assert savings["target"].tolist() == pytest.approx([0.8] * 4)
    assert savings.set_index(["variant", "seed"])["labels"].to_dict() == {
        ("Random", 0): 40,
        ("Random", 1): 30,
        ("BALD", 0): 20,
        ("BALD", 1): np.inf,
    }
    assert savings["saved"].tolist() == [0, 0, 20, -np.inf]


def test_what_neither_run_reaches_saves_no_known_number_of_labels():
    curves = {("Random", 0): (0.1, 0.1, 0.1), ("Random", 1): (0.1, 0.1, 0.9), ("BALD", 0): (0.2, 0.2, 0.2)}
    savings = analysis.labels_to_reach(of_curves(curves), shares=(0.9,)).set_index(["variant", "seed"])
    assert savings.loc[("BALD", 0), "labels"] == np.inf
    assert np.isnan(savings.loc[("BALD", 0), "saved"])


def test_savings_are_summarised_with_never_as_infinite():
    savings = analysis.labels_to_reach(of_curves(CURVES), shares=(0.5, 1.0))
    summary = analysis.summarise_savings(savings)
    assert list(summary.columns) == ["labels to 50% (0.400)", "labels to 100% (0.800)"]
    assert summary.loc["Random"].tolist() == ["20", "35 (30 to 40)"]
    assert summary.loc["BALD"].tolist() == ["never (20 to never)", "never (20 to never)"]


@pytest.mark.parametrize("share", [0.0, -0.5, 1.1, np.nan])
def test_shares_out_of_range_are_errors(share):
    with pytest.raises(ValueError, match=f"shares holds {share}"):
        analysis.labels_to_reach(of_curves(CURVES), shares=(0.9, share))


def test_savings_need_the_baseline():
    with pytest.raises(ValueError, match=r"no run of baseline='Entropy'; there are Random, BALD"):
        analysis.labels_to_reach(of_curves(CURVES), baseline="Entropy")
