"""The command ``lbb-jax``: which points to label next, from files of predictions.

JAX and NumPy are imported only where points are picked, so that the other commands start quickly.
"""

import argparse
import ast
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lbb_jax import csv_tables, files, labelling, paths, references
from lbb_jax.extras import MissingExtraError, needs
from lbb_jax.labelling import label_studio, tables
from lbb_jax.labelling.errors import LabellingError, first_of
from lbb_jax.labelling.project import FORMATS, Project, Told, check_seed

_EPILOG = """\
an example:
  lbb-jax create pool --ids=ids.txt --classes=cat,dog
  lbb-jax ask pool predictions.npz --method=power_lbb --batch-size=32
  (fill in the column label of pool/batches/0001.csv; SKIP where a point cannot be labelled)
  lbb-jax tell pool pool/batches/0001.csv
  lbb-jax status pool
"""
_PREDICTIONS = """\
predictions are log-probabilities [points, draws, classes]: a .npy file, or an .npz file with one such array (probs for
probabilities) and, if wanted, ids and classes beside it. A draw is one member of an ensemble or one dropout mask, the
same for all points. Further options are those of the method: --alpha=1, --redundancy=tree, --embeddings=FILE.npy.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status: 0, 1 for wrong input, 2 for wrong usage."""
    # An id may hold what a terminal cannot show.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    options, others = parser.parse_known_args(arguments)
    try:
        if options.takes_options:
            options.options = _method_options(others, options)
        elif others:
            options.parser.error(f"unrecognized arguments: {' '.join(others)}")
        # An installed command does not look for modules in the current folder.
        references.add_folder(Path.cwd())
        # Pictures and intervals need more than what is imported above.
        with needs("labelling"):
            options.run(options)
        # Here, and not at the end of the process, where nothing can be said of what cannot be shown.
        print(end="", flush=True)
    except (ValueError, TypeError, MissingExtraError) as error:
        print(f"lbb-jax {options.name}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        _drop_output()
        if not isinstance(error, BrokenPipeError):
            print(f"lbb-jax {options.name}: {error}; what was written before is kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"lbb-jax {options.name}: stopped; what was written before is kept", file=sys.stderr)
        return 130
    return 0


def _drop_output() -> None:
    """Discards what was printed and cannot be shown, which would be tried again at the end of the process."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(path: Path, content: str | bytes) -> None:
    """Raises LabellingError if the file cannot be written."""
    try:
        files.atomic_write(path, content)
    except OSError as error:
        raise LabellingError(
            f"{path}: cannot be written ({error.strerror}); name another place, make room, or remove what is in its way"
        ) from error


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "lbb-jax", description="Which points should be labelled next?", epilog=_EPILOG, formatter_class=raw
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        name: str, run: Callable[..., None], summary: str, *, of_project: bool = True, **settings: Any
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=summary, description=summary, formatter_class=raw, allow_abbrev=False, **settings
        )
        command.set_defaults(run=run, name=name, parser=command, takes_options="epilog" in settings)
        if of_project:
            command.add_argument("folder", metavar="FOLDER")
        return command

    create = add("create", _create, "make a labelling project in a folder")
    create.add_argument("--ids", required=True, metavar="FILE", help="a text file, an id a line")
    create.add_argument("--classes", required=True, metavar="A,B,...", help="the classes, or @FILE with one a line")

    extend = add("add", _add, "add ids or classes to a project; those that it has are left as they are")
    extend.add_argument("--ids", metavar="FILE", help="a text file, an id a line")
    extend.add_argument("--classes", metavar="A,B,...", help="classes that people have found, or @FILE")

    ask = add("ask", _ask, "pick the next batch and write a file for its labels", epilog=_PREDICTIONS)
    _add_picking(ask)
    ask.add_argument("--subset", action="store_true", help="points may lack a row; they are not picked then")
    ask.add_argument(
        "--audit", type=float, default=0.0, metavar="SHARE", help="share of random points, to test the model"
    )
    ask.add_argument("--renew", action="store_true", help="withdraw all that is pending first")
    ask.add_argument("--renew-batches", metavar="N,N,...", help="withdraw what is pending in these batches first")
    ask.add_argument("--format", choices=FORMATS, default="csv", help="what to write (default: csv)")
    ask.add_argument("--data", metavar="FILE", help="CSV with what Label Studio shows: id and text, image or others")

    tell = add("tell", _tell, "record labels, of a batch or a part; telling a label again corrects it")
    tell.add_argument("labels", metavar="LABELS", help="CSV with the columns id and label, or an export")
    tell.add_argument("--format", choices=FORMATS, default="csv", help="what to read (default: csv)")

    labels = add("labels", _labels, "write all labels as CSV, with the columns id and label")
    labels.add_argument("--without-audit", action="store_true", help="leave out the points that test the model")
    labels.add_argument("--output", metavar="FILE", help="the file to write (default: print)")

    status = add("status", _status, "labelled, pending, skipped, and whether to stop")
    status.add_argument("--plot", metavar="FILE", help="also draw the status, to a .png, .pdf or .svg file")

    summary = "pick points from a file of predictions, without a project"
    acquire = add("acquire", _acquire, summary, of_project=False, epilog=_PREDICTIONS)
    _add_picking(acquire)
    for name, kind in (("--labelled", "points that have labels"), ("--pending", "points that are being labelled")):
        acquire.add_argument(
            name,
            action="append",
            default=[],
            metavar="FILE",
            help=f"{kind}, which are not picked: ids or row numbers from 0, one a line, or a batch; may be repeated",
        )
    acquire.add_argument("--output", required=True, metavar="FILE.csv", help="the file, with columns id, score, label")
    return parser


def _add_picking(command: argparse.ArgumentParser) -> None:
    command.add_argument("predictions", metavar="PREDICTIONS", help=".npy or .npz file")
    command.add_argument("--method", default="power_lbb", help="how to pick (default: power_lbb)")
    command.add_argument("--batch-size", type=int, default=32, metavar="N", help="points to pick (default: 32)")
    command.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default: 0)")
    command.add_argument("--probabilities", action="store_true", help="the file holds probabilities")
    command.add_argument("--ids", metavar="FILE", help="the ids of the rows, an id a line")


def _create(options: argparse.Namespace) -> None:
    ids, classes = tables.read_distinct_ids(options.ids, name="--ids"), _classes_in(options.classes)
    project = labelling.create(options.folder, ids=ids, classes=classes)
    print(f"{project.path}: a project of {len(ids):,} ids and {len(classes)} classes")


def _classes_in(text: str) -> list[str]:
    """The classes that ``A,B,...`` or ``@FILE`` names."""
    if text.startswith("@"):
        return tables.read_text_lines(text[1:], name="--classes")
    return [name.strip() for name in text.split(",")]


def _add(options: argparse.Namespace) -> None:
    if options.ids is None and options.classes is None:
        options.parser.error("give --ids, --classes or both")
    project = labelling.open(options.folder)
    if options.ids is not None:
        ids = tables.read_distinct_ids(options.ids, name="--ids")
        count = project.add(ids)
        print(f"{count:,} ids added; {len(ids) - count:,} were there already")
    if options.classes is not None:
        project.add_classes(_classes_in(options.classes))
        print(f"the classes, in the order of the columns of predictions: {', '.join(project.classes)}")


def _ask(options: argparse.Namespace) -> None:
    from lbb_jax.labelling import predictions

    project = labelling.open(options.folder)
    data = None if options.data is None else tables.read_task_data(options.data)
    read = predictions.read(options.predictions, probabilities=options.probabilities, ids=options.ids)
    interface, content = project.path / "label-studio.xml", None
    if options.format == "label-studio":
        columns = ["id"] if data is None else next(iter(data.values()))
        content = label_studio.interface(project.classes, columns)
        # Whether it can be written is known before the batch is logged; what is there stays until then.
        _write(interface, interface.read_bytes() if interface.is_file() else content)
    batch = project.ask(
        read.log_probs,
        **{"method": options.method, "batch_size": options.batch_size, "seed": options.seed},
        **{"ids": read.ids, "classes": read.classes, "subset": options.subset, "audit": options.audit},
        **{"renew": _batches_to_renew(options), "format": options.format, "data": data},
        **options.options,
    )
    print(f"{len(batch.ids)} points to label: {project.batch_path(batch.number)}")
    if content is not None:
        _write(interface, content)
        print(f"the labelling interface for Label Studio: {interface}")


def _batches_to_renew(options: argparse.Namespace) -> bool | list[int]:
    if options.renew_batches is None:
        return options.renew
    if options.renew:
        raise LabellingError(
            f"--renew-batches={options.renew_batches}: --renew withdraws all that is pending; give one of the two"
        )
    try:
        return [int(number) for number in options.renew_batches.split(",")]
    except ValueError:
        raise LabellingError(f"--renew-batches={options.renew_batches}: must be numbers, such as 3,4") from None


def _tell(options: argparse.Namespace) -> None:
    project = labelling.open(options.folder)
    read = tables.read_labels if options.format == "csv" else label_studio.read_export
    told = project.tell(read(options.labels, ids=set(project.ids), classes=project.classes))
    print(_summary(told, project))


def _summary(told: Told, project: Project) -> str:
    lines = [f"{told.new} told, {len(told.corrected)} corrected, {told.unchanged} as before"]
    for id_, (old, new) in told.corrected.items():
        lines.append(f"  {id_}: {tables.shown(old)}, corrected to {tables.shown(new)}")
    return "\n".join([*lines, f"{len(project.pending)} points are pending"])


def _labels(options: argparse.Namespace) -> None:
    project = labelling.open(options.folder)
    text = tables.table(["id", "label"], project.labels(audit=not options.without_audit).items())
    if options.output is None:
        print(text, end="")
    else:
        _write(paths.output_file(options.output, name="--output"), text)


def _status(options: argparse.Namespace) -> None:
    status = labelling.open(options.folder).status()
    print(status)
    if options.plot is not None:
        from lbb_jax.labelling import figure

        output = paths.output_file(options.plot, name="--plot", suffixes=figure.SUFFIXES)
        _write(output, figure.encoded(figure.draw(status), output.suffix.lower()))
        print(f"drawn: {output}")


def _acquire(options: argparse.Namespace) -> None:
    output = paths.output_file(options.output, name="--output", suffixes=[".csv"])
    _check_nothing_is_lost(output, options)
    import jax
    import numpy as np

    from lbb_jax.labelling import picking, predictions

    seed = check_seed(options.seed)
    read = predictions.read(options.predictions, probabilities=options.probabilities, ids=options.ids)
    available = np.ones(len(read.log_probs), bool)
    for name in ("labelled", "pending"):
        for path in getattr(options, name):
            available[_rows_in(path, read.ids, len(available), name=f"--{name}")] = False
    rows, scores = picking.acquire(
        jax.random.key(seed),
        read.log_probs,
        **{"method": options.method, "batch_size": options.batch_size, "available": available},
        options=options.options,
    )
    ids = [str(row) if read.ids is None else read.ids[row] for row in rows.tolist()]
    _write(output, tables.batch_table(ids, picking.scores_as_json(scores)))
    print(f"{len(ids)} points to label: {output}")


def _check_nothing_is_lost(output: Path, options: argparse.Namespace) -> None:
    """Raises LabellingError if the output is a file that is read, or holds anything but a batch without labels."""
    if not output.exists():
        return
    given = f"--output={options.output}"
    for name, read in (("ids", [options.ids]), ("labelled", options.labelled), ("pending", options.pending)):
        # However the two are spelled.
        if any(path is not None and paths.input_file(path, name=f"--{name}").samefile(output) for path in read):
            raise LabellingError(f"{given}: is the file of --{name}, too; name another")
    try:
        rows = csv_tables.read_rows(output, tables.BATCH_COLUMNS, name="--output")
    except csv_tables.TableError as error:
        raise LabellingError(f"{given}: exists and is no batch ({error}); name another file") from error
    num_labels = sum(bool(row["label"]) for _, row in rows)
    if num_labels:
        raise LabellingError(f"{given}: holds {num_labels} labels, which would be lost; name another file")


def _rows_in(path: str, ids: list[str] | None, num_rows: int, *, name: str) -> list[int]:
    """The rows of predictions that a file names: by id where the rows have ids, by number otherwise."""
    rows = {str(row): row for row in range(num_rows)} if ids is None else {id_: row for row, id_ in enumerate(ids)}
    entries = tables.read_ids(path, name=name)
    unknown = [entry for entry in entries if entry not in rows]
    if unknown:
        allowed = f"row numbers from 0 to {num_rows - 1}" if ids is None else "ids of the predictions"
        raise LabellingError(f"{name}={path}: names {first_of(unknown)}; must be {allowed}")
    return [rows[entry] for entry in entries]


def _method_options(arguments: Sequence[str], command: argparse.Namespace) -> dict[str, Any]:
    """``--name=value`` as options of a method: numbers, booleans, text, or the array of a file.

    Args:
      arguments: Those that are none of the command's own.
      command: What was read of these.
    """
    if not arguments:
        return {}
    from lbb_jax import acquisition

    taken = {*inspect.signature(acquisition.acquire).parameters, *inspect.signature(Project.ask).parameters}
    options = {}
    for argument in arguments:
        name, separator, text = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not separator:
            raise LabellingError(f"{argument}: options of a method are written --name=value")
        option = name.replace("-", "_")
        if option in taken:
            is_read = hasattr(command, option)
            remedy = f"write --{option.replace('_', '-')}" if is_read else f"see lbb-jax {command.name} --help"
            raise LabellingError(f"{argument}: is no option of a method; {remedy}")
        options[option] = _value(text, name=f"--{name}")
    return options


def _value(text: str, *, name: str) -> Any:
    if Path(text).suffix in (".npy", ".npz"):
        from lbb_jax.labelling import predictions

        return predictions.read_array(text, name=name)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return number if isinstance(number, int | float) else text
