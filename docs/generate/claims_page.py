"""Writes what holds of the paper's claims, from results/claims.toml."""

import tomllib
from pathlib import Path

_FORMS = ("pairwise", "tree", "released")
_OVERVIEW = "| | claim | pairwise | tree | released |\n|---|---|---|---|---|\n"


def write(path: Path, claims: Path) -> None:
    """Writes an overview, and a section for each claim, to ``path`` (Markdown, without a title)."""
    found = tomllib.loads(claims.read_text(encoding="utf-8"))["claim"]
    overview = _OVERVIEW + "".join(_overview_row(claim) for claim in found)
    path.write_text("\n".join([overview, *(_section(claim) for claim in found)]), encoding="utf-8")


def _overview_row(claim: dict) -> str:
    verdicts = dict.fromkeys(_FORMS, "")
    for judgement in claim["judgements"]:
        verdicts |= dict.fromkeys(judgement.get("forms", _FORMS), judgement["verdict"])
    number = claim["number"]
    return f"| [{number}](#claim-{number}) | {claim['text']} | {' | '.join(verdicts.values())} |\n"


def _section(claim: dict) -> str:
    lines = [f"(claim-{claim['number']})=", f"## {claim['number']}. {_capitalised(claim['text'])}", ""]
    lines += [f"{claim['source']}. Tested by: {claim['experiment']}.", ""]
    for judgement in claim["judgements"]:
        forms = f"LBB ({', '.join(judgement['forms'])}): " if "forms" in judgement else ""
        lines.append(f"- **{_capitalised(forms + judgement['verdict'])}.** {_details(judgement)}")
    return "\n".join([*lines, ""])


def _details(judgement: dict) -> str:
    sentences = [f"{_capitalised(judgement['figures'])}."] if judgement.get("figures") else []
    if judgement.get("missing"):
        sentences.append(f"Missing: {judgement['missing']}.")
    if judgement.get("evidence"):
        sentences.append(f"Rests on {', '.join(f'`{path}`' for path in judgement['evidence'])}.")
    return " ".join(sentences)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
