"""Shows what the tests notice: small changes of the code, one at a time, and whether a test fails.

    python tests/mutants/mutants.py draw --count=120 --output=tests/mutants/mutants.jsonl
    python tests/mutants/mutants.py run tests/mutants/mutants.jsonl --output=caught.jsonl

``draw`` lists changes, drawn from a seed, of the modules in `TESTS`. ``run`` makes each in a copy of the tracked files
and runs the module's tests in `TESTS` there until one fails: the quick ones and, where they all pass, the slow ones,
unless ``--quick`` leaves these out. A run that is stopped goes on where it was. What these tests miss, the others may
still catch.
"""

import argparse
import ast
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 600
MARKS = {"quick": "not slow and not soak and not fuzz", "slow": "slow and not soak and not fuzz"}
KINDS = tuple(MARKS)
# By module: the test files that are about it.
TESTS = {
    "entropy": ("entropy", "information", "information_precision"),
    "information": ("information", "information_precision", "entropy"),
    "relative_entropy": ("information_precision", "information"),
    "chi_squared": ("chi_squared", "acquisition_lazy_greedy"),
    "label_configurations": ("label_configurations", "entropy", "acquisition_batch_bald", "acquisition_epig"),
    "labelled_set": ("labelled_set", "loop"),
    "loop": ("loop", "seeds", "experiment"),
    "acquisition/batch_bald": ("acquisition_batch_bald", "acquisition_lazy_greedy", "acquisition_contract"),
    "acquisition/candidates": ("acquisition_streaming",),
    "acquisition/checks": ("acquisition_acquire", "arguments"),
    "acquisition/epig": ("acquisition_epig", "acquisition_contract"),
    "acquisition/exponential_race": ("acquisition_exponential_race", "acquisition_sampling"),
    "acquisition/greedy": ("acquisition_greedy", "acquisition_contract"),
    "acquisition/log_det": ("acquisition_log_det", "acquisition_contract"),
    "acquisition/pointwise": ("acquisition_contract", "acquisition_sampling", "acquisition_acquire"),
    "acquisition/registry": ("acquisition_acquire", "extending", "arguments", "acquisition_streaming", "loop"),
    "acquisition/sampling": ("acquisition_sampling", "acquisition_contract"),
    "acquisition/streaming": ("acquisition_streaming",),
    "experiment/build": ("build", "extending"),
    "experiment/drivers": ("experiment",),
    "experiment/runner": ("experiment", "run_folder"),
}
_OPPOSITES = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "&": "|",
    "|": "&",
    "and": "or",
    "or": "and",
    "not in": "in",
    "is not": "is",
    "is": "is not",
    "in": "not in",
}
_WORDS = {
    "maximum": "minimum",
    "minimum": "maximum",
    "argmax": "argmin",
    "max": "min",
    "min": "max",
    "any": "all",
    "all": "any",
    "log": "log1p",
    "True": "False",
    "False": "True",
}


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="list changes")
    drawing.add_argument("--count", type=int, default=120)
    drawing.add_argument("--seed", type=int, default=0)
    running = commands.add_parser("run", help="make each change and run the tests")
    running.add_argument("mutants", type=Path)
    running.add_argument("--quick", action="store_true", help="leave out the slow tests")
    for command in (drawing, running):
        command.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "draw":
        lines = [json.dumps(mutant) for mutant in draw(arguments.count, arguments.seed)]
        arguments.output.write_text("\n".join(lines) + "\n")
    else:
        mutants = [json.loads(line) for line in arguments.mutants.read_text().splitlines()]
        run_all(mutants, arguments.output, KINDS[:1] if arguments.quick else KINDS)


def draw(count: int, seed: int) -> list[dict[str, str]]:
    """Changes of all modules in turn, so that a small module has as many as a large one while it has any."""
    generator = random.Random(seed)
    left = {}
    for module in TESTS:
        left[module] = sorted(changes(module), key=str)
        generator.shuffle(left[module])
    drawn: list[dict[str, str]] = []
    while len(drawn) < count and any(left.values()):
        drawn += [left[module].pop() for module in TESTS if left[module]]
    return drawn[:count]


def changes(module: str) -> Iterator[dict[str, str]]:
    """All changes of a module: each one's line, and what takes its place. A line that is there twice has none."""
    source = (ROOT / f"lbb_jax/{module}.py").read_text()
    lines = source.splitlines()
    repeated = {line for line, times in collections.Counter(lines).items() if times > 1}
    for number, start, end, new in _places(ast.parse(source), lines):
        line = lines[number - 1]
        changed = line[:start] + new + line[end:]
        if line not in repeated and _is_code([*lines[: number - 1], changed, *lines[number:]]):
            yield {"module": module, "line": line, "becomes": changed}


def _is_code(lines: list[str]) -> bool:
    try:
        ast.parse("\n".join(lines))
    except SyntaxError:
        return False
    return True


def _places(tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, int, int, str]]:
    """Where code can be changed: line number, first and last column, new text."""
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for field in ("annotation", "returns")
        if isinstance(getattr(node, field, None), ast.AST)
        for inner in ast.walk(getattr(node, field))
    }
    for node in ast.walk(tree):
        if id(node) in annotations:
            continue
        match node:
            case ast.Constant(value=bool(value)):
                yield node.lineno, node.col_offset, node.end_col_offset or 0, str(not value)
            case ast.Constant(value=int(value)):
                yield node.lineno, node.col_offset, node.end_col_offset or 0, str(value + 1)
            case ast.BinOp(left=before, right=after) | ast.Compare(left=before, comparators=[after]):
                yield from _operator(before, after, lines)
            case ast.BoolOp(values=[before, after, *_]):
                yield from _operator(before, after, lines)
            case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub()):
                yield node.lineno, node.col_offset, node.operand.col_offset, ""
            case ast.Attribute(attr=word) if word in _WORDS and node.end_col_offset:
                yield node.end_lineno or 0, node.end_col_offset - len(word), node.end_col_offset, _WORDS[word]
            case ast.Raise():
                if node.lineno == node.end_lineno:
                    yield node.lineno, node.col_offset, node.end_col_offset or 0, "pass"


def _operator(before: ast.expr, after: ast.expr, lines: list[str]) -> Iterator[tuple[int, int, int, str]]:
    """The operator between two operands, where both are on one line."""
    if before.end_lineno != after.lineno or before.end_col_offset is None:
        return
    between = lines[after.lineno - 1][before.end_col_offset : after.col_offset]
    operator = between.strip(" ()")
    if operator in _OPPOSITES:
        start = before.end_col_offset + between.index(operator)
        yield after.lineno, start, start + len(operator), _OPPOSITES[operator]


def run_all(mutants: list[dict[str, str]], output: Path, kinds: Sequence[str]) -> None:
    """Notes for each change which tests caught it, and how long they took; prints the share in the end."""
    done = [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        _copy_tracked_files(copy)
        for place, mutant in enumerate(mutants[len(done) :], start=len(done) + 1):
            began = time.monotonic()
            caught = _caught_by(mutant, copy, kinds)
            done.append({**mutant, "caught": caught, "seconds": round(time.monotonic() - began)})
            with output.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(f"{place}/{len(mutants)} {mutant['module']}: {caught}", flush=True)
    counts = collections.Counter(mutant["caught"] for mutant in done)
    tried = len(done) - counts["not there"]
    total = 0
    for kind in kinds:
        total += counts[kind]
        print(f"{total} of {tried} changes ({total / tried:.0%}) are caught, the {kind} tests included")


def _copy_tracked_files(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name, follow_symlinks=False)


def _caught_by(mutant: dict[str, str], folder: Path, kinds: Sequence[str]) -> str:
    """``quick`` or ``slow`` tests, ``nothing``; ``not there`` for a line that the code does not have once."""
    module = folder / f"lbb_jax/{mutant['module']}.py"
    source = module.read_text() if module.exists() else ""
    if source.split("\n").count(mutant["line"]) != 1:
        return "not there"
    module.write_text("\n".join(mutant["becomes"] if line == mutant["line"] else line for line in source.split("\n")))
    try:
        paths = [folder / f"tests/test_{name}.py" for name in TESTS[mutant["module"]]]
        paths = [str(path) for path in paths if path.exists()]
        return next((kind for kind in kinds if not _pass(paths, MARKS[kind], folder)), "nothing")
    finally:
        module.write_text(source)


def _pass(paths: list[str], marks: str, folder: Path) -> bool:
    """Whether the tests pass in the time that they have."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", marks, *paths]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Most mutants compile the same programs, so they share a cache.
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "mutants"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False
    # 5: there is no test of this kind.
    return done.returncode in (0, 5)


if __name__ == "__main__":
    main()
