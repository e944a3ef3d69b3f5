"""Runs tasks in a child process, so that one that kills its process does not take the others with it."""

import multiprocessing
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection

from lbb_jax.errors import exit_in_words
from lbb_jax.json_lines import Record

Groups = Sequence[Sequence[str]]
# The names of tasks with their rows; with None when a task is done.
Progress = Iterator[tuple[str, Record | None]]


def rows(work: Callable[[Groups], Progress], groups: Groups) -> Iterator[Record]:
    """The rows of tasks, each as soon as it is there.

    A child process does the tasks. When it dies, another one goes on. The tasks of the group that it died in are then
    left for the end and done one by one. A task in whose own group a process dies has a row with an error.

    Args:
      work: Does groups of tasks in order. It must be picklable.
      groups: The names of the tasks, in the groups that are done together. Each name is there once.
    """
    left = [list(group) for group in groups]
    while left:
        exit_code = yield from _rows_of_child(work, left)
        if not left:
            return
        killed, *left = left
        if len(killed) > 1:
            left += [[name] for name in killed]
        else:
            yield {"case": killed[0], "error": f"its process ended with {exit_in_words(exit_code)}, see its messages"}


def whole(name: str, rows: Iterable[Record]) -> Progress:
    """The progress of one task that gives ``rows``."""
    for row in rows:
        yield name, row
    yield name, None


def _rows_of_child(work: Callable[[Groups], Progress], left: list[list[str]]) -> Generator[Record, None, int | None]:
    """The rows of one child; removes from ``left`` what it has done, and returns its exit code."""
    # A fork would share the state of the device's driver.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, [*left], sender), daemon=True)
    process.start()
    sender.close()
    while left:
        try:
            name, row = receiver.recv()
        # The second where the child dies while it writes.
        except (EOFError, OSError):
            break
        if row is not None:
            yield row
            continue
        left[0].remove(name)
        if not left[0]:
            del left[0]
    process.join()
    return process.exitcode


def _work(work: Callable[[Groups], Progress], groups: Groups, sender: Connection) -> None:
    """What the child runs."""
    for name_and_row in work(groups):
        sender.send(name_and_row)
