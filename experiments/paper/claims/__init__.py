"""The paper's claims, decided from the stored results."""

from paper.claims.of_runs import LBB_FORMS
from paper.claims.table import Finding, decide_all, section, to_markdown

__all__ = ["LBB_FORMS", "Finding", "decide_all", "section", "to_markdown"]
