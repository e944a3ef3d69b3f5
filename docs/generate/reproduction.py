"""Writes what holds of the paper's claims."""

from pathlib import Path

import lbb_jax
from generate import cache
from paper import claims


def write(path: Path, results: Path) -> None:
    """Writes the claims, decided from the results, to ``path`` (Markdown, without a title)."""
    measured = sorted(each for suffix in ("json", "jsonl") for each in results.rglob(f"*.{suffix}"))
    cache.make(path, [*measured, *cache.code(lbb_jax, claims)], lambda: claims.to_markdown(claims.decide_all(results)))
