"""The examples in docstrings and in the pages of docs/, and what the site takes from the code."""

import doctest

import pytest
from generate import api_pages, public_names
from markdown import blocks, named_files
from scripts import ROOT

EXAMPLES = [
    test
    for module in public_names.modules_with_examples()
    for test in doctest.DocTestFinder().find(module)
    if test.examples
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = [page for page in PAGES if blocks(page.read_text(encoding="utf-8"), "python")]

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder for what a program writes."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_examples(test):
    failures = []
    doctest.DocTestRunner(verbose=False).run(test, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_examples_of_docstrings_show_what_happens(example):
    run_examples(example)


def test_there_are_examples():
    assert {example.name.split(".")[1] for example in EXAMPLES} >= {"acquisition", "analysis"}


@pytest.mark.slow
@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.stem)
def test_the_programs_of_a_page_run_one_after_the_other(page, folder):
    namespace = {"__name__": page.stem}
    for number, block in enumerate(blocks(page.read_text(encoding="utf-8"), "python")):
        if ">>>" in block:
            run_examples(doctest.DocTestParser().get_doctest(block, namespace, f"{page.name}[{number}]", str(page), 0))
        else:
            exec(compile(block, page.name, "exec"), namespace)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "results" / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_pages_name_are_there(page):
    assert [path for path in named_files(page.read_text(encoding="utf-8")) if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("module", public_names.public_modules(), ids=lambda module: module.name)
def test_every_public_name_is_on_the_page_of_its_module(module):
    page = api_pages.page_of(module)
    assert [name for name in module.members if name not in page.replace("`", " ").replace(".", " ").split()] == []


def test_the_modules_that_users_import_have_pages():
    assert {"acquisition", "entropy", "information"} <= {
        each.name.split(".")[1] for each in public_names.public_modules()
    }
