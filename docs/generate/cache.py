"""Pages that are made anew only where what they are made of has changed."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import lbb_jax


def code(*modules: ModuleType) -> list[Path]:
    """The files whose code reads runs, draws figures of them and puts them on the site, and those of ``modules``."""
    package, site = Path(lbb_jax.__file__).parent, Path(__file__).parent
    shared = [site / f"{name}.py" for name in ("cache", "markdown", "stored_runs")]
    of_modules = [path for module in modules for path in _files(module)]
    return sorted([*(package / "analysis").glob("*.py"), *(package / "figures").glob("*.py"), *shared, *of_modules])


def _files(module: ModuleType) -> list[Path]:
    """The files of a module, or of a package with all that is in it."""
    path = Path(module.__file__ or "")
    return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]


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
