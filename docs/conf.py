"""Settings of Sphinx. ``make docs`` builds the site; what it takes from the code is in docs/generate/."""

import os
import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "experiments"))

from generate import (
    accelerator_table,
    api_pages,
    approximation_tables,
    architecture,
    decisions,
    draws,
    findings,
    method_table,
    references,
    reproduction,
    results,
    small_tables,
    speed_table,
    stream_tables,
    toy_pool,
)

GENERATED = Path(__file__).parent / "generated"
RESULTS = Path(__file__).parents[1] / "results"

project = "lbb_jax"
author = "the lbb_jax authors"
copyright = author
release = version = metadata.version("lbb_jax")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx-mathjax-offline",
    "sphinxcontrib.bibtex",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
# What is included in other pages is no page.
exclude_patterns = ["generate", "_build", "generated/*.md", "generated/results", "generated/findings"]
# Notebooks are shown as they are stored; `make notebooks` executes them.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

default_role = "py:obj"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "sphinx_book_theme"
html_title = "lbb_jax"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
# GitHub's workflow says whose repository it is; elsewhere the pages have no links to it, and the notebooks no badge.
if repository := os.environ.get("GITHUB_REPOSITORY"):
    html_theme_options |= {
        "repository_url": f"https://github.com/{repository}",
        "repository_branch": "main",
        # docs/notebooks is a link to notebooks/, which Colab does not follow.
        "path_to_docs": "",
        "use_repository_button": True,
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    }


def _generate(app):
    api_pages.write(GENERATED / "api")
    accelerator_table.write(GENERATED / "accelerator.md", RESULTS / "benchmark")
    accelerator_table.write_loops(GENERATED / "loops.md", RESULTS / "benchmark")
    approximation_tables.write(GENERATED, RESULTS)
    architecture.write(GENERATED / "architecture.svg")
    reproduction.write(GENERATED / "claims.md", RESULTS)
    results.write(GENERATED / "results.md", RESULTS)
    findings.write(GENERATED / "findings", RESULTS)
    draws.write(GENERATED, RESULTS)
    decisions.write(GENERATED / "decisions.md", RESULTS)
    method_table.write(GENERATED / "methods.md")
    small_tables.write_demo(GENERATED / "demo.md", RESULTS)
    small_tables.write_own_data(GENERATED / "own_data.md", RESULTS)
    speed_table.write(GENERATED / "speed.md", RESULTS / "benchmark" / "paper.jsonl")
    speed_table.write_others(GENERATED / "speed_of_others.md", RESULTS / "benchmark")
    speed_table.write_pools(GENERATED / "speed_on_pools.md", RESULTS / "benchmark")
    speed_table.write_structures(GENERATED / "speed_on_structures.md", RESULTS / "benchmark" / "pools.jsonl")
    speed_table.write_round(GENERATED / "speed_of_round.md", RESULTS / "benchmark" / "round.jsonl")
    speed_table.write_training(GENERATED / "speed_of_training.md", RESULTS / "benchmark")
    speed_table.draw(GENERATED / "speed.svg", RESULTS / "benchmark" / "paper.jsonl")
    stream_tables.write_measured(GENERATED / "streams.md", RESULTS / "benchmark" / "stream.jsonl")
    stream_tables.write_hosts(GENERATED / "hosts.md", RESULTS / "benchmark" / "stream.jsonl")
    toy_pool.write(GENERATED / "toy_pool.png", RESULTS / "benchmark" / "paper.jsonl")


def _skip_member(app, kind, name, value, skip, options):
    # The fields of a NamedTuple are described in its docstring.
    return True if type(value).__name__ == "_tuplegetter" else None


def setup(app):
    """Writes the generated pages before Sphinx reads the sources, and checks the links between docstrings."""
    app.connect("builder-inited", _generate)
    app.connect("autodoc-skip-member", _skip_member)
    app.connect("missing-reference", references.resolve)
