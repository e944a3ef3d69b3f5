"""The entry points, run as a user runs them, on the smallest size. Those that README.md shows: tests/test_readme.py."""

import ast
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import scripts

from paper.benchmarks import acquisition_cases
from paper.benchmarks.acquisition_cases import Case

TINY = ("--config.training.num_steps=3", "--config.seeds=1", "--config.final_size=30")

pytestmark = pytest.mark.usefixtures("training_settings")


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    """Names of configurations are those that a user types."""
    monkeypatch.chdir(scripts.ROOT)


@pytest.mark.slow
def test_run_makes_a_run(tmp_path):
    # As a user does, in a process of its own; what is run is small: to optimise it would take longer.
    command = [sys.executable, "experiments/run.py", "--config=configs/digits.py:mc_dropout,b=5", *TINY]
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    result = subprocess.run(
        [*command, f"--workdir={tmp_path}"], capture_output=True, text=True, timeout=300, env=environment
    )
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["labels"] for line in lines] == [20, 25, 30]
    assert {line["posterior"] for line in lines} == {"mc_dropout"}


@pytest.mark.parametrize("script", ["run.py", "sweep.py", "approximation.py", "demo.py"])
def test_a_field_that_there_is_not_is_a_message(script, tmp_path):
    result = scripts.run(
        script, "--config=configs/digits.py", f"--workdir={tmp_path}/run", "--config.acquisition.methd=bald"
    )
    assert result.returncode == 1
    assert "error: the configuration has no field" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_figure_without_a_format_is_a_message(tmp_path):
    result = scripts.run("figures.py", f"--output={tmp_path}/curves", "results/digits_demo/bald")
    assert result.returncode == 1
    assert "curves: must end in .eps or .jpeg or .jpg or .pdf or .png or .svg" in result.stderr


@pytest.mark.slow
def test_the_demo_compares_four_methods(tmp_path):
    result = scripts.run("demo.py", f"--workdir={tmp_path}", "--at_labels=30", *TINY)
    assert result.returncode == 0, result.stderr
    for name in ("Random", "BALD", "LBB (pairwise)", "Power LBB (tree)"):
        assert name in result.stdout
    assert "accuracy at 30" in result.stdout
    assert (tmp_path / "figures" / "learning_curves.png").exists()
    tables = {"label_savings": "labels to 95%", "performance_profile": "posterior", "acquired": "class_entropy"}
    for figure, in_table in tables.items():
        output = tmp_path / f"{figure}.pdf"
        runs = [str(tmp_path / name) for name in ("random", "bald")]
        drawn = scripts.run("figures.py", f"--figure={figure}", f"--output={output}", *runs)
        assert drawn.returncode == 0, drawn.stderr
        assert in_table in drawn.stdout
        assert output.exists()


@pytest.mark.slow
def test_the_approximations_of_given_predictions_are_measured_and_drawn(tmp_path):
    probs = np.random.default_rng(0).dirichlet(np.ones(3), size=(20, 4))
    np.save(tmp_path / "log_probs.npy", np.log(probs))
    workdir = tmp_path / "study"
    result = scripts.run(
        "approximation.py",
        f"--predictions={tmp_path}/log_probs.npy",
        f"--workdir={workdir}",
        "--batch_size=2",
        "--repetitions=1",
        "--methods=bald",
    )
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in (workdir / "measurements.jsonl").read_text().splitlines()]
    assert [line["measurement"] for line in lines] == ["approximation"] * 2 + ["picks", "released_score"]
    for name in ("approximation_error", "approximation_of_picks", "joint_information", "released_score"):
        assert (workdir / f"{name}.png").exists()


@pytest.mark.parametrize("method", ["badge", "core_set"])
def test_methods_that_need_embeddings_are_refused_before_anything_is_predicted(method, tmp_path):
    flags = (f"--predictions={tmp_path}/nosuch.npy", f"--workdir={tmp_path}", f"--methods=bald,{method}")
    result = scripts.run("approximation.py", *flags)
    assert result.returncode == 1
    assert f"error: --methods: '{method}': needs embeddings" in result.stderr
    allowed = result.stderr.partition("must be one of")[2]
    assert "'power_lbb'" in allowed
    assert method not in allowed


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_failure_and_ends_with_it(tmp_path, caplog):
    (tmp_path / "bald").write_text("not a folder")
    methods = "--methods=bald,power_bald:alpha=5"
    result = scripts.run("sweep.py", "--config=configs/digits.py", f"--workdir={tmp_path}", methods, *TINY)
    assert result.returncode == 1
    assert "error: 1 of 2 runs failed\n  bald: --workdir=" in result.stderr
    assert "2 of 2: power_bald_alpha=5 is complete" in caplog.text
    assert f"1 of 2 runs are complete: {tmp_path}/runs.csv" in result.stdout
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert lines[0].startswith("path,experiment,dataset,encoder,network,posterior,method,variant")
    assert [line.split(",")[0] for line in lines[1:]] == ["power_bald_alpha=5"] * 2


@pytest.mark.slow
def test_the_benchmark_prints_a_line_for_each_case(tmp_path, monkeypatch):
    cases = (Case("lbb", 10, {"redundancy": "tree"}), Case("lbb", 20, {"redundancy": "tree"}), Case("lbb_released", 10))
    monkeypatch.setattr(acquisition_cases, "GROWTH", ((10**5, cases), (10**6, cases[:1])))
    figure = tmp_path / "time.png"
    result = scripts.run(
        "benchmark_acquisition.py", "--suite=growth", "--num_points=1500", "--repetitions=1", f"--figure={figure}"
    )
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [(record["case"], record["N"], record["b"]) for record in records] == [
        ("lbb", 1500, 10),
        ("lbb", 1500, 20),
        ("lbb_released", 1500, 10),
        ("lbb", 1500, 10),
    ]
    assert all(record["milliseconds"] > 0 for record in records)
    assert all(record["evaluations"] > 0 for record in records if record["case"] != "lbb_released")
    assert figure.exists()


@pytest.mark.slow
def test_the_benchmark_acquires_from_a_stream():
    arguments = ("--suite=stream", "--num_points=20000", "--num_candidates=8192")
    result = scripts.run("benchmark_acquisition.py", *arguments)
    assert result.returncode == 0, result.stderr
    (record,) = map(json.loads, result.stdout.splitlines())
    assert (record["N"], record["num_candidates"]) == (20_000, 8192)
    assert record["seconds_with_acquisition"] > 0


@pytest.mark.slow
def test_the_training_benchmark_prints_a_line_for_each_case():
    result = scripts.run(
        "benchmark_training.py", "--members=2", "--at_once=1", "--steps=1", "--repetitions=1", "--draws=2"
    )
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(record.get("networks"), record.get("at_once")) for record in records] == [(2, 1), (None, None)]
    assert records[0]["milliseconds_per_network_step"] > 0
    assert records[1]["ratio"] > 0


@pytest.mark.slow
def test_a_round_is_timed_beside_the_fastest_form_of_the_peer(tmp_path):
    peer = tmp_path / "python"
    # Stands in for PyTorch: takes half a second for each unit, and twice that in one form.
    peer.write_text(
        f"""#!{sys.executable}
import json, sys
settings = json.loads(sys.argv[2])
for form in settings["forms"]:
    seconds = 0.5 * settings["units"] * (1 + (form == "plain"))
    print(json.dumps({{"form": form, "seconds": seconds, "compile_seconds": 0.0, "torch": "none"}}))
"""
    )
    peer.chmod(0o755)
    result = scripts.run(
        *("benchmark_round.py", f"--peer={peer}", "--stage=train", "--stage=acquire", "--stage=experiment"),
        *("--rounds=3", "--steps=2", "--images=500"),
    )
    assert result.returncode == 0, result.stderr
    train, acquire, whole = map(json.loads, result.stdout.splitlines())
    assert (train["case"], train["torch_form"], train["torch_seconds"]) == ("round, train", "channels last", 1.0)
    assert (acquire["case"], acquire["torch_form"], acquire["torch_seconds"]) == ("round, acquire", "plain", 10.0)
    assert (whole["case"], whole["rounds"], whole["torch_seconds"]) == ("experiment, reduced", 3, 1.5)
    for record in (train, acquire):
        assert record["compile_seconds"] > 0
    # Of the whole experiment they are the difference of two passes, which can be nothing.
    assert "compile_seconds" in whole
    for record in (train, acquire, whole):
        assert record["ratio"] == pytest.approx(record["seconds"] / record["torch_seconds"], abs=1e-3)


def test_a_form_that_a_stage_does_not_have_is_a_message():
    result = scripts.run("benchmark_round.py", "--stage=experiment", "--form=vmap")
    assert result.returncode == 1
    assert "--form=vmap: must be one of 'channels last, compiled to predict' for --stage=experiment" in result.stderr


def test_a_peer_that_is_not_there_is_a_message():
    result = scripts.run("benchmark_round.py", "--peer=no-such-python")
    assert result.returncode == 1
    assert "--peer=no-such-python: there is no such program" in result.stderr


@pytest.mark.parametrize("script", sorted(path.name for path in (scripts.ROOT / "experiments").glob("*.py")))
def test_what_help_shows_has_the_command(script):
    program = (scripts.ROOT / "experiments" / script).read_text()
    assert f"python experiments/{script}" in ast.get_docstring(ast.parse(program))


DIGITS = "--config=configs/digits.py"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((DIGITS, "--config.acquisition.methd=lbb"), 'Did you mean "method"'),
        ((DIGITS, "--config.final_size=5000"), "error: config.final_size=5000"),
        ((DIGITS, "--config.network.hidden_sizes=abc"), "error: config.network.hidden_sizes=('abc',): must be a tuple"),
        ((DIGITS, "--config.seeds=many"), "config.seeds"),
        ((DIGITS, "--nosuch=3"), "error: Unknown command line flag 'nosuch'"),
        ((DIGITS, "more"), "error: unexpected arguments: more\n(python "),
        ((), "--config must have a value"),
        (("--config=config/digits.py",), "there is no configuration file config/digits.py"),
        (("--config=configs/digits.py:emsemble",), "config argument 'emsemble': must be one of ensemble, mc_dropout"),
        (("--config=configs",), "configs is a folder"),
        (("--config=results/digits_demo/bald/config.json",), "is no Python file"),
        ((DIGITS, "--workdir="), "error: --workdir='': is empty"),
        ((DIGITS, "--workdir=gs://bucket/run"), "error: --workdir=gs://bucket/run: only local paths"),
        ((DIGITS, "--workdir=README.md/run"), "error: --workdir=README.md/run: cannot be written to: README.md is a"),
        ((DIGITS, "--workdir=README.md"), "error: --workdir=README.md: is a file; name a folder"),
    ],
)
def test_wrong_arguments_end_in_a_message(arguments, message, tmp_path):
    result = scripts.run("run.py", f"--workdir={tmp_path}/run", *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    # Neither a page of help nor a traceback.
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) <= 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("script", "arguments", "field"),
    [
        ("sweep.py", (), "acquisition.method=bald"),
        ("sweep.py", ("--methods=power_bald:alpha=5,lbb",), "acquisition.alpha=2"),
        ("demo.py", (), "acquisition.redundancy=tree"),
        ("approximation.py", (), "final_size=40"),
        ("approximation.py", (), "acquisition.alpha=2"),
    ],
)
def test_a_field_that_the_script_sets_itself_cannot_be_overridden(script, arguments, field, tmp_path):
    result = scripts.run(script, DIGITS, f"--workdir={tmp_path}/run", *arguments, f"--config.{field}")
    assert result.returncode == 1
    assert f"error: --config.{field.partition('=')[0]}: would have no effect here; " in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["figures.py", "report.py"])
def test_broken_runs_are_named_and_the_others_shown(tool, tmp_path, caplog):
    good = scripts.ROOT / "results" / "digits_demo" / "random"
    for name, file, content in (
        ("cut", "metrics.jsonl", (good / "metrics.jsonl").read_bytes()[100:]),
        ("empty", "metrics.jsonl", b""),
        ("numbers", "metrics.jsonl", b"7\n"),
        ("config", "config.json", b"{"),
        ("list", "config.json", b"[]"),
    ):
        shutil.copytree(good, tmp_path / name)
        (tmp_path / name / file).write_bytes(content)
    (tmp_path / "nothing").mkdir()
    broken = sorted(str(path) for path in tmp_path.iterdir())
    output = tmp_path / ("a.png" if tool == "figures.py" else "a.html")
    result = scripts.run(tool, f"--output={output}", *broken, str(good))
    assert result.returncode == 0, result.stderr
    assert output.exists()
    for path in broken:
        assert f"{path} is left out: " in caplog.text
    result = scripts.run(tool, f"--output={output}", *broken)
    assert result.returncode == 1
    assert "error: no folder of a run" in result.stderr


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("figures.py", ("--output=", "results/digits_demo/bald"), "--output='': is empty"),
        ("figures.py", ("--output=results/a.png/b.pdf", "gs://bucket/run"), "gs://bucket/run: only local paths"),
        ("figures.py", (), "name at least one run's folder"),
        ("report.py", ("--output=report", "results/digits_demo/bald"), "--output=report: must end in .htm or .html"),
        ("report.py", ("--benchmark=nosuch", "results/digits_demo/bald"), "nosuch: there is no such file"),
        ("report.py", ("--claims=nosuch", "results/digits_demo/bald"), "--claims=nosuch: there is no such file"),
        ("approximation.py", ("--predictions=README.md", "--workdir=runs/a"), "README.md: is no whole .npy"),
        ("approximation.py", ("--predictions=", "--workdir=runs/a"), "--predictions='': is empty"),
        ("benchmark_acquisition.py", ("--predictions=nosuch.npy",), "--predictions=nosuch.npy: there is no such file"),
        ("benchmark_acquisition.py", ("--figure=time",), "--figure=time: must end in"),
        ("claims.py", ("--results=nosuch",), "--results=nosuch: there is no such file or folder"),
    ],
)
def test_paths_that_cannot_be_are_messages(tool, arguments, message):
    result = scripts.run(tool, *arguments)
    assert result.returncode == 1
    assert message in result.stderr


@pytest.mark.slow
def test_a_terminal_without_utf8_shows_another_sign(tmp_path):
    command = [sys.executable, "experiments/figures.py", f"--output={tmp_path}/a.png", "results/digits_demo/bald"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(command, capture_output=True, timeout=300, env=environment)
    assert result.returncode == 0, result.stderr
    assert b"0.861 ? 0.005" in result.stdout
