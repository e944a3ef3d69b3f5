"""The lines of JSON in the files of ``results/benchmark``."""

import json
from pathlib import Path
from typing import Any


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects in the lines of a file, all of them."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
