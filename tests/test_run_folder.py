import json
import os
import shutil

import numpy as np
import pytest
import run_folders
from ml_collections import ConfigDict

from lbb_jax import experiment
from lbb_jax.acquisition import Acquisition
from lbb_jax.errors import ExperimentError
from lbb_jax.loop import AcquiredBatch, Round
from lbb_jax.metrics import Metrics
from lbb_jax.run_folder import RunFolder, lines_of_round

ACCURACIES = ((0.5, 0.6, 0.7), (0.4, 0.5, 0.6))


@pytest.fixture
def folder(tmp_path):
    """A run of two seeds and three rounds."""
    return RunFolder(run_folders.write(tmp_path / "run", ACCURACIES, data={"pool": 1297}, batch_size=2))


def test_what_is_written_is_read_back(folder):
    records = folder.read_records()
    assert [(record["round"], record["seed"]) for record in records] == [(r, s) for r in range(3) for s in range(2)]
    assert [record["accuracy"] for record in records] == [0.5, 0.4, 0.6, 0.5, 0.7, 0.6]
    assert folder.describe().data == {"pool": 1297}
    assert folder.describe().config["batch_size"] == 2
    assert folder.absent() == []


def test_rounds_are_appended_and_taken_back(folder):
    records = folder.read_records()
    folder.keep_records(records[:2])
    assert folder.read_records() == records[:2]
    folder.append_records(records[2:4])
    assert folder.read_records() == records[:4]


@pytest.mark.parametrize("end", ["\n", "\n\n", "\n  \n\n", ""])
def test_blank_lines_are_no_damage(end, folder):
    records = folder.read_records()
    folder.metrics.write_text(folder.metrics.read_text().rstrip("\n").replace("\n", "\n\n") + end)
    assert folder.read_records() == records


@pytest.mark.parametrize("length", [1, 40, 150])
def test_a_last_line_that_was_cut_short_is_left_out(length, folder):
    *lines, last = folder.metrics.read_text().splitlines(keepends=True)
    folder.metrics.write_text("".join(lines) + last[:length])
    assert len(folder.read_records()) == 5


def lose_a_line(lines):
    return [*lines[:2], *lines[3:]]


def repeat_a_line(lines):
    return [*lines[:3], lines[2], *lines[3:]]


def edit_the_third(**fields):
    def edit(lines):
        record = json.loads(lines[2])
        return [*lines[:2], json.dumps(record | fields) + "\n", *lines[3:]]

    return edit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose_a_line, r"line 3: it is of seed 1 and round 1, where seed 0 and round 1 should be"),
        (repeat_a_line, r"line 4: it is of seed 0 and round 1, where seed 1 and round 1 should be"),
        (edit_the_third(method="random"), r"line 3: method='random', where config\.json has 'bald'"),
        (edit_the_third(batch_size=5), r"line 3: batch_size=5, where config\.json has 2"),
        (edit_the_third(labels=23), r"line 3: labels=23, where config\.json has 22"),
        (edit_the_third(accuracy=None), r"line 3: accuracy=None: must be a finite number"),
        (edit_the_third(accuracy=float("nan")), r"line 3: accuracy=nan: must be a finite number"),
        (edit_the_third(nll=10**400), r"line 3: nll=10+: must be a finite number"),
        (edit_the_third(acquired=[1.5, 2]), r"line 3: acquired=\[1\.5, 2\]: must be a list of indices"),
        (edit_the_third(gains=[0.5]), r"line 3: it has 2 points acquired and 1 gains"),
        (edit_the_third(seconds="long"), r"line 3: seconds='long': must be a number of seconds"),
        (lambda lines: [*lines[:2], "[" * 100_000 + "\n", *lines[2:]], r"line 3: maximum recursion depth"),
    ],
)
def test_lines_of_another_run_and_damaged_ones_are_errors_that_name_them(change, message, folder):
    folder.metrics.write_text("".join(change(folder.metrics.read_text().splitlines(keepends=True))))
    with pytest.raises(ExperimentError, match=rf"run/metrics\.jsonl is damaged \({message}"):
        folder.read_records()


def by_a_folder(path):
    path.mkdir()


def by_a_link_to_nothing(path):
    path.symlink_to("nowhere")


def by_a_pipe(path):
    os.mkfifo(path)


def by_bytes(path):
    path.write_bytes(b"\xff\xfe\x00\x01")


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl"])
@pytest.mark.parametrize("replace", [by_a_folder, by_a_link_to_nothing, by_a_pipe, by_bytes])
def test_whatever_stands_in_the_place_of_a_file_is_an_error_that_names_it(name, replace, folder):
    (folder.path / name).unlink()
    replace(folder.path / name)
    with pytest.raises(ExperimentError, match=rf"run/{name} is damaged"):
        folder.read_records()


def test_a_failure_to_read_says_nothing_of_damage(folder, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pathlib.Path.read_text", fail)
    with pytest.raises(ExperimentError, match=r"config\.json cannot be read .*Input/output error.*nothing was changed"):
        folder.describe()


@pytest.mark.parametrize("names", [["metrics.jsonl"], ["checkpoints"], ["metrics.jsonl", "checkpoints"]])
def test_files_of_a_run_without_its_configuration_are_an_error(names, tmp_path):
    for name in names:
        path = tmp_path / name
        (path / "3").mkdir(parents=True) if name == "checkpoints" else path.write_text("")
    with pytest.raises(ExperimentError, match=f"holds {' and '.join(names)} of a run, and no config.json"):
        RunFolder(tmp_path).describe()


def test_a_folder_with_nothing_of_a_run_holds_none(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "checkpoints").mkdir()
    assert RunFolder(tmp_path).describe() is None
    assert RunFolder(tmp_path).read_records() == []
    assert RunFolder(tmp_path / "nowhere").describe() is None


def test_fields_that_an_older_version_lacks_hold_their_defaults(folder):
    before = folder.describe()
    lost = {name: ... for name in ("acquisition.sampling", "dataset.num_pool", "network.dropout_rate", "driver")}
    run_folders.change_config(folder.path, config=lost)
    content = json.loads(folder.config.read_text())
    del content["data"], content["settings"], content["names"]
    folder.config.write_text(json.dumps(content))
    assert folder.describe() == before._replace(data={}, settings={})
    # The fields of another network are its own.
    run_folders.change_config(folder.path, config={"network": {"name": "resnet18", "dropout_rate": 0.3}})
    assert folder.describe().config["network"] == {"name": "resnet18", "dropout_rate": 0.3}


def test_a_run_with_parts_of_ones_own_is_the_same_run_the_next_time(tmp_path):
    own = {"posterior": {"name": "mine:swag", "num_snapshots": 3}, "network": {"name": "mine:Net", "width": 8}}
    config = json.loads(experiment.default_config().to_json()) | own
    folder = RunFolder(tmp_path)
    folder.write_description(run_folders.describe(ConfigDict(config)))
    folder.check_config(config)
    folder.check_config(config | {"save_predictions": True})
    with pytest.raises(ExperimentError, match=r"set config\.posterior\.num_snapshots=3 \(here: 4\)$"):
        folder.check_config(config | {"posterior": {"name": "mine:swag", "num_snapshots": 4}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", 3),
        ("seeds", "three"),
        ("seeds", True),
        ("seeds", None),
        ("network.name", 5),
        ("dataset.num_pool", [1]),
        ("acquisition.sampling", None),
    ],
)
def test_fields_of_another_kind_are_errors_that_name_them(name, value, folder):
    run_folders.change_config(folder.path, config={name: value})
    with pytest.raises(ExperimentError, match=rf"config\.json is damaged \(config\.{name}=.*: must be like"):
        folder.describe()


def test_a_disk_without_room_is_an_error_before_anything_is_computed(folder, monkeypatch):
    usage = shutil.disk_usage(folder.path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    message = r"run: cannot be written to .*No space left.*100,000 bytes are free"
    with pytest.raises(ExperimentError, match=message), folder.alone():
        pass


def test_a_file_where_a_run_writes_a_folder_is_an_error_before_anything_is_written(tmp_path):
    (tmp_path / "figures").write_text("mine")
    with pytest.raises(ExperimentError, match="figures is no folder"), RunFolder(tmp_path).alone():
        pass
    assert sorted(os.listdir(tmp_path)) == ["figures"]


def test_the_seeds_of_a_round_share_its_seconds():
    metrics = Metrics(**dict.fromkeys(Metrics._fields, np.ones(2, np.float32)))
    picked = Acquisition(np.zeros((2, 1), int), np.zeros((2, 1)))
    batch = AcquiredBatch(picked, np.ones(2, int), np.zeros(2, int))
    done = Round(np.full(2, 4), np.full(2, 20), metrics, np.ones((2, 1, 1), np.float32), batch)
    config = experiment.default_config().to_dict()
    lines = lines_of_round(config, done, seconds=6.0, seconds_of_stages={"train": 4.0, "predict": 1.0, "acquire": 1.0})
    assert [(line["seconds"], line["seconds_train"]) for line in lines] == [(3.0, 2.0), (3.0, 2.0)]
