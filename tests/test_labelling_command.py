"""The command lbb-jax: what it prints and writes, its errors, and what it does not wait for."""

import csv
import errno
import json
import os
import re
import subprocess
import sys
import zipfile

import jax
import numpy as np
import pytest
from labelling_projects import CLASSES, fill_in, ids_of, predictions, run_process

from lbb_jax import acquisition, labelling
from lbb_jax.labelling import command

COUNT = 12


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with a project of 12 ids and files of predictions."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids.txt").write_text("\n".join(ids_of(COUNT)) + "\n")
    np.save("log_probs.npy", predictions(COUNT))
    np.save("probs.npy", np.exp(predictions(COUNT)))
    np.savez("rows.npz", probs=np.exp(predictions(COUNT)), ids=np.array(ids_of(COUNT)))
    assert command.main(["create", "pool", "--ids=ids.txt", "--classes=cat,dog,cow"]) == 0
    return tmp_path


@pytest.fixture
def run(capsys):
    """A function that runs the command in this process and returns what it printed."""

    def run(*arguments, status=0):
        capsys.readouterr()
        try:
            code = command.main(list(arguments))
        except SystemExit as exit:
            code = exit.code
        output = capsys.readouterr()
        assert code == status, output
        assert "Traceback" not in output.err
        return output.out if status == 0 else output.err

    return run


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


ASK = ("ask", "pool", "log_probs.npy", "--method=bald", "--batch-size=3")


def test_a_batch_is_asked_filled_in_and_told(folder, run):
    assert run(*ASK).strip() == "3 points to label: pool/batches/0001.csv"
    ids = [row["id"] for row in rows_of("pool/batches/0001.csv")]
    fill_in("pool/batches/0001.csv", {ids[0]: "cat", ids[1]: "SKIP"})
    assert run("tell", "pool", "pool/batches/0001.csv") == ("2 told, 0 corrected, 0 as before\n1 points are pending\n")
    fill_in("pool/batches/0001.csv", {ids[0]: "dog", ids[2]: "cow"})
    assert run("tell", "pool", "pool/batches/0001.csv") == (
        f"1 told, 1 corrected, 1 as before\n  {ids[0]}: cat, corrected to dog\n0 points are pending\n"
    )
    assert run("labels", "pool") == f"id,label\n{ids[0]},dog\n{ids[2]},cow\n"
    run("labels", "pool", "--output=labels.csv")
    assert [row["label"] for row in rows_of("labels.csv")] == ["dog", "cow"]
    lines = run("status", "pool").splitlines()
    assert lines[:4] == [
        "labelled   2 of 12: cat 0, dog 1, cow 1",
        "pending    0",
        "skipped    1",
        "left       9",
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_make_of_a_batch_is_read(folder, run, separator):
    run(*ASK)
    rows = rows_of("pool/batches/0001.csv")
    lines = [separator.join(["id", "score", "label", "", ""])]
    lines += [separator.join([row["id"], row["score"], " cat ", ""]) for row in rows]
    text = "\ufeff" + "\r\n".join([*lines, "", separator * 4]) + "\r\n"
    (folder / "excel.csv").write_bytes(text.encode())
    assert run("tell", "pool", "excel.csv").startswith("3 told")
    assert labelling.open("pool").status().by_class["cat"] == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,label\nimg_1,cat\nimg_2,cta\n", "row 3, column label: 'cta' is no class"),
        (b"id,label\nimg_1,cat\nimg_77,cat\n", "row 3, column id: 'img_77' is no id"),
        (b"id,label\nimg_77,x\nimg_2,cta\n", r"row 2, column id: .* \(and 1 more rows are wrong\)"),
        (b"id,label\nimg_1,cat\nimg_1,dog\n", "row 3, column label: 'img_1' has another label further up"),
        (b"id,label\nimg_1,cat,\nimg_2,cat,dog\n", "row 3: has 3 fields where there are 2 columns"),
        (b"name,label\nimg_1,cat\n", "has no column 'id'; its columns are 'name', 'label'"),
        (b"id,label, label\nimg_1,cat,dog\n", "has the column 'label' more than once; leave one"),
        (b"", "has no column 'id'"),
        (b'id,label\n"img_1,cat\n', "is no row of a CSV file"),
        ("id,label\nimg_1,cat\n".encode("utf-16"), "is not in UTF-8"),
    ],
)
def test_a_wrong_file_changes_nothing_and_names_the_place(folder, run, content, message):
    (folder / "wrong.csv").write_bytes(content)
    error = run("tell", "pool", "wrong.csv", status=1)
    assert len(error.splitlines()) == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(error)
    assert not (folder / "pool" / "log.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["ask", "pool", "probs.npy"], 1, "holds probabilities, not their logarithms; add --probabilities"),
        (["ask", "pool", "nowhere.npy"], 1, "PREDICTIONS=nowhere.npy: there is no such file"),
        (["ask", "pool", "ids.txt"], 1, "cannot be read as a .npy file"),
        (["ask", "pool", "objects.npz"], 1, "cannot be read as an .npz file of arrays that are not objects"),
        (["ask", "pool", "log_probs.npy", "--batch-size=99"], 1, "batch_size=99: only 12 points are left"),
        (["ask", "pool", "log_probs.npy", "--batch-size=many"], 2, "invalid int value: 'many'"),
        (["ask", "pool", "log_probs.npy", "--method=no_such", "--batch-size=3"], 1, "no_such"),
        (["ask", "pool", "log_probs.npy", "--alhpa=1", "--batch-size=3"], 1, "alhpa"),
        (["ask", "pool", "log_probs.npy", "--alpha", "1"], 1, "options of a method are written --name=value"),
        (["ask", "pool", "log_probs.npy", "--batch_size=3"], 1, "--batch_size=3: is no option of a method; write --b"),
        (["ask", "pool", "log_probs.npy", "--available=f.npy"], 1, "is no option of a method; see lbb-jax ask --help"),
        (["ask", "pool", "log_probs.npy", "--key=1"], 1, "--key=1: is no option of a method"),
        (["acquire", "log_probs.npy", "--output=a.csv", "--log_probs=1"], 1, "see lbb-jax acquire --help"),
        (["ask", "pool", "log_probs.npy", "--ids=short.txt"], 1, "short.txt: has 2 ids for the 12 rows"),
        (["ask", "pool", "log_probs.npy", "--renew-batches=x"], 1, "must be numbers, such as 3,4"),
        (["ask", "pool", "log_probs.npy", "--renew", "--renew-batches=2"], 1, "--renew-batches=2: --renew withdraws"),
        (["ask", "pool", "number.npy"], 1, "number.npy: log_probs has shape (): must be [N, K, C]"),
        (["acquire", "number.npy", "--output=a.csv"], 1, "number.npy: log_probs has shape (): must be [N, K, C]"),
        (["acquire", "flat.npz", "--output=a.csv"], 1, "flat.npz: probs has shape (12, 3): must be [N, K, C]"),
        (["ask", "pool", "several.npz"], 1, "holds the arrays 'a', 'b'"),
        (
            ["ask", "pool", "log_probs.npy", "--ids=twice.txt"],
            1,
            "--ids=twice.txt: ids: 'a' stand there more than once",
        ),
        (["create", "new", "--ids=twice.txt", "--classes=a,b"], 1, "--ids=twice.txt: ids: 'a' stand there more than"),
        (["create", "new", "--ids=ids.txt", "--classes=a,a"], 1, "classes: 'a' stand there more than once"),
        (["ask", "pool", "one_id.npz"], 1, "one_id.npz: ids=3: must be several"),
        (["ask", "pool", "one_class.npz"], 1, "one_class.npz: classes=3: must be several"),
        (["status", "nowhere"], 1, "nowhere: is no labelling project"),
        (["status", "pool", "--verbose"], 2, "unrecognized arguments: --verbose"),
        (["create", "pool", "--ids=ids.txt", "--classes=a,b"], 1, "is a project already"),
        (["create", "new", "--ids=ids.txt", "--classes=a"], 1, "must be at least two"),
        (["create", "new", "--ids=ids.txt"], 2, "--classes"),
        (["acquire", "log_probs.npy", "--output=batch.txt"], 1, "--output=batch.txt: must end in .csv"),
        (["acquire", "log_probs.npy"], 2, "--output"),
        (
            ["acquire", "log_probs.npy", f"--seed={2**64}", "--output=a.csv"],
            1,
            f"seed={2**64}: must be an integer from",
        ),
        ([], 2, "COMMAND"),
        (["nonsense"], 2, "invalid choice: 'nonsense'"),
    ],
)
def test_errors_say_what_is_wrong(folder, run, arguments, status, message):
    (folder / "short.txt").write_text("img_0\nimg_1\n")
    np.save("number.npy", np.array(0.0))
    np.savez("flat.npz", probs=np.exp(predictions(COUNT)[:, 0]))
    (folder / "twice.txt").write_text("a\na\n")
    np.savez("one_id.npz", log_probs=predictions(COUNT), ids=np.array(3))
    np.savez("one_class.npz", log_probs=predictions(COUNT), classes=np.array(3))
    np.savez("several.npz", a=np.zeros(1), b=np.zeros(1))
    np.savez("objects.npz", probs=np.exp(predictions(COUNT)), ids=np.array(ids_of(COUNT), dtype=object))
    error = run(*arguments, status=status)
    assert message in error
    assert not (folder / "pool" / "log.jsonl").exists()


def test_a_damaged_file_of_predictions_is_named(folder, run):
    whole = (folder / "log_probs.npy").read_bytes()
    np.savez_compressed("compressed.npz", probs=np.zeros((COUNT, 2, 3)), ids=np.arange(COUNT))
    packed = (folder / "compressed.npz").read_bytes()
    (folder / "compressed.npz").write_bytes(packed[:60] + bytes([255]) * 40 + packed[100:])
    (folder / "bracket.npy").write_bytes(whole.replace(b"}", b"(", 1))
    (folder / "single.npz").write_bytes(whole)
    with zipfile.ZipFile("no_array.npz", "w") as archive:
        archive.writestr("notes.txt", "mine")
    for name in ("compressed.npz", "bracket.npy", "single.npz", "no_array.npz"):
        error = run("acquire", name, "--output=b.csv", status=1)
        assert f"PREDICTIONS={name}: cannot be read as a" in error
        assert len(error.splitlines()) == 1


def test_acquire_picks_what_the_function_picks(folder, run):
    run(
        "acquire",
        "probs.npy",
        "--probabilities",
        "--method=lbb",
        "--redundancy=tree",
        "--batch-size=4",
        "--output=b.csv",
    )
    picks = acquisition.acquire(
        jax.random.key(0), predictions(COUNT), method="lbb", redundancy="tree", batch_size=4
    ).indices
    assert [row["id"] for row in rows_of("b.csv")] == [str(index) for index in picks]


def test_acquire_leaves_out_what_is_labelled_or_pending(folder, run):
    (folder / "labelled.txt").write_text("0\n5\n")
    (folder / "pending.csv").write_text("id,score,label\n7,0.1,\n")
    arguments = ("--method=bald", "--labelled=labelled.txt", "--pending=pending.csv", "--batch-size=9")
    run("acquire", "log_probs.npy", *arguments, "--output=by_number.csv")
    assert {int(row["id"]) for row in rows_of("by_number.csv")} == set(range(COUNT)) - {0, 5, 7}
    (folder / "labelled.txt").write_text("img_0\nimg_5\n")
    (folder / "pending.csv").write_text("id,score,label\nimg_7,0.1,\n")
    run("acquire", "rows.npz", *arguments, "--output=by_id.csv")
    assert [row["id"] for row in rows_of("by_id.csv")] == [f"img_{row['id']}" for row in rows_of("by_number.csv")]
    error = run("acquire", "log_probs.npy", *arguments, "--output=wrong.csv", status=1)
    assert "--labelled=labelled.txt: names 'img_0', 'img_5'; must be row numbers from 0 to 11" in error
    assert not (folder / "wrong.csv").exists()


def test_acquire_leaves_out_the_points_of_all_files(folder, run):
    run("acquire", "log_probs.npy", "--method=bald", "--batch-size=4", "--output=first.csv")
    (folder / "labelled.txt").write_text("\n".join(row["id"] for row in rows_of("first.csv")[:2]))
    (folder / "more.txt").write_text("\n".join(row["id"] for row in rows_of("first.csv")[2:3]))
    arguments = ("--labelled=labelled.txt", "--labelled=more.txt", "--pending=first.csv", "--batch-size=8")
    run("acquire", "log_probs.npy", "--method=bald", *arguments, "--output=second.csv")
    picked = [{row["id"] for row in rows_of(name)} for name in ("first.csv", "second.csv")]
    assert picked[1] == {str(row) for row in range(COUNT)} - picked[0]


def test_acquire_overwrites_no_labels_and_nothing_that_it_reads(folder, run):
    arguments = ("acquire", "log_probs.npy", "--method=bald", "--batch-size=2")
    run(*arguments, "--output=batch.csv")
    run(*arguments, "--output=batch.csv")
    asked = (folder / "batch.csv").read_text()
    for output in ("batch.csv", folder / "batch.csv", "pool/../batch.csv"):
        error = run(*arguments, "--pending=batch.csv", f"--output={output}", status=1)
        assert f"--output={output}: is the file of --pending, too; name another" in error
    assert (folder / "batch.csv").read_text() == asked
    (folder / "batch.csv").write_text(asked.replace(",\n", ",cat\n"))
    labelled = (folder / "batch.csv").read_text()
    error = run(*arguments, "--output=batch.csv", status=1)
    assert "--output=batch.csv: holds 2 labels, which would be lost; name another file" in error
    assert (folder / "batch.csv").read_text() == labelled
    (folder / "notes.csv").write_text("mine\n1\n")
    assert "--output=notes.csv: exists and is no batch" in run(*arguments, "--output=notes.csv", status=1)


def test_arrays_are_options_by_their_files(folder, run):
    embeddings = np.random.default_rng(0).normal(size=(COUNT, 2)).astype(np.float32)
    np.save("embeddings.npy", embeddings)
    run(*ASK[:3], "--method=core_set", "--embeddings=embeddings.npy", "--batch-size=3")
    picks = acquisition.acquire(
        jax.random.fold_in(jax.random.key(0), 1),
        predictions(COUNT),
        **{"method": "core_set", "embeddings": embeddings, "batch_size": 3},
    )
    assert [row["id"] for row in rows_of("pool/batches/0001.csv")] == [f"img_{row}" for row in picks.indices]
    (event,) = [json.loads(line) for line in (folder / "pool" / "log.jsonl").read_text().splitlines()]
    assert event["options"] == {"embeddings": "array of shape (12, 2)"}


def test_a_terminal_without_unicode_shows_any_id(tmp_path):
    (tmp_path / "ids.txt").write_text("猫\n犬\n", encoding="utf-8")
    assert run_process("create", tmp_path / "pool", f"--ids={tmp_path / 'ids.txt'}", "--classes=a,b").returncode == 0
    (tmp_path / "labels.csv").write_text("id,label\n猫,a\n", encoding="utf-8")
    run_process("tell", tmp_path / "pool", tmp_path / "labels.csv")
    words = [sys.executable, "-m", "lbb_jax", "labels", str(tmp_path / "pool")]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    shown = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert (shown.returncode, shown.stdout) == (0, "id,label\n\\u732b,a\n"), shown.stderr


def test_what_picks_nothing_imports_neither_jax_nor_numpy(folder, tmp_path):
    (folder / "labels.csv").write_text("id,label\nimg_1,cat\n")
    program = (
        "import json, sys\n"
        "from lbb_jax.labelling import command\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    try:\n"
        "        code = command.main(arguments)\n"
        "    except SystemExit as exit:\n"
        "        code = exit.code\n"
        "    assert code == 0, arguments\n"
        "    assert not {'jax', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules), arguments\n"
    )
    commands = [
        ["--help"],
        ["ask", "--help"],
        ["create", "new", "--ids=ids.txt", "--classes=a,b"],
        ["add", "new", "--ids=ids.txt"],
        ["tell", "pool", "labels.csv"],
        ["status", "pool"],
        ["labels", "pool"],
    ]
    result = subprocess.run([sys.executable, "-c", program, json.dumps(commands)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_package_offers_what_it_offered(folder):
    program = (
        "import lbb_jax; print(lbb_jax.__version__, lbb_jax.entropy.__name__, sorted(lbb_jax.__all__), dir(lbb_jax))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "lbb_jax.entropy ['acquisition', 'entropy', 'information']" in shown
    with pytest.raises(ImportError, match="nonsense"):
        from lbb_jax import nonsense  # noqa: F401


def test_classes_may_stand_in_a_file(folder, run):
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    run("create", "new", "--ids=ids.txt", "--classes=@classes.txt")
    assert labelling.open("new").classes == CLASSES


def test_classes_and_ids_are_added(folder, run):
    assert "cat, dog, cow, fox" in run("add", "pool", "--classes=fox,dog")
    (folder / "more.txt").write_text("img_0\nimg_99\n")
    printed = run("add", "pool", "--ids=more.txt", "--classes=owl")
    assert "1 ids added; 1 were there already" in printed
    assert labelling.open("pool").classes == [*CLASSES, "fox", "owl"]
    assert "give --ids, --classes or both" in run("add", "pool", status=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "arguments"),
    [("filelock", ["--help"]), ("matplotlib.figure", ["status", "pool", "--plot=status.png"])],
)
def test_a_missing_extra_is_named_without_a_traceback(folder, missing, arguments):
    # What stands in sys.modules as None is not found by import.
    program = f"import sys; sys.modules[{missing!r}] = None; from lbb_jax.__main__ import main; sys.exit(main())"
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.strip().endswith(f"{missing} is not installed: pip install 'lbb_jax[labelling]'")
    assert "Traceback" not in result.stderr


def test_a_method_of_ones_own_stands_in_the_current_folder(folder, run, monkeypatch):
    # As for an installed command, whose path does not begin with the current folder.
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(folder))])
    (folder / "method_here.py").write_text(
        "import jax.numpy as jnp\nfrom lbb_jax import acquisition\n\n"
        "def last(key, log_probs, available, *, batch_size, step=1):\n"
        "    scores = step * jnp.arange(len(log_probs), dtype='float32')\n"
        "    return acquisition.pick_by_score(key, scores, available, batch_size=batch_size, sampling='top')\n"
    )
    run("acquire", "log_probs.npy", "--method=method_here:last", "--step=-1", "--batch-size=2", "--output=own.csv")
    assert [row["id"] for row in rows_of("own.csv")] == ["0", "1"]


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_asked(folder, run, monkeypatch):
    (folder / "pool" / "label-studio.xml").write_text("as it was")
    run(*ASK, "--method=nosuch", "--format=label-studio", status=1)
    assert (folder / "pool" / "label-studio.xml").read_text() == "as it was"
    (folder / "pool" / "label-studio.xml").unlink()
    (folder / "pool" / "label-studio.xml").mkdir()
    error = run(*ASK, "--format=label-studio", status=1)
    assert "pool/label-studio.xml: cannot be written (Is a directory)" in error
    assert labelling.open("pool").status().asked == 0

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    for arguments in (("labels", "pool"), ("acquire", "log_probs.npy", "--method=bald", "--batch-size=2")):
        error = run(*arguments, "--output=out.csv", status=1)
        assert "out.csv: cannot be written (No space left on device)" in error


def test_what_cannot_be_shown_is_reported_and_a_closed_pipe_is_not(folder):
    words = [sys.executable, "-m", "lbb_jax", "status", "pool"]
    with open("/dev/full", "w") as full:
        result = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1
    assert re.fullmatch(r"lbb-jax status: .*No space left on device.*\n", result.stderr), result.stderr
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")


def test_a_method_of_ones_own_that_is_wrong_is_named(folder, run):
    (folder / "wrong_methods.py").write_text(
        "import jax.numpy as jnp\nfrom lbb_jax import acquisition\n\n"
        "def fails(key, log_probs, available, *, batch_size):\n"
        "    return 1 // 0\n\n"
        "def picks(key, log_probs, available, *, batch_size, first=0, second=0):\n"
        "    indices = jnp.array([first, second])\n"
        "    return acquisition.Acquisition(indices, jnp.zeros(2))\n"
    )
    (folder / "labelled.txt").write_text("3\n")
    for words in (("acquire", "log_probs.npy", "--output=b.csv"), ASK[:3]):
        arguments = (*words, "--batch-size=2")
        error = run(*arguments, "--method=wrong_methods:fails", status=1)
        assert "method='wrong_methods:fails': fails at " in error
        assert "wrong_methods.py, line 5 (ZeroDivisionError" in error
        error = run(*arguments, "--method=wrong_methods:fails", "--alhpa=1", status=1)
        assert "alhpa=1: method 'fails' has no options" in error
        assert "fails at" not in error
        for first, message in (
            (0, r"indices \[0, 0\]; must be distinct"),
            (-1, r"\[-1\]; .* 0 to 11"),
            (10**6, "1000000"),
        ):
            error = run(*arguments, "--method=wrong_methods:picks", f"--first={first}", status=1)
            assert re.search(message, error)
    wrong = ("--method=wrong_methods:picks", "--first=3", "--batch-size=2", "--labelled=labelled.txt")
    error = run("acquire", "log_probs.npy", *wrong, "--output=b.csv", status=1)
    assert "returned the indices [3]" in error
    assert not (folder / "pool" / "log.jsonl").exists()
    assert not (folder / "b.csv").exists()
