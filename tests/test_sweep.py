import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import pandas as pd
import processes_of_sweeps as processes
import pytest
import run_folders

from lbb_jax import experiment
from lbb_jax.experiment import runner, slurm, sweep
from lbb_jax.experiment.sweep_specification import with_variant
from lbb_jax.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("training_settings", "programs_of_runs")

VARIANTS = experiment.parse_methods("random,bald,power_bald:alpha=5")
CONFIGS = Path(__file__).parents[1] / "configs"
SECONDS = ["seconds", "seconds_train", "seconds_predict", "seconds_acquire"]


def small_config():
    config = experiment.default_config()
    config.update(
        dataset={"num_pool": 60, "num_test": 50},
        network={"hidden_sizes": (8,)},
        posterior={"num_members": 2},
        training={"num_steps": 3},
        initial_size=10,
        batch_size=4,
        final_size=18,
        seeds=2,
    )
    return config


def configs_of(methods=VARIANTS, config=None):
    """The configurations of a sweep over one experiment."""
    return experiment.combine({"digits": config or small_config()}, methods)


def table_of(workdir):
    return pd.read_csv(workdir / "runs.csv", engine="python").drop(columns=[*SECONDS, "experiment"])


@pytest.fixture(scope="module")
def finished(training_settings, programs_of_runs, tmp_path_factory):
    """The folder of a finished sweep."""
    workdir = tmp_path_factory.mktemp("sweep")
    assert experiment.run_sweep(configs_of(), workdir) == {}
    return workdir


@pytest.mark.slow
def test_a_sweep_leaves_a_run_for_every_variant_and_one_table(finished):
    # Python's own parser reads every number as it was written.
    table = pd.read_csv(finished / "runs.csv", keep_default_na=False, engine="python")
    assert table["path"].unique().tolist() == ["random", "bald", "power_bald_alpha=5"]
    assert table["variant"].unique().tolist() == ["Random", "BALD", "PowerBALD"]
    assert len(table) == 3 * 3 * 2
    for name in VARIANTS:
        lines = [json.loads(line) for line in (finished / name / "metrics.jsonl").read_text().splitlines()]
        of_run = table[table["path"] == name]
        assert of_run["accuracy"].tolist() == [line["accuracy"] for line in lines]
        assert of_run["seed"].tolist() == [0, 1] * 3
        assert (finished / name / "figures" / "learning_curve.png").exists()


@pytest.mark.slow
def test_a_finished_sweep_started_again_runs_nothing_and_keeps_its_table(finished, monkeypatch):
    before = (finished / "runs.csv").read_bytes()
    monkeypatch.setattr(runner, "run", None)
    monkeypatch.setattr(sweep, "_start", None)
    for num_processes in (1, 2):
        assert experiment.run_sweep(configs_of(), finished, num_processes=num_processes) == {}
    assert (finished / "runs.csv").read_bytes() == before


@pytest.mark.slow
def test_a_stopped_sweep_started_again_gives_the_same_table(finished, tmp_path, monkeypatch):
    # In the second run.
    with run_folders.stopped_after_saving(4):
        experiment.run_sweep(configs_of(), tmp_path)
    assert not (tmp_path / "runs.csv").exists()
    original, ran = RunFolder.save, []
    monkeypatch.setattr(RunFolder, "save", lambda self, states: (ran.append(states), original(self, states)))
    assert experiment.run_sweep(configs_of(), tmp_path) == {}
    assert len(ran) == 2 + 3
    pd.testing.assert_frame_equal(table_of(tmp_path), table_of(finished), check_exact=True)


@pytest.mark.slow
def test_runs_in_processes_do_the_same_and_one_that_fails_does_not_stop_the_others(finished, tmp_path, monkeypatch):
    # The devices of these tests: with another number of them, the last bits may differ.
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", str(jax.local_device_count()))
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    other = small_config()
    other.batch_size = 5
    RunFolder(tmp_path / "bald").write_description(run_folders.describe(other))
    failures = experiment.run_sweep(configs_of(experiment.parse_methods("bald,random")), tmp_path, num_processes=2)
    assert failures.keys() == {"bald"}
    assert "config.batch_size=5 (here: 4)" in failures["bald"]
    expected = table_of(finished).query("path == 'random'").reset_index(drop=True)
    pd.testing.assert_frame_equal(table_of(tmp_path), expected, check_exact=True)


def fake_run(config, workdir, *, on_round):
    """Writes what a run writes, and fails in two ways."""
    method = config.acquisition.method
    if method == "random":
        raise experiment.ExperimentError("config.final_size=5000: too large")
    if method == "bald":
        raise RuntimeError("out of memory")
    folder = RunFolder(workdir)
    folder.write_description(run_folders.describe(config))
    lines = [run_folders.line(config, seed=seed, round=0, accuracy=0.5 + seed / 10, acquired=[]) for seed in (0, 1)]
    folder.keep_records(lines)
    on_round(lines)


def test_a_run_that_fails_does_not_stop_the_others(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(runner, "run", fake_run)
    with caplog.at_level("INFO", logger="lbb_jax"):
        failures = experiment.run_sweep(configs_of(), tmp_path)
    assert failures == {"random": "config.final_size=5000: too large", "bald": "RuntimeError: out of memory"}
    assert pd.read_csv(tmp_path / "runs.csv")["path"].tolist() == ["power_bald_alpha=5"] * 2
    assert [record.getMessage() for record in caplog.records if record.levelname == "INFO"] == [
        "0 of 3 runs are complete",
        "random: starting",
        "1 of 3: random failed",
        "bald: starting",
        "2 of 3: bald failed",
        "power_bald_alpha=5: starting",
        "power_bald_alpha=5: 10 labels, accuracy 0.550",
        "3 of 3: power_bald_alpha=5 is complete",
    ]
    # What was not foreseen is shown with the place where it arose.
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]


def test_without_a_complete_run_there_is_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "run", fake_run)
    assert len(experiment.run_sweep(configs_of(experiment.parse_methods("random,bald")), tmp_path)) == 2
    assert not (tmp_path / "runs.csv").exists()


@pytest.mark.slow
def test_a_process_that_is_killed_does_not_stop_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "_run_and_report", processes.killed_if_bald)
    monkeypatch.setattr(sweep, "_write_table", lambda workdir, names: (workdir / "names").write_text(" ".join(names)))
    failures = experiment.run_sweep(configs_of(), tmp_path, num_processes=2)
    assert failures == {"bald": "its process ended with SIGKILL; the same command goes on from its last checkpoint"}
    assert (tmp_path / "names").read_text() == "random power_bald_alpha=5"


@pytest.mark.slow
def test_stopping_a_sweep_stops_its_processes(tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "_run_and_report", processes.endless)
    monkeypatch.setattr(sweep._Progress, "round", stop)
    with pytest.raises(KeyboardInterrupt):
        experiment.run_sweep(configs_of(), tmp_path, num_processes=2)
    assert multiprocessing.active_children() == []


def test_the_number_of_processes_is_checked(tmp_path):
    with pytest.raises(experiment.ExperimentError, match="--processes=0: must be at least 1"):
        experiment.run_sweep(configs_of(), tmp_path, num_processes=0)


def test_a_run_on_each_device_leaves_no_room_for_processes_or_twins(tmp_path):
    with pytest.raises(experiment.ExperimentError, match="--processes=2: leave it out with --devices"):
        experiment.run_sweep(configs_of(), tmp_path, num_processes=2, devices=("0", "1"))
    with pytest.raises(experiment.ExperimentError, match="--devices=1,1: name each once"):
        experiment.run_sweep(configs_of(), tmp_path, devices=("1", "1"))


@pytest.mark.slow
def test_each_process_sees_one_device_and_leaves_it_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "_run_and_report", processes.writes_its_device)
    monkeypatch.setattr(sweep, "_write_table", lambda workdir, names: None)
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    assert experiment.run_sweep(configs_of(), tmp_path, devices=("3", "7")) == {}
    seen = {name: (tmp_path / f"{name}.device").read_text() for name in VARIANTS}
    assert (seen["random"], seen["bald"]) == ("3", "7")
    assert seen["power_bald_alpha=5"] in {"3", "7"}
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before


def test_several_experiments_have_folders_of_their_own_in_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "run", fake_run)
    first, second = small_config(), small_config()
    second.batch_size = 5
    configs = experiment.combine({"digits": first, "digits_b=5": second}, {"entropy": {"method": "entropy"}})
    assert experiment.run_sweep(configs, tmp_path) == {}
    assert pd.read_csv(tmp_path / "runs.csv")["path"].tolist() == ["digits/entropy"] * 2 + ["digits_b=5/entropy"] * 2


def test_further_experiments_are_loaded_with_the_same_overrides():
    config = experiment.load_config(f"{CONFIGS}/digits.py:mc_dropout,b=5", {"posterior.num_draws": 7, "seeds": 2})
    assert (config.posterior.name, config.batch_size) == ("mc_dropout", 5)
    assert (config.posterior.num_draws, config.seeds) == (7, 2)


@pytest.mark.parametrize(
    ("reference", "overrides", "message"),
    [
        ("configs/absent.py:small", {}, "'configs/absent.py:small': there is no configuration file configs/absent.py"),
        (f"{CONFIGS}/digits.py", {"training.weight_decay": 0.1}, "its fields are not those that were set"),
        (f"{CONFIGS}/digits.py", {"seeds": "many"}, "its fields are not those that were set"),
    ],
)
def test_experiments_that_cannot_be_loaded_are_errors(reference, overrides, message):
    with pytest.raises(experiment.ExperimentError, match=message):
        experiment.load_config(reference, overrides)


# submitit's local executor does not wait for the processes that it starts.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_jobs_are_submitted_for_what_is_not_complete(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setattr(runner, "is_complete", lambda config, workdir: workdir.name == "bald")
    monkeypatch.setattr(slurm, "_run", processes.writes_its_name)
    # So that the jobs find it, too.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "support"))
    jobs = experiment.slurm.submit(configs_of(), tmp_path, {"timeout_min": 5}, cluster="local")
    assert jobs.keys() == {"random", "power_bald_alpha=5"}
    end = time.monotonic() + 300
    for name in jobs:
        while not (tmp_path / f"{name}.name").exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert (tmp_path / f"{name}.name").exists(), [path.read_text() for path in (tmp_path / "slurm").glob("*.err")]


def test_a_job_finds_the_modules_that_the_sweep_found(tmp_path, monkeypatch):
    (tmp_path / "beside_the_config.py").write_text("NUMBER = 7\n")
    found = []
    monkeypatch.setattr(slurm, "show_own_messages", lambda: None)
    monkeypatch.setattr(slurm, "use_cache", lambda: None)
    monkeypatch.setattr(
        runner, "run", lambda config, workdir: found.append(importlib.import_module("beside_the_config").NUMBER)
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    slurm._run(None, tmp_path / "run", [str(tmp_path)])
    assert found == [7]


def test_parameters_of_jobs_are_parsed_and_those_that_there_are_not_are_errors(tmp_path):
    assert slurm.parse_parameters("timeout_min=600,slurm_partition=gpu") == {
        "timeout_min": 600,
        "slurm_partition": "gpu",
    }
    with pytest.raises(experiment.ExperimentError, match="--slurm: 'gpu': must be NAME=VALUE"):
        slurm.parse_parameters("gpu")
    pytest.importorskip("submitit")
    with pytest.raises(experiment.ExperimentError, match=r"--slurm: .*time_limit"):
        slurm.submit(configs_of(), tmp_path, {"time_limit": 5}, cluster="local")


def test_methods_are_parsed_with_their_options():
    assert experiment.parse_methods(
        "random, epig:alpha=5:sampling=power,power_lbb:alpha=5:redundancy=tree,batch_bald:num_samples=9"
    ) == {
        "random": {"method": "random"},
        "epig_power_alpha=5": {"method": "epig", "alpha": 5.0, "sampling": "power"},
        "power_lbb_tree_alpha=5": {"method": "power_lbb", "alpha": 5.0, "redundancy": "tree"},
        "batch_bald_num_samples=9": {"method": "batch_bald", "num_samples": 9},
    }


def test_an_experiments_folder_is_named_after_its_configuration():
    assert experiment.experiment_name("configs/mnist.py:repeated,mlp,b=20") == "mnist_repeated_mlp_b=20"
    assert experiment.experiment_name("configs/digits.py") == "digits"


def test_the_default_methods_are_parsed():
    # The page Experiments names them.
    names = ["random", "bald", "power_bald", "lbb_pairwise", "lbb_tree", "power_lbb_tree", "batch_bald"]
    assert list(experiment.parse_methods(experiment.DEFAULT_METHODS)) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("random,bold", r"--methods: 'bold': method='bold': must be one of 'random', .*'power_lbb'"),
        ("", r"--methods: '': method='': must be one of"),
        ("log_det:alpha=2", r"'alpha=2': method 'log_det' takes no options"),
        (
            "lbb:tree",
            r"'tree': method 'lbb' takes pair_weight=VALUE, redundancy=VALUE, pairs=VALUE, order=VALUE, each once",
        ),
        ("power_bald:alpha=1:alpha=2", r"'alpha=2': method 'power_bald' takes alpha=VALUE, each once"),
        ("power_bald:alpha=five", r"'alpha=five': 'five' is not a number"),
        ("batch_bald:num_samples=1.5", r"'num_samples=1\.5': '1\.5' is not an integer"),
        ("batch_bald:num_samples=0", r"num_samples=0: must be at least 1"),
        ("lbb:redundancy=forest", r"redundancy='forest': must be one of 'pairwise', 'tree'"),
        ("epig:sampling=5", r"sampling='5': must be one of 'top', 'power', 'softmax', 'softrank'"),
        ("epig:targets=5", r"method 'epig' takes num_targets=VALUE, sampling=VALUE, alpha=VALUE, each once"),
        ("power_lbb:alpha=5:redundancy=tree,power_lbb:redundancy=tree:alpha=5.0", r"is named twice"),
    ],
)
def test_methods_that_cannot_be_are_errors(text, message):
    with pytest.raises(experiment.ExperimentError, match=message):
        experiment.parse_methods(text)


def test_variants_that_are_the_same_run_are_an_error():
    variants = experiment.parse_methods("lbb,lbb:redundancy=tree,lbb:redundancy=pairwise")
    with pytest.raises(
        experiment.ExperimentError, match=r"--methods: lbb and lbb_pairwise are the same run; leave one"
    ):
        experiment.combine({"digits": small_config()}, variants)


def test_a_field_out_of_range_is_an_error_before_any_run():
    config = small_config()
    config.batch_size = 0
    with pytest.raises(experiment.ExperimentError, match=r"config\.batch_size=0: must be at least 1"):
        configs_of(config=config)


def test_a_variant_changes_a_copy_of_the_configuration():
    config = small_config()
    changed = with_variant(config, {"method": "power_bald", "alpha": 5.0})
    assert (changed.acquisition.method, changed.acquisition.alpha) == ("power_bald", 5.0)
    assert (config.acquisition.method, config.acquisition.alpha) == ("bald", 1.0)


@pytest.mark.slow
def test_a_process_that_is_ended_at_once_leaves_no_semaphore(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(LEAVES_AT_ONCE)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert "leaked" not in done.stderr, done.stderr
    assert done.returncode == 0


# As the processes of a sweep end on Ctrl-C.
LEAVES_AT_ONCE = """
import multiprocessing

def work():
    from lbb_jax.experiment import sweep

    def attempt(*arguments):
        sweep.tqdm(total=2).update(1)
        raise KeyboardInterrupt

    sweep._attempt = attempt
    sweep._run_and_report(None, None, None)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
"""
