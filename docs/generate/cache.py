"""Pages that are made anew only where what they are made of has changed."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import lbb_jax


def code() -> list[Path]:
    """The files whose code reads runs, draws figures of them and puts them on the site."""
    package, experiments = Path(lbb_jax.__file__).parent, Path(__file__).parents[2] / "experiments" / "paper"
    folders = (package / "analysis", package / "figures", experiments, Path(__file__).parent)
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def make(page: Path, sources: Iterable[Path], text: Callable[[], str]) -> str:
    """The text of a page, written to it; as it stands there where it was made of files of the same names and contents.

    Args:
      page: The file. Figures that belong to it stand beside it.
      sources: All files that the text and the figures depend on.
      text: Makes the text, and the figures.
    """
    mark, key = page.with_suffix(".sources"), _hash(sources)
    if not (page.exists() and mark.exists() and mark.read_text(encoding="utf-8") == key):
        mark.unlink(missing_ok=True)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text(), encoding="utf-8")
        mark.write_text(key, encoding="utf-8")
    return page.read_text(encoding="utf-8")


def _hash(sources: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
