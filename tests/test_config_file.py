"""Configuration files of a user's own, and what is wrong with them."""

import textwrap

import pytest
from ml_collections import ConfigDict

from lbb_jax import experiment
from lbb_jax.experiment import ExperimentError

DEFAULT = "from lbb_jax import experiment\n\ndef get_config(argument=None):\n    config = experiment.default_config()\n"


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="own.py"):
        (tmp_path / name).write_text(textwrap.dedent(content))
        return str(tmp_path / name)

    return write_file


def test_a_configuration_is_what_get_config_returns_for_the_argument(write, monkeypatch, tmp_path):
    own = write(DEFAULT + "    config.seeds = int(argument or 7)\n    return config\n")
    assert isinstance(experiment.load_config(own), ConfigDict)
    assert experiment.load_config(own).seeds == 7
    assert experiment.load_config(f"{own}:2", {"acquisition.alpha": 5.0}).acquisition.alpha == 5.0
    monkeypatch.setenv("HOME", str(tmp_path))
    assert experiment.load_config("~/own.py:2").seeds == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (DEFAULT + "    return config\n    nosuch(", r"own\.py, line 6: SyntaxError: "),
        (DEFAULT + "    config.seeds = nosuch\n    return config\n", r"own\.py, line 5: NameError: name 'nosuch'"),
        (DEFAULT + "    config.trainning.num_steps = 3\n", r"own\.py, line 5: AttributeError: "),
        (DEFAULT + "    config.seeds = 2.5\n", r"own\.py, line 5: TypeError: "),
        (DEFAULT + "    import jax\n    jax.nosuch(3)\n", r"own\.py, line 6: AttributeError: module 'jax' has no"),
        ("import nosuch_module\n", r"own\.py, line 1.*: ModuleNotFoundError: "),
        ("rate = 1\n", r"own\.py has no function get_config"),
        ("get_config = 3\n", r"own\.py has no function get_config"),
        (DEFAULT, r"own\.py: get_config returned NoneType: must be a ConfigDict"),
        ("def get_config():\n    return {'seeds': 3}\n", r"own\.py: get_config returned dict: must be a ConfigDict"),
        (DEFAULT + "    return experiment.parse_arguments('b=ten')\n", r"config argument 'b=ten': must be one of"),
    ],
)
def test_a_slip_in_ones_own_file_is_shown_with_its_place(content, message, write):
    with pytest.raises(ExperimentError, match=message):
        experiment.load_config(write(content))


def test_a_file_whose_get_config_takes_no_argument_cannot_be_given_one(write):
    own = write("from lbb_jax import experiment\n\ndef get_config():\n    return experiment.default_config()\n")
    assert experiment.load_config(own).seeds == 3
    with pytest.raises(ExperimentError, match=r"own\.py: TypeError: get_config\(\) takes 0 positional arguments"):
        experiment.load_config(f"{own}:b=5")


def test_what_is_no_configuration_file_is_an_error(write, tmp_path):
    for reference, message in (
        (f"{tmp_path}/nosuch.py:b=5", "there is no configuration file .*nosuch.py"),
        (f"{tmp_path}/{'x' * 300}.py", r"x\.py: cannot be used \(File name too long\)"),
        (str(tmp_path), "is a folder; name a configuration file"),
        (write("{}", "config.json"), r"config\.json is no Python file; name the \.py file"),
    ):
        with pytest.raises(ExperimentError, match=message):
            experiment.load_config(reference)
