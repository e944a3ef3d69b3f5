"""One self-contained HTML file of everything that was run."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.report.page import render
    from lbb_jax.report.runtime import read_times
    from lbb_jax.report.sections import Entry, Section, to_html

__all__ = ["Entry", "Section", "read_times", "render", "to_html"]
