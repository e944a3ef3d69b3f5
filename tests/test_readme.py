"""Every command and every program in README.md, on the smallest size."""

import itertools
import re
import shlex
import tomllib

import labelling_projects
import numpy as np
import pytest
import scripts
import text_checkpoints
from markdown import blocks, commands, expand, named_files
from scripts import ROOT

from lbb_jax import acquisition
from lbb_jax.labelling import command
from paper import claims

README = (ROOT / "README.md").read_text(encoding="utf-8")

ONE_SHORT_RUN = (
    *("--config.seeds=1", "--config.final_size=30", "--config.training.num_steps=3", "--config.training.batch_size=8"),
    *("--config.dataset.num_pool=100", "--config.dataset.num_test=50", "--config.posterior.num_members=2"),
)
# What makes a script small; later flags prevail over earlier ones.
SMALLEST = {
    "run.py": ONE_SHORT_RUN,
    "sweep.py": (*ONE_SHORT_RUN, "--processes=1"),
    "figures.py": (),
    "report.py": (),
    "approximation.py": ("--labels=20", "--batch_size=2", "--repetitions=1", "--seeds=1", "--methods=bald"),
}
# The folders of data sets whose configurations have another name.
PREPARED_AS = {"ag_news": "ag_news_subset"}
# Where a sweep names none.
TWO_METHODS = "--methods=random,bald"

pytestmark = pytest.mark.usefixtures("training_settings")


def needs_data(words):
    return any(word.startswith("--config=") and "configs/digits.py" not in word for word in words)


COMMANDS = commands(README)
OF_DATA_SETS = [words for block in COMMANDS for words in block if needs_data(words)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder in which the commands find what they find in the repository, and leave what they write."""
    for name in ("configs", "experiments", "results"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids.txt").write_text("\n".join(labelling_projects.ids_of(50)))
    np.savez("predictions.npz", log_probs=labelling_projects.predictions(50), ids=labelling_projects.ids_of(50))
    return tmp_path


def carry_out(words):
    """Runs a command of the README, on the smallest size where it is an experiment."""
    match words:
        case ["make", target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), target
        case [".", activate]:
            assert activate == ".venv/bin/activate"
        case ["lbb-jax", *arguments]:
            assert command.main(arguments) == 0
        case ["python", script, *arguments]:
            name = script.removeprefix("experiments/")
            # A pattern stands for what earlier commands have written.
            arguments = expand(arguments)
            smallest = [] if "--help" in arguments else [*SMALLEST[name]]
            if name == "sweep.py" and not any(word.startswith("--methods") for word in arguments):
                smallest.append(TWO_METHODS)
            result = scripts.run(name, *arguments, *smallest)
            # That is how absl ends after --help.
            assert result.returncode == ("--help" in arguments), result.stderr
        case _:
            pytest.fail(f"how is this to be run? {shlex.join(words)}")


@pytest.mark.slow
def test_the_programs_run_one_after_the_other():
    namespace = {}
    for block in blocks(README, "python"):
        exec(compile(block, "README.md", "exec"), namespace)
    assert len(set(namespace["batch"].indices.tolist())) == 32


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_the_commands_of_a_block_run_one_after_the_other(number, folder):
    for words in COMMANDS[number]:
        if not needs_data(words):
            carry_out(words)


@pytest.mark.slow
@pytest.mark.parametrize("words", OF_DATA_SETS, ids=shlex.join)
def test_commands_on_data_sets_run_where_these_are(words, folder, need_real, monkeypatch):
    name = re.search(r"configs/(\w+)\.py", shlex.join(words))[1]
    need_real(PREPARED_AS.get(name, name))
    if name == "ag_news":
        # To embed the articles with a real encoder would take minutes.
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        words = [*words, f"--config.dataset.encoder={text_checkpoints.write(folder / 'encoder')}"]
        words += ["--config.dataset.max_length=10", "--config.posterior.num_draws=2"]
    carry_out(words)


def test_there_are_commands_and_programs():
    assert len(blocks(README, "python")) >= 3
    assert sum(len(block) for block in COMMANDS) >= 8
    assert OF_DATA_SETS


def first_column(heading):
    """What is named in the first column of the table whose first line begins so."""
    table = itertools.dropwhile(lambda line: not line.startswith(heading), README.splitlines())
    rows = [*itertools.takewhile(lambda line: line.startswith("|"), table)][2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_tables_name_what_there_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {folder: {path.name for path in (ROOT / folder).glob("*.py")} for folder in ("configs", "experiments")}
    assert {name.strip('"') for name in first_column("| `method`")} == acquisition.METHODS.keys()
    assert set(first_column("| extra ")) == project["optional-dependencies"].keys()
    assert set(first_column("| script ")) == names["experiments"]
    assert {name.removeprefix("configs/") for name in first_column("| config ")} == names["configs"]
    assert set(first_column("| notebook ")) == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("path", named_files(README))
def test_files_that_are_named_are_there(path):
    assert (ROOT / path).is_file()


def test_the_claims_are_those_of_the_file():
    loaded = claims.load_claims(ROOT / "results" / "claims.toml")
    assert claims.insert_claims(README, loaded) == README, "run python experiments/claims.py"
