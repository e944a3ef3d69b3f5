import dataclasses
import functools
import json
import os
import shutil
import time

import filelock
import jax
import numpy as np
import pytest
import run_folders
from folders import contents
from ml_collections import ConfigDict

from lbb_jax import experiment, paths
from lbb_jax.experiment import build, runner
from lbb_jax.labelling import command
from lbb_jax.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("training_settings", "programs_of_runs")

FIELDS = {
    *(
        "seed",
        "round",
        "labels",
        "accuracy",
        "nll",
        "ece",
        "balanced_accuracy",
        "macro_f1",
        "method",
        "dataset",
        "posterior",
        "batch_size",
    ),
    *("acquired", "gains", "seconds", "seconds_train", "seconds_predict", "seconds_acquire"),
}
SECONDS = {"seconds", "seconds_train", "seconds_predict", "seconds_acquire"}


def small_config(**overrides):
    config = experiment.default_config()
    config.update(
        dataset={"num_pool": 100, "num_test": 50},
        network={"hidden_sizes": (8,)},
        posterior={"num_members": 2, "num_draws": 4, "num_test_draws": 3},
        training={"num_steps": 5},
        initial_size=10,
        batch_size=4,
        final_size=20,
        seeds=2,
    )
    config.update_from_flattened_dict(overrides)
    return config


def without_seconds(records):
    return [{name: value for name, value in record.items() if name not in SECONDS} for record in records]


@pytest.fixture(scope="module")
def finished(training_settings, programs_of_runs, tmp_path_factory):
    """A finished run: its folder and its records."""
    workdir = tmp_path_factory.mktemp("finished")
    return workdir, experiment.run(small_config(), workdir)


def test_a_run_leaves_what_it_promises(finished):
    workdir, records = finished
    written = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert written == records
    assert all(record.keys() == FIELDS for record in records)
    assert [(record["round"], record["seed"]) for record in records] == [(r, s) for r in range(4) for s in range(2)]
    assert [record["labels"] for record in records] == [10, 10, 14, 14, 18, 18, 20, 20]
    assert [len(record["acquired"]) for record in records] == [4, 4, 4, 4, 2, 2, 0, 0]
    assert [len(record["gains"]) for record in records] == [4, 4, 4, 4, 2, 2, 0, 0]
    for record in records:
        stages = sum(record[name] for name in SECONDS - {"seconds"})
        assert stages == pytest.approx(record["seconds"], abs=1e-5)
    assert (workdir / "figures" / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert any((workdir / "checkpoints").iterdir())
    config = json.loads((workdir / "config.json").read_text())
    assert config["config"]["batch_size"] == 4
    assert {"jax", "flax", "lbb_jax"} <= config["versions"].keys()
    assert config["platform"]["backend"] == "cpu"


def test_seeds_differ(finished):
    _, records = finished
    assert records[0]["acquired"] != records[1]["acquired"]


@pytest.mark.slow
def test_the_same_run_compiled_again_elsewhere_gives_the_same_bits(finished, programs_of_runs, tmp_path):
    _, records = finished
    programs_of_runs.clear()
    assert without_seconds(experiment.run(small_config(), tmp_path)) == without_seconds(records)


def test_a_complete_run_started_again_changes_nothing(finished, monkeypatch, caplog):
    workdir, records = finished
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    monkeypatch.setattr(runner, "_run_rounds", None)
    # It can be read where nothing can be written.
    monkeypatch.setattr(paths, "output_folder", None)
    with caplog.at_level("INFO", logger="lbb_jax"):
        assert experiment.run(small_config(), workdir) == records
    assert runner.is_complete(small_config(), workdir)
    assert "nothing to do" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in workdir.rglob("*")} == before


def test_a_complete_run_without_its_figure_only_draws_it(finished, tmp_path, monkeypatch):
    workdir, records = finished
    shutil.copytree(workdir, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "figures")
    assert not runner.is_complete(small_config(), tmp_path)
    monkeypatch.setattr(runner, "assemble", None)
    assert experiment.run(small_config(), tmp_path) == records
    assert runner.is_complete(small_config(), tmp_path)


@pytest.mark.slow
def test_predictions_after_the_last_round_are_what_the_next_batch_is_picked_from(finished, tmp_path):
    _, records = finished
    cut = small_config(final_size=14)
    experiment.run(cut, tmp_path)
    before = without_seconds(RunFolder(tmp_path).read_records())
    cut.save_predictions = True
    assert not runner.is_complete(cut, tmp_path)
    assert without_seconds(experiment.run(cut, tmp_path)) == before
    assert runner.is_complete(cut, tmp_path)
    log_probs = np.load(tmp_path / "log_probs.npy")
    assert log_probs.shape == (100, 2, 10)
    assert len(set((tmp_path / "labelled.txt").read_text().split())) == 14
    files = [f"{tmp_path / 'log_probs.npy'}", f"--labelled={tmp_path / 'labelled.txt'}"]
    output = tmp_path / "batch.csv"
    assert command.main(["acquire", *files, "--method=bald", "--batch-size=4", f"--output={output}"]) == 0
    picked = [int(line.split(",")[0]) for line in output.read_text().splitlines()[1:]]
    (next_round,) = (record for record in records if (record["seed"], record["labels"]) == (0, 14))
    assert picked == next_round["acquired"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", '{"config": {"se', r"config\.json is damaged \(Unterminated string"),
        ("config.json", "[]", r"config\.json is damaged \(it holds no configuration\): restore it, or remove"),
        ("config.json", "{}", r"config\.json is damaged \(it holds no configuration\)"),
        ("metrics.jsonl", '{"seed": 0\n', r"metrics\.jsonl is damaged \(line 1: Expecting"),
        ("metrics.jsonl", "7\n", r"metrics\.jsonl is damaged \(line 1: it is not an object\)"),
        ("metrics.jsonl", '{"seed": 0}\n', r"metrics\.jsonl is damaged \(line 1: round=None: must be an integer"),
    ],
)
def test_a_damaged_file_is_a_clear_error(name, content, message, finished, tmp_path):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_text(content)
    assert not runner.is_complete(small_config(), tmp_path)
    with pytest.raises(experiment.ExperimentError, match=message):
        experiment.run(small_config(), tmp_path)


def test_going_on_with_other_data_is_an_error_that_shows_the_difference(tmp_path):
    with run_folders.stopped_after_saving(1):
        experiment.run(small_config(), tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    assert content["data"].keys() == {"pool", "test", "classes", "labels", "inputs"}
    content["data"] |= {"pool": 120_000, "encoder": "0123"}
    (tmp_path / "config.json").write_text(json.dumps(content))
    message = (
        r"other data, or with another encoder .*data\.encoder='0123' \(here: None\); data\.pool=120000 \(here: 100"
    )
    with pytest.raises(experiment.ExperimentError, match=message):
        experiment.run(small_config(), tmp_path)


@pytest.fixture(scope="module")
def stopped(training_settings, programs_of_runs, tmp_path_factory):
    """The folder of a run that was stopped after two rounds; to be copied."""
    workdir = tmp_path_factory.mktemp("stopped")
    with run_folders.stopped_after_saving(2):
        experiment.run(small_config(), workdir)
    return workdir


SETTINGS = {
    "jax_threefry_partitionable": (False, True),
    "jax_enable_x64": (True, False),
    "jax_default_prng_impl": ("rbg", "threefry2x32"),
    "jax_default_matmul_precision": ("highest", None),
    "jax_random_seed_offset": (3, 0),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("is_recorded", [True, False])
def test_going_on_under_settings_that_change_the_numbers_is_refused(name, is_recorded, stopped, tmp_path):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    if not is_recorded:
        run_folders.change_config(tmp_path, settings={name: ...})
    before, (other, own) = contents(tmp_path), SETTINGS[name]
    try:
        jax.config.update(name, other)
        with pytest.raises(experiment.ExperimentError, match=rf"other settings of JAX.*{name}={own} \(here: {other}\)"):
            experiment.run(small_config(), tmp_path)
    finally:
        jax.config.update(name, own)
    assert contents(tmp_path) == before


def test_going_on_where_the_last_bits_may_differ_is_said(stopped, finished, tmp_path, caplog):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    run_folders.change_config(
        tmp_path, versions={"jax": "0.9.0", "python": "3.9"}, platform={"backend": "gpu", "devices": ["A100"] * 4}
    )
    assert without_seconds(experiment.run(small_config(), tmp_path)) == without_seconds(finished[1])
    assert "begun with jax 0.9.0 (here: " in caplog.text
    assert "backend gpu (here: cpu); devices 4 × A100 (here: 2 × cpu)" in caplog.text
    assert "python" not in caplog.text.partition("begun with")[2]


def test_a_run_of_an_older_version_goes_on_with_the_same_bits(stopped, finished, tmp_path, caplog):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    lost = ("acquisition.sampling", "acquisition.num_targets", "compute_dtype", "driver", "dataset.num_test")
    run_folders.change_config(
        tmp_path,
        config=dict.fromkeys(lost[:-1], ...),
        data={"inputs": ...},
        settings=dict.fromkeys(SETTINGS, ...),
        platform={"processor": ..., "xla_flags": ...},
    )
    assert without_seconds(experiment.run(small_config(), tmp_path)) == without_seconds(finished[1])
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_folder_whose_configuration_is_gone_is_not_adopted(stopped, tmp_path):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").unlink()
    before = contents(tmp_path)
    with pytest.raises(
        experiment.ExperimentError, match=r"holds metrics\.jsonl and checkpoints of a run, and no config"
    ):
        experiment.run(small_config(), tmp_path)
    assert contents(tmp_path) == before


def test_other_inputs_with_the_same_labels_are_other_data(stopped, tmp_path, monkeypatch):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    original = build.datasets.load

    def other_inputs(**options):
        dataset = original(**options)
        test = dataclasses.replace(dataset.test, features=dataset.test.features.at[0, 0].add(1))
        return dataset._replace(test=test)

    monkeypatch.setattr(build.datasets, "load", other_inputs)
    with pytest.raises(experiment.ExperimentError, match=r"a run on other data.*bring data\.inputs='[^;]*$"):
        experiment.run(small_config(), tmp_path)


def test_starting_again_over_rounds_that_were_done_is_said(stopped, finished, tmp_path, caplog):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "checkpoints")
    assert without_seconds(experiment.run(small_config(), tmp_path)) == without_seconds(finished[1])
    assert "there is no checkpoint of any of the 2 rounds that metrics.jsonl has lines of" in caplog.text


def test_a_field_that_was_removed_by_hand_holds_its_default_to_the_end(finished, tmp_path):
    workdir, records = finished
    shutil.copytree(workdir, tmp_path, dirs_exist_ok=True)
    (tmp_path / "figures" / "learning_curve.png").unlink()
    run_folders.change_config(tmp_path, config={"acquisition.redundancy": ..., "posterior.members_at_once": ...})
    assert experiment.run(small_config(), tmp_path) == records
    assert (tmp_path / "figures" / "learning_curve.png").exists()


@pytest.fixture(scope="module")
def uninterrupted(training_settings, tmp_path_factory, finished):
    """The records, by posterior, of a run that nothing stopped."""

    @functools.cache
    def records_of(posterior):
        if posterior == "deep_ensemble":
            return finished[1]
        config = small_config(**{"posterior.name": posterior})
        return experiment.run(config, tmp_path_factory.mktemp("uninterrupted"))

    return records_of


STOP_BEFORE_THE_LINE = (RunFolder, "append_records")
STOP_BETWEEN_LINE_AND_CHECKPOINT = (RunFolder, "save")


@pytest.mark.parametrize(
    ("posterior", "stop_in", "rounds_before_stop"),
    [
        ("deep_ensemble", STOP_BEFORE_THE_LINE, 0),
        pytest.param("deep_ensemble", STOP_BEFORE_THE_LINE, 3, marks=pytest.mark.slow),
        pytest.param("deep_ensemble", STOP_BETWEEN_LINE_AND_CHECKPOINT, 0, marks=pytest.mark.slow),
        ("deep_ensemble", STOP_BETWEEN_LINE_AND_CHECKPOINT, 3),
        pytest.param("mc_dropout", STOP_BEFORE_THE_LINE, 2, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_goes_on_with_the_same_bits(
    posterior, stop_in, rounds_before_stop, uninterrupted, tmp_path, monkeypatch
):
    config = small_config(**{"posterior.name": posterior})
    original, calls = getattr(*stop_in), []

    def stop_later(*arguments):
        calls.append(arguments)
        if len(calls) > rounds_before_stop:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(*stop_in, stop_later)
        with pytest.raises(KeyboardInterrupt):
            experiment.run(config, tmp_path)
    assert without_seconds(experiment.run(config, tmp_path)) == without_seconds(uninterrupted(posterior))


BY_EPOCHS = {
    "name": "epochs",
    "num_epochs": 2,
    "learning_rate": 0.05,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "decay_epochs": (1,),
    "smallest_batch_size": 8,
    "augment": False,
}


# The driver's fields, and a round that is shown after the first program has run and before the last batch is left out.
HOST, SCAN = ({"driver": "host"}, 2), ({"driver": "scan", "rounds_at_once": 3}, 3)


@pytest.mark.parametrize("training", [None, pytest.param(BY_EPOCHS, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("fields", "later_round"), [HOST, pytest.param(*SCAN, marks=pytest.mark.slow)])
def test_rounds_after_the_first_compile_nothing(fields, later_round, training, finished, tmp_path, compilations):
    # After a run that nothing stopped: what is compiled to write the first checkpoint is there.
    del finished
    counts = []
    config = small_config(**fields)
    if training is not None:
        config.training = ConfigDict(training)
    experiment.run(config, tmp_path, on_round=lambda _: counts.append(len(compilations)))
    assert len(counts) == 4
    assert counts[later_round - 1] == counts[later_round]


def test_another_configuration_in_the_same_folder_is_an_error_that_shows_the_difference(finished):
    workdir, _ = finished
    with pytest.raises(experiment.ExperimentError, match=r"config\.batch_size=4 \(here: 5\)"):
        experiment.run(small_config(batch_size=5), workdir)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"batch_size": 0}, r"config\.batch_size=0: must be at least 1"),
        ({"seeds": 0}, r"config\.seeds=0: must be at least 1"),
        ({"seeds_at_once": 0}, r"config\.seeds_at_once=0: must be at least 1"),
        ({"rounds_at_once": 0}, r"config\.rounds_at_once=0: must be at least 1"),
        ({"driver": "remote"}, r"config\.driver='remote'.*'auto', 'host', 'scan'"),
        ({"training.num_steps": 0}, r"config\.training\.num_steps=0"),
        ({"posterior.num_members": 0}, r"config\.posterior\.num_members=0"),
        ({"posterior.name": "swag"}, r"config\.posterior\.name='swag'.*'deep_ensemble', 'laplace', 'mc_dropout'"),
        ({"network.name": "transformer"}, r"config\.network\.name='transformer'.*'mlp'"),
        ({"dataset.num_pool": 5000}, r"num_pool=5000: must be between 1 and the 1297"),
        ({"acquisition.method": "power_lbb", "acquisition.alpha": -1.0}, r"alpha=-1\.0"),
        ({"acquisition.method": "lbb", "acquisition.redundancy": "forest"}, r"'forest'.*'pairwise', 'tree'"),
        ({"acquisition.method": "batch_bald", "acquisition.num_samples": 0}, r"num_samples=0"),
        ({"acquisition.method": "epig", "acquisition.num_targets": 0}, r"num_targets=0"),
    ],
)
def test_a_field_out_of_range_is_an_error_before_training(overrides, message, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_run_rounds", None)
    with pytest.raises(experiment.ExperimentError, match=message):
        experiment.run(small_config(**overrides), tmp_path)


def test_a_folder_that_cannot_be_written_to_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(experiment.ExperimentError, match=r"--workdir=.*cannot be written to"):
        experiment.run(small_config(), tmp_path / "file" / "run")


@pytest.mark.slow
def test_rounds_as_one_program_do_what_rounds_from_the_host_do_by_epochs(training_settings, tmp_path):
    records = []
    for fields in (HOST[0], SCAN[0]):
        config = small_config(**fields, **{"dataset.num_validation": 20, "dataset.num_pool": 80})
        config.training = ConfigDict(BY_EPOCHS)
        records.append(without_seconds(experiment.run(config, tmp_path / config.driver)))
    assert records[0] == records[1]


@pytest.mark.parametrize("posterior", ["deep_ensemble", pytest.param("mc_dropout", marks=pytest.mark.slow)])
def test_rounds_as_one_program_do_what_rounds_from_the_host_do(posterior, uninterrupted, tmp_path):
    config = small_config(driver="scan", rounds_at_once=3, **{"posterior.name": posterior})
    start = time.perf_counter()
    records = experiment.run(config, tmp_path)
    elapsed = time.perf_counter() - start
    assert without_seconds(records) == without_seconds(uninterrupted(posterior))
    assert all(record["seconds"] > 0 and record["seconds_train"] is None for record in records)
    assert sum(record["seconds"] for record in records) <= elapsed


@pytest.mark.slow
def test_a_stopped_run_of_several_rounds_a_program_goes_on_with_the_same_bits(finished, tmp_path, monkeypatch):
    config = small_config(driver="scan", rounds_at_once=3)
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            experiment.run(config, tmp_path)
    assert without_seconds(experiment.run(config, tmp_path)) == without_seconds(finished[1])


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(finished, tmp_path, caplog):
    with run_folders.stopped_after_saving(3):
        experiment.run(small_config(), tmp_path)
    (tmp_path / "checkpoints" / "3.json").write_bytes(b"")
    records = experiment.run(small_config(), tmp_path)
    assert "is damaged" in caplog.text
    assert without_seconds(records) == without_seconds(finished[1])


def test_the_progress_of_a_run_that_goes_on_begins_with_the_rounds_that_are_done(tmp_path, monkeypatch):
    with run_folders.stopped_after_saving(3):
        experiment.run(small_config(), tmp_path)
    shown, bar = [], runner.tqdm
    monkeypatch.setattr(runner, "tqdm", lambda **fields: shown.append(fields) or bar(**fields))
    experiment.run(small_config(), tmp_path)
    # Four rounds of two seeds.
    assert [(fields["total"], fields["initial"]) for fields in shown] == [(8, 6)]


def test_lines_that_are_missing_are_an_error(tmp_path):
    with run_folders.stopped_after_saving(1):
        experiment.run(small_config(), tmp_path)
    (tmp_path / "metrics.jsonl").unlink()
    with pytest.raises(experiment.ExperimentError, match=r"holds 0 lines of the 1 rounds"):
        experiment.run(small_config(), tmp_path)


def test_a_full_disk_is_a_clear_error_and_what_was_done_is_kept(finished, tmp_path, monkeypatch):
    _, expected = finished
    original, calls = os.fsync, []

    def disk_is_full_at_last(descriptor):
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("metrics.jsonl"):
            calls.append(descriptor)
            if len(calls) > 2:
                raise OSError(28, "No space left on device")
        original(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", disk_is_full_at_last)
        with pytest.raises(experiment.ExperimentError, match=r"No space left.*the same command goes on"):
            experiment.run(small_config(), tmp_path)
    assert len(RunFolder(tmp_path).read_records()) == 4
    assert without_seconds(experiment.run(small_config(), tmp_path)) == without_seconds(expected)


def test_a_second_process_in_the_same_folder_stops_with_an_error(tmp_path):
    with (
        filelock.FileLock(tmp_path / ".lock", is_singleton=False),
        pytest.raises(experiment.ExperimentError, match=r"--workdir=.*another process runs there"),
    ):
        experiment.run(small_config(), tmp_path)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_says_where(tmp_path):
    with pytest.raises(experiment.ExperimentError, match=r"seed 0, round 0: the loss of member \d is \w+ at step \d"):
        experiment.run(small_config(**{"training.learning_rate": 1e38}), tmp_path)


@pytest.mark.parametrize("argument", ["nosuch", "b=ten", "b", "ensemble=3"])
def test_unknown_config_arguments_are_errors(argument):
    with pytest.raises(experiment.ExperimentError, match="must be one of ensemble, b=INTEGER"):
        experiment.parse_arguments(argument, flags=("ensemble",), integers=("b",))


@pytest.mark.slow
def test_a_run_that_starts_at_its_final_size_has_one_round(tmp_path):
    config = small_config(initial_size=20, seeds=1, **{"dataset.num_test": 1})
    (record,) = experiment.run(config, tmp_path)
    assert record["labels"] == 20
    # The one test example is right, or half of the probability or more lies elsewhere.
    assert record["accuracy"] in (0, 1)
    assert record["accuracy"] == 1 or record["nll"] >= np.log(2)
