import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import run_folders
import scripts
from pages import Page

from lbb_jax import figures, report
from lbb_jax.analysis.verdicts import Verdict
from lbb_jax.errors import ExperimentError
from lbb_jax.report import runtime
from lbb_jax.report.sections import attempt
from paper import claims
from paper.benchmarks import table2

TREE = {"acquisition.redundancy": "tree", "acquisition.alpha": 5.0}
BENCHMARK = scripts.ROOT / "results" / "benchmark" / "paper.jsonl"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")


def write_run(path, method, accuracies, **overrides):
    """A run of 20 to 40 labels, with the accuracies of each seed."""
    batches = [[0, 5], [1, 5], []]
    return run_folders.write(path, accuracies, batches=batches, **{"acquisition.method": method, **overrides})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two experiments: three variants with two seeds each, and BALD alone with one."""
    folder = tmp_path_factory.mktemp("runs <b>&")
    return [
        write_run(folder / "random", "random", [(0.5, 0.6, 0.7), (0.5, 0.8, 0.9)]),
        write_run(folder / "bald", "bald", [(0.5, 0.7, 0.9), (0.5, 0.9, 0.9)]),
        write_run(folder / "tree", "power_lbb", [(0.6, 0.8, 0.9), (0.5, 0.8, 1.0)], **TREE),
        write_run(folder / "reduced", "bald", [(0.5, 0.6, 0.6)], **{"dataset.num_pool": 1000}),
    ]


FINDINGS = [
    claims.Finding(1, "a is B", "Eq. 1", "", Verdict.HOLDS, ("2", "3"), "make a"),
    claims.Finding(2, "LBB wins", "Fig. 1", "pairwise", Verdict.HOLDS, ("a",), "make b"),
    claims.Finding(2, "LBB wins", "Fig. 1", "tree", Verdict.UNDECIDED, ("b",), "make b"),
]


@pytest.fixture(scope="module")
def html(runs):
    sections = [claims.section(FINDINGS), *table2.sections([BENCHMARK])]
    return report.render(runs, benchmarks=[BENCHMARK], sections=sections)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_a_warning_of_the_runs_is_given_once(runs, tmp_path, caplog):
    unfinished = shutil.copytree(runs[1], tmp_path / "bald")
    lines = (unfinished / "metrics.jsonl").read_text().splitlines(keepends=True)
    (unfinished / "metrics.jsonl").write_text("".join(lines[:4]))
    report.render([unfinished])
    assert caplog.text.count("stopped short") == 1


def table_under(html, heading):
    """The first table after a heading."""
    _, after = re.split(rf">{re.escape(heading)}</(?:h2|h3|summary)>", html, maxsplit=1)
    return Page(after).tables[0]


def test_every_image_is_a_picture_within_the_page(page):
    descriptions = page.attributes("alt")
    # Curves, savings, differences, diversity, images; curves, diversity, images; profile; times.
    assert len(page.sizes_of_images()) == len(descriptions) == 10
    assert descriptions[0] == "digits, MLP, deep ensemble, batches of 10 (mean ± 1 s.d. of 2 seeds)"
    assert all(descriptions)


def test_the_page_loads_nothing_and_runs_nothing(html, page):
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base", "form"} == set()
    assert all(source.startswith("data:image/png") for source in page.attributes("src"))
    assert all(target.startswith("#") for target in page.attributes("href"))
    assert {name for _, attributes in page.tags for name in attributes if name.startswith("on")} == set()
    assert not [word for word in ("url(", "@import", "http:", "https:") if word in html]


def test_what_is_linked_to_is_there(page):
    targets = [target.removeprefix("#") for target in page.attributes("href")]
    assert targets
    assert set(targets) <= set(page.attributes("id"))


def test_every_section_is_there(page):
    sections = ["What was run", "What holds of the paper&#39;s claims", "digits, MLP, deep ensemble, batches of 10"]
    sections += ["digits, MLP, deep ensemble, batches of 10, reduced", "All experiments together", "Runtime"]
    positions = [page.headings.index(section.replace("&#39;", "'")) for section in [*sections, "Versions and hardware"]]
    assert positions == sorted(positions)


def test_what_was_run_and_reduced_is_listed(html):
    assert table_under(html, "What was run") == [
        ["data set", "network", "posterior", "b", "reduced", "labels", "variants", "seeds", "hours"],
        ["digits", "MLP", "deep ensemble", "10", "nothing", "20 to 40", "3", "2", "0.03"],
        ["digits", "MLP", "deep ensemble", "10", "1,000 base images, 300 training steps", "20 to 40", "1", "1", "0.01"],
    ]
    assert "Reduced: 1,000 base images, 300 training steps." in html


def test_tables_hold_what_the_analysis_says(html):
    curves = table_under(html, "Learning curves")
    assert curves[0][:4] == ["method", "accuracy at 20", "accuracy at 30", "accuracy at 40"]
    assert [row[0] for row in curves[1:]] == ["Random", "BALD", "Power LBB (tree)"]
    assert curves[2][3] == "0.900 ± 0.000"
    savings = table_under(html, "Label savings")
    assert savings[0] == ["method", "labels to 90% (0.720)", "labels to 95% (0.760)"]
    assert savings[2] == ["BALD", "35 (30 to 40)", "35 (30 to 40)"]
    differences = table_under(html, "Areas under the learning curves, minus that of random")
    assert differences[0] == ["method", "difference", "95% from", "to", "seeds"]
    # Areas 0.6 and 0.75, 0.7 and 0.8.
    assert differences[1][:2] == ["BALD", "+0.0750"]
    profile = table_under(html, "Performance profile, and final error rates")
    assert profile[-1] == [
        "digits",
        "MLP",
        "deep ensemble",
        "10",
        "1,000 base images, 300 training steps",
        "",
        "0.4000",
        "",
    ]


def test_claims_are_shown_with_their_verdicts(html):
    assert table_under(html, "1. A is B (Eq. 1)") == [["verdict", "what was found"], ["holds", "2; 3"]]
    assert table_under(html, "2. LBB wins (Fig. 1)") == [
        ["LBB", "verdict", "what was found"],
        ["pairwise", "holds", "a"],
        ["tree", "undecided", "b"],
    ]
    assert html.count("Tested by: ") == 2


def test_what_cannot_be_shown_is_replaced_by_the_reason(page):
    assert page.text.count("Not shown: ") == 2
    assert page.text.count("no run of baseline='Random'; there are BALD") == 2


def test_a_fault_of_the_code_is_not_told_as_one_of_the_runs(caplog):
    def refuse(runs):
        raise ExperimentError("pass runs")

    def fail(runs):
        raise ValueError("cannot reshape")

    assert attempt("Curves", refuse, None).note == "Not shown: pass runs."
    assert attempt("Curves", fail, None).note == "Not shown, through a fault of lbb_jax: ValueError: cannot reshape."
    assert "Traceback" in caplog.text


def test_a_figure_takes_one_row(runs, monkeypatch):
    row = figures.FIGURES["learning_curves"]._replace(heading="A figure of my own")
    monkeypatch.setattr(figures, "FIGURES", {"of_my_own": row})
    assert "A figure of my own" in Page(report.render(runs[:1])).headings


def test_configurations_are_shown_by_what_differs(html):
    assert table_under(html, "Configuration, where it differs from the defaults") == [
        ["field", "here", "default"],
        ["final_size", "40", "200"],
        ["seeds", "2", "3"],
    ]
    differing = table_under(html, "Configuration, where it differs among the runs")
    assert differing[0] == ["run", "acquisition.method", "acquisition.alpha", "acquisition.redundancy"]
    assert [row[1:] for row in differing if row[0].endswith("tree")] == [["power_lbb", "5.0", "tree"]]
    fields = [row[0] for row in table_under(html, "All of the configurations")]
    assert {"dataset.name", "network.hidden_sizes", "training.num_steps"} <= set(fields)


@pytest.mark.slow
def test_versions_and_hardware_stand_in_a_column_for_each_combination(runs, tmp_path):
    other = write_run(tmp_path / "other", "bald", [(0.5, 0.6, 0.6)])
    description = json.loads((other / "config.json").read_text())
    description["platform"]["devices"] = ["TPU v4"] * 4
    (other / "config.json").write_text(json.dumps(description))
    table = dict((row[0], row[1:]) for row in table_under(report.render([other, runs[0]]), "Versions and hardware"))
    assert sorted(table["runs"]) == ["1", "1"]
    assert "4 × TPU v4" in table["devices"]
    assert all(table["jax"])
    assert any(path.endswith("other") for path in table["which"])


def test_times_stand_beside_those_of_the_paper(html):
    table = table_under(html, "Seconds, beside the paper&#39;s Table 2: 49,980 points, 5 draws, 10 classes (cpu)")
    records = [json.loads(line) for line in BENCHMARK.read_text().splitlines()]
    times = {record["b"]: record["milliseconds"] for record in records if record["case"] == "batch_bald"}
    assert ["BatchBALD", "269.0", "839.0", f"{times[10] / 1e3:.4f}", f"{times[20] / 1e3:.4f}"] in table


def test_names_of_folders_cannot_become_html(html, page, runs):
    assert "<b>" in str(runs[0])
    assert "b" not in {tag for tag, _ in page.tags}
    assert "<b>" not in html


@pytest.mark.slow
def test_without_times_or_claims_the_page_says_so_or_leaves_them_out(runs):
    page = Page(report.render(runs[-1:]))
    assert "No times were given" in page.text
    assert "this is one" in page.text
    assert not any("claims" in heading for heading in page.headings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}\n", "holds no times"),
        ('{"milliseconds": 1.0}\n', "has a record without 'N'"),
        ("case,N\n", "is not lines of JSON objects"),
        ("1\n", "is not lines of JSON objects"),
        ('"milliseconds"\n', "is not lines of JSON objects"),
        ("[" * 100_000 + "\n", "is not lines of JSON objects"),
        ('{"milliseconds": 1.0, "N": "many", "K": 1, "C": 1}\n', "has a record with N='many'"),
    ],
)
def test_files_that_hold_no_times_are_errors(content, message, tmp_path):
    (tmp_path / "times.jsonl").write_text(content)
    with pytest.raises(ValueError, match=message):
        runtime.runtime([tmp_path / "times.jsonl"])


@pytest.mark.slow
def test_the_script_names_what_is_wrong(tmp_path):
    for arguments, message in (((), "name at least one run"), ((str(tmp_path),), "config.json")):
        result = scripts.run("report.py", f"--output={tmp_path}/report.html", *arguments)
        assert result.returncode == 1
        assert message in result.stdout + result.stderr
    assert not list(tmp_path.iterdir())


CHECK = """
<script>
addEventListener("load", () => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  all("details").forEach((element) => { element.open = true; });
  document.body.innerHTML = "<pre id=found>" + JSON.stringify({
    images: all("img").map((image) => [image.complete, image.naturalWidth, image.clientWidth]),
    tables: all("table").map((table) => table.clientHeight),
    viewport: document.documentElement.clientWidth,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }) + "</pre>";
});
</script>
</body>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1200])
def test_in_a_browser_nothing_is_missing(width, html, page, tmp_path):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    (tmp_path / "report.html").write_text(html.replace("</body>", CHECK), encoding="utf-8")
    # As root it does not start with its sandbox.
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path}/profile", Path(tmp_path / "report.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = json.loads(shown.partition('<pre id="found">')[2].partition("</pre>")[0])
    assert [image[:2] for image in found["images"]] == [[True, size[0]] for size in page.sizes_of_images()]
    # A browser may have a least width.
    assert all(100 < image[2] < found["viewport"] for image in found["images"])
    assert len(found["tables"]) == len(page.tables)
    assert min(found["tables"]) > 0
    # Wide tables scroll by themselves.
    assert found["overflow"] == 0
