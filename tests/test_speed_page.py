"""What the pages on speed and streams take from stored measurements, and what they say of GPUs and TPUs."""

import json
import re

import scripts
from generate import accelerator_table, speed_table, stream_tables

from lbb_jax.acquisition import candidates, contest, stream_passes

BENCHMARK = scripts.ROOT / "results" / "benchmark"
DEVICE = {"device": "NVIDIA Z1", "platform": "gpu", "jax": "0.99"}
RATES = {"rates": {"bytes": 2.5e12, "float32": 5.5e13, "float32_exact": 5e13, "bfloat16": 6.125e14}}


def page_of(name):
    return " ".join((scripts.ROOT / name).read_text(encoding="utf-8").split())


def timed(case, dtype="float32", milliseconds=2.0):
    return {
        "case": case,
        "dtype": dtype,
        "milliseconds": milliseconds,
        "least_milliseconds": 0.5,
        "share_of_roofline": 0.25,
    }


def written(tmp_path, write, lines):
    """What a function writes from a file with these lines."""
    (tmp_path / "benchmark.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write(tmp_path / "page.md", tmp_path / "benchmark.jsonl")
    return (tmp_path / "page.md").read_text()


def row_that_begins(table, *cells):
    (row,) = [line for line in table.splitlines() if line.startswith(f"| {' | '.join(map(str, cells))} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_what_a_device_did_is_shown_in_tables():
    rows = [
        DEVICE,
        RATES,
        {"note": "It was at hand for an hour."},
        {"check": "method lbb", "passed": True, "largest_difference": 0.0},
        {"check": "method badge", "passed": False, "largest_difference": 0.5},
        timed("lbb, tree, lazy, N=49,980, C=10, b=10", milliseconds=1234.5),
        timed("training, mnist_cnn, 5 networks, 20 steps of 64", "bfloat16"),
        {
            "case": "experiment, 3 rounds, one program",
            "seconds_with_compilation": 14.7,
            "seconds": 4.6,
            "programs_compiled": 1,
            "programs_compiled_again": 0,
        },
        {"case": "lbb, dense", "dtype": "float32", "left_out": "no time was left"},
        {"case": "resnet18", "error": "RuntimeError: out of memory"},
    ]
    shown = accelerator_table.section(rows, "accelerator_z1.jsonl")
    assert shown.startswith("## On a GPU: NVIDIA Z1\n")
    assert "2.5 TB/s" in shown
    assert "2 checks compared methods" in shown
    assert "55 TFLOP/s in float32 at the default precision of JAX, 50 at full precision" in shown
    assert "1 passed, these failed: method badge." in shown
    assert "It was at hand for an hour." in shown
    acquisition, networks = shown.split("Training and prediction:")
    assert row_that_begins(acquisition, rows[5]["case"])[1:] == ["float32", "1,234.50", "0.50", "25.0%"]
    assert row_that_begins(networks, rows[6]["case"])[1:] == ["bfloat16", "2.00", "0.50", "25.0%"]
    assert row_that_begins(shown, "3 rounds, one program")[1:] == ["4.6", "14.7", "1", "0"]
    assert "- Not timed (no time was left): lbb, dense, float32.\n" in shown
    assert "- Not timed (RuntimeError: out of memory): resnet18.\n" in shown


def test_where_no_device_was_measured_the_page_says_so(tmp_path):
    accelerator_table.write(tmp_path / "page.md", tmp_path)
    assert "Nothing has been timed on a GPU or TPU." in (tmp_path / "page.md").read_text()


def test_the_readme_says_whether_a_device_was_measured():
    is_measured = bool(accelerator_table.files(BENCHMARK))
    assert ("Nothing has been timed on a GPU or TPU." in page_of("README.md")) != is_measured
    for file in accelerator_table.files(BENCHMARK):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert rows[0]["device"] in accelerator_table.section(rows, file.name)
        assert file.stem.removeprefix("accelerator_").upper() in page_of("README.md")


def test_the_estimates_of_loops_stand_beside_what_an_h200_took(tmp_path):
    loop = {"case": "lbb, tree", "form": "dense", "N": 49_980, "b": 10}
    counts = {"host_turns": 0, "kernels_in_program": 48, "megabytes_a_step": 246.2, "estimated_milliseconds": 0.78}
    (tmp_path / "loops.jsonl").write_text(json.dumps(loop | counts) + "\n")
    accelerator_table.write_loops(tmp_path / "page.md", tmp_path)
    shown = (tmp_path / "page.md").read_text()
    assert row_that_begins(shown, "lbb, tree", "dense")[2:] == ["10", "0", "48", "246", "0.78"]
    rows = [DEVICE, RATES, timed("lbb, tree, dense, N=49,980, C=10, b=10", milliseconds=1.25)]
    (tmp_path / "accelerator_h200.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    accelerator_table.write_loops(tmp_path / "page.md", tmp_path)
    assert row_that_begins((tmp_path / "page.md").read_text(), "lbb, tree", "dense")[-2:] == ["0.78", "1.25"]


# The page names the H200, so its measurements must be there.
def test_the_page_says_where_the_estimates_are_too_low():
    times = accelerator_table.milliseconds(BENCHMARK / "accelerator_h200.jsonl")
    lines = (BENCHMARK / "loops.jsonl").read_text(encoding="utf-8").splitlines()
    loops = [row for row in map(json.loads, lines) if accelerator_table.case_of(row) in times]
    assert len(loops) >= 6
    for row in loops:
        ratio = times[accelerator_table.case_of(row)] / row["estimated_milliseconds"]
        assert (ratio > 10) == (row["form"] == "lazy")
        assert (6.5 < ratio < 7.5) == ((row["case"], row["form"]) == ("log_det", "dense"))


def stream(seconds, *, certified=True, num_points=10**7):
    return {
        "N": num_points,
        "K": 5,
        "C": 10,
        "b": 100,
        "num_candidates": None,
        "seconds_with_bald": 2.0,
        "seconds_with_acquisition": seconds,
        "ratio_to_bald": seconds / 2,
        "certified": certified,
        "candidates_needed": 300_000,
        "peak_megabytes": 1_500,
    }


def test_hosts_share_the_points_at_the_rate_of_the_fastest_certified_stream(tmp_path):
    streams = [stream(1.0, certified=False), stream(6.0), stream(40.0, num_points=10**8)]
    shown = written(tmp_path, stream_tables.write_hosts, streams)
    assert "in 40.0 s" in shown
    assert "0.4 s for a million points" in shown
    assert row_that_begins(shown, 1) == ["1", "1,000,000,000", "400", "0.0"]
    # 3 other hosts, each 16 KiB, 1,600 points of 208 bytes, and three rounds of 400 places.
    assert row_that_begins(shown, 4) == ["4", "250,000,000", "100", f"{3 * (16_384 + 208 * 2_800) / 1e6:.1f}"]


def test_every_stream_that_is_stored_is_a_row(tmp_path):
    shown = written(tmp_path, stream_tables.write_measured, [stream(6.0), stream(2.2, certified=False)])
    assert [line.split(" | ")[4:7] for line in shown.splitlines()[2:]] == [["6.0", "3.0", "yes"], ["2.2", "1.1", "no"]]


def test_the_page_says_how_much_processes_send():
    page = page_of("docs/streams.md")
    assert f"{4 * candidates._NUM_BINS // 1024} KiB of counts" in page
    assert 4 * candidates._NUM_BINS == stream_tables.BYTES_OF_COUNTS
    assert f"`max({stream_passes._SAMPLE}, {stream_passes._SAMPLE_PER_PICK} b)` points" in page
    assert f"`{contest._CONTENDERS_PER_PICK} b` places for winners" in page


def test_the_stages_of_a_round_add_up(tmp_path):
    stages = [
        {
            "case": f"round, {stage}",
            "seconds": seconds,
            "compile_seconds": 3.0,
            "torch_form": "plain",
            "trial": {"plain": 1.0, "vmap": 2.0},
            "torch_seconds": torch,
            "torch_compile_seconds": 0.0,
            "device": "cpu",
        }
        for stage, seconds, torch in (("train", 50.0, 100.0), ("predict", 30.0, 20.0), ("acquire", 0.1, 0.2))
    ]
    stages += [stage | {"device": "gpu", "seconds": 1.0} for stage in stages]
    for name in ("torch_form", "torch_seconds", "torch_compile_seconds"):
        del stages[-1][name]
    stages.append(stages[0] | {"case": "experiment, reduced", "rounds": 19, "seconds": 200.0, "trial": {}})
    shown = written(tmp_path, speed_table.write_round, stages)
    assert "| plain | plain; vmap |" in re.sub(r" +", " ", shown)
    assert row_that_begins(shown, "prediction", "cpu")[2:6] == ["30", "20", "1.50", "plain"]
    assert row_that_begins(shown, "acquisition", "gpu")[2:6] == ["1", "", "", ""]
    assert row_that_begins(shown, "the round", "cpu")[2:5] == ["80.1", "120", "0.67"]
    assert row_that_begins(shown, "the round", "gpu")[2:5] == ["2", "120", "0.02"]
    whole = row_that_begins(shown, "19 rounds of the reduced experiment", "cpu")
    assert whole[2:7] == ["200", "100", "2.00", "plain", "plain"]


def test_times_on_pools_of_one_size_stand_beside_one_another(tmp_path):
    row = {"case": "lbb", "pairs": "chi2", "N": 49_980, "K": 5, "C": 10, "b": 10, "device": "cpu"}
    rows = [
        row | {"pool": pool, "milliseconds": milliseconds, "ratio_to_bald": ratio}
        for pool, milliseconds, ratio in (("generated", 20.0, 2.0), ("dirichlet", 31.25, 2.5))
    ]
    shown = written(tmp_path, speed_table.write_structures, rows)
    assert shown.splitlines()[0] == "| method | b | generated | random Dirichlet |"
    assert row_that_begins(shown, 'LBB (pairwise), `pairs="chi2"`')[1:] == ["10", "20.0 (2.0)", "31.2 (2.5)"]
