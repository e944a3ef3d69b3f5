"""One self-contained HTML file of everything that was run, and what it says about the paper's claims."""

from lbb_jax.extras import needs

with needs("experiments"):
    from lbb_jax.report.claims import Claim, Judgement, insert_claims, load_claims
    from lbb_jax.report.page import render

__all__ = ["Claim", "Judgement", "insert_claims", "load_claims", "render"]
