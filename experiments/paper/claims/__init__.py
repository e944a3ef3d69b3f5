"""The paper's claims, decided from the results that are there."""

from paper.claims.of_runs import FORMS
from paper.claims.table import Finding, decide_all, section, to_markdown

__all__ = ["FORMS", "Finding", "decide_all", "section", "to_markdown"]
