"""Every command in README.md and in the pages of docs/, on the smallest size. Programs: test_documentation.py."""

import itertools
import re
import shlex
import tomllib

import labelling_projects
import numpy as np
import pytest
import scripts
import text_checkpoints
from markdown import commands, expand
from scripts import ROOT

from lbb_jax import acquisition, experiment
from lbb_jax.labelling import command

PAGES = [(ROOT / "README.md"), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}

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
    "savings.py": (),
    "approximation.py": ("--labels=20", "--batch_size=2", "--repetitions=1", "--seeds=1", "--methods=bald"),
}
# The folders of data sets whose configurations have another name.
PREPARED_AS = {"ag_news": "ag_news_subset"}
# Where a sweep names none.
TWO_METHODS = "--methods=random,bald"

EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"])

pytestmark = pytest.mark.usefixtures("training_settings")


def needs_data(words):
    return any(word.startswith("--config=") and "configs/digits.py" not in word for word in words)


COMMANDS = {name: block for name, text in TEXTS.items() if (block := commands(text))}
OF_DATA_SETS = {
    shlex.join(words): words for page in COMMANDS.values() for block in page for words in block if needs_data(words)
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder in which the commands find what they find in the repository, and leave what they write."""
    for name in ("configs", "experiments", "results"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids.txt").write_text("\n".join(labelling_projects.ids_of(100)))
    (tmp_path / "shown.csv").write_text(
        "\n".join(["id,text", *(f"{id_},a text" for id_ in labelling_projects.ids_of(100))])
    )
    np.savez("predictions.npz", log_probs=labelling_projects.predictions(100), ids=labelling_projects.ids_of(100))
    return tmp_path


def carry_out(words):
    """Runs a command of the README, on the smallest size where it is an experiment."""
    match words:
        case ["make", target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), target
        case [".", activate]:
            assert activate == ".venv/bin/activate"
        case ["pip", "install", "-e", wanted]:
            extras = re.search(r"\[(.*)\]", wanted)
            assert not extras or set(extras[1].split(",")) <= EXTRAS
        case ["python", "-c", program]:
            compile(program, "command", "exec")
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
@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_of_a_page_run_one_after_the_other(name, folder):
    for block in COMMANDS[name]:
        for words in block:
            if not needs_data(words):
                carry_out(words)


@pytest.mark.slow
@pytest.mark.parametrize("words", OF_DATA_SETS.values(), ids=OF_DATA_SETS)
def test_commands_on_data_sets_run_where_these_are(words, folder, need_real, monkeypatch):
    name = re.search(r"configs/(\w+)\.py", shlex.join(words))[1]
    need_real(PREPARED_AS.get(name, name))
    if name == "ag_news":
        # To embed the articles with a real encoder would take minutes.
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        words = [*words, f"--config.dataset.encoder={text_checkpoints.write(folder / 'encoder')}"]
        words += ["--config.dataset.max_length=10", "--config.posterior.num_draws=2"]
    carry_out(words)


def test_there_are_commands():
    assert {"README.md", "experiments.md", "labelling.md"} <= COMMANDS.keys()
    assert OF_DATA_SETS


def first_column(page, heading):
    """What is named in the first column of the table whose first line begins so."""
    table = itertools.dropwhile(lambda line: not line.startswith(heading), TEXTS[page].splitlines())
    rows = [*itertools.takewhile(lambda line: line.startswith("|"), table)][2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_tables_name_what_there_is():
    names = {folder: {path.name for path in (ROOT / folder).glob("*.py")} for folder in ("configs", "experiments")}
    assert set(first_column("README.md", "| `method`")) == acquisition.METHODS.keys()
    assert set(first_column("README.md", "| extra ")) == EXTRAS
    assert set(first_column("experiments.md", "| script ")) == names["experiments"]
    configs = {name.removeprefix("configs/") for name in first_column("experiments.md", "| config ")}
    assert configs == names["configs"]
    fields = experiment.default_config().to_dict()
    sections = {name: value for name, value in fields.items() if isinstance(value, dict)}
    fields = {*fields} - {*sections} | {f"{name}.{field}" for name, value in sections.items() for field in value}
    assert set(first_column("experiments.md", "| field ")) == fields


def test_every_notebook_is_a_page():
    pages = set(re.findall(r"^notebooks/(\w+)$", TEXTS["index.md"], flags=re.MULTILINE))
    assert pages == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("name", TEXTS)
def test_a_page_that_the_build_completes_says_so_on_github(name):
    is_completed = re.search(r"^```{(include|image|literalinclude|bibliography)}", TEXTS[name], flags=re.MULTILINE)
    # These are shown by no link of the README.
    if name not in ("index.md", "results.md", "changelog.md"):
        assert ('<p class="on-github">' in TEXTS[name]) == bool(is_completed)


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].encode()) <= 9_000
    assert TEXTS["README.md"].count("\n") <= 155
