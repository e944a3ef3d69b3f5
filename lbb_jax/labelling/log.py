"""The log of a project: one JSON object a line, appended and flushed to the disk, never rewritten.

An event has happened once its line is whole. A process that is killed while it writes leaves a beginning of a line,
which no reader takes for an event and which the next writer removes.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lbb_jax import files
from lbb_jax.labelling.errors import LabellingError

Event = dict[str, Any]


class Log:
    """The events in the file ``path``, which need not be there yet. Writers hold the project's lock."""

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> list[Event]:
        """All events, oldest first.

        Raises:
          LabellingError: If a line before the last is not an object, or the file cannot be read.
        """
        *lines, rest = self._content().split(b"\n")
        events = [self._parse(line, number) for number, line in enumerate(lines, start=1)]
        last = _parsed(rest)
        return events if last is None else [*events, last]

    def append(self, event: Event) -> Event:
        """Appends ``event`` with the time, and returns it once it is on the disk."""
        event = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **event}
        is_new = not self.path.exists()
        self._end_last_line()
        files.append(self.path, json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n")
        if is_new:
            _sync_folder(self.path.parent)
        return event

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise LabellingError(f"{self.path} cannot be read ({error}); nothing was changed") from error

    def _parse(self, line: bytes, number: int) -> Event:
        event = _parsed(line)
        if event is None:
            raise LabellingError(
                f"{self.path} is damaged: line {number} is {line[:60].decode(errors='replace')!r}, which is no event; "
                "restore the file from a backup"
            )
        return event

    def _end_last_line(self) -> None:
        """Makes the file end with a whole line: a last event without its newline is kept, a part of one removed."""
        content = self._content()
        start = content.rfind(b"\n") + 1
        if start == len(content):
            return
        if _parsed(content[start:]) is not None:
            files.append(self.path, "\n")
        else:
            os.truncate(self.path, start)


def _parsed(line: bytes) -> Event | None:
    """The object that a whole line holds; None for anything else, such as the beginning of an object."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _sync_folder(folder: Path) -> None:
    """Flushes the names of a folder's files to the disk, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
