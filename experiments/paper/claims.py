"""The paper's claims, what was measured about each, and the verdict."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from lbb_jax.paths import input_file
from lbb_jax.report import Entry, Section, to_html

UNTESTED = "not tested yet"
VERDICTS = ("holds", "does not hold", "in part", UNTESTED)
# The three that "LBB" may stand for: Eq. 2.12 as printed, the tree bound, and what the paper's code computed.
FORMS = ("pairwise", "tree", "released")


class Judgement(NamedTuple):
    """What holds of a claim.

    Attributes:
      verdict: One of `VERDICTS`.
      forms: Which of `FORMS` it is about; empty where the claim is not about LBB.
      figures: What was measured.
      missing: What it would take to say more.
      evidence: Files and folders that the verdict rests on, metrics and configurations, from the repository's root.
    """

    verdict: str
    forms: tuple[str, ...] = ()
    figures: str = ""
    missing: str = ""
    evidence: tuple[str, ...] = ()


class Claim(NamedTuple):
    """A claim of the paper.

    Attributes:
      number: From 1.
      source: Where the paper makes it.
      text: What it says.
      experiment: What tests it.
      judgements: One or several, for different forms of LBB.
    """

    number: int
    source: str
    text: str
    experiment: str
    judgements: tuple[Judgement, ...]


def load_claims(path: str | os.PathLike) -> list[Claim]:
    """Reads the claims in a TOML file: tables ``claim`` with the fields of `Claim`, and in each ``judgements``.

    Args:
      path: The file.

    Returns:
      The claims in the order of the file.

    Raises:
      PathError: If there is no such file.
      ValueError: If it is not TOML, a field is missing or unknown, the numbers are not 1, 2, ..., a verdict or form is
        unknown, a form is judged twice, a verdict has no figures or evidence, or something is untested that has
        figures, or that does not say what is missing.
    """
    path = input_file(path, name="claims")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    tables = content.get("claim", [])
    if not tables or not _is_list_of(dict, tables):
        raise ValueError(f"{path} holds no claims: write each as a table [[claim]]")
    try:
        return [_parse_claim(fields, position) for position, fields in enumerate(tables, start=1)]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, kind) for entry in value)


def _check_texts(fields: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    for name in names:
        if not isinstance(fields.get(name, ""), str):
            raise ValueError(f"{where}: {name}={fields[name]!r} must be a text")


def _parse_claim(fields: Mapping[str, Any], position: int) -> Claim:
    where = f"claim {position}"
    _check_texts(fields, ("source", "text", "experiment"), where)
    if not _is_list_of(dict, fields.get("judgements", [])):
        raise ValueError(f"{where}: judgements={fields['judgements']!r} must be tables [[claim.judgements]]")
    judgements = tuple(_parse_judgement(judgement, where) for judgement in fields.get("judgements", ()))
    try:
        claim = Claim(**{**fields, "judgements": judgements})
    except TypeError as error:
        raise ValueError(f"{where}: {error}; its fields are {', '.join(Claim._fields)}") from error
    if claim.number != position:
        raise ValueError(f"{where} has number={claim.number}: number the claims 1, 2, ... in the order of the file")
    forms = [form for judgement in judgements for form in judgement.forms]
    if (
        not judgements
        or len(forms) != len(set(forms))
        or (len(judgements) > 1 and not all(j.forms for j in judgements))
    ):
        raise ValueError(f"{where}: give one judgement, or several that are each about other forms of LBB")
    return claim


def _parse_judgement(fields: Mapping[str, Any], where: str) -> Judgement:
    _check_texts(fields, ("verdict", "figures", "missing"), where)
    for name in ("forms", "evidence"):
        if not _is_list_of(str, fields.get(name, [])):
            raise ValueError(f"{where}: {name}={fields[name]!r} must be a list of texts")
    lists = {name: tuple(fields.get(name, ())) for name in ("forms", "evidence")}
    try:
        judgement = Judgement(**{**fields, **lists})
    except TypeError as error:
        raise ValueError(f"{where}: {error}; a judgement's fields are {', '.join(Judgement._fields)}") from error
    if judgement.verdict not in VERDICTS:
        raise ValueError(f"{where}: verdict={judgement.verdict!r} must be one of {', '.join(VERDICTS)}")
    unknown = [form for form in judgement.forms if form not in FORMS]
    if unknown:
        raise ValueError(f"{where}: forms holds {unknown[0]!r}; it may hold {', '.join(FORMS)}")
    is_tested = judgement.verdict != UNTESTED
    if is_tested != bool(judgement.figures and judgement.evidence) or not (is_tested or judgement.missing):
        needs = "figures and evidence" if is_tested else "missing, and no figures with evidence"
        raise ValueError(f"{where}: verdict={judgement.verdict!r} needs {needs}")
    return judgement


def tabulate_judgements(claim: Claim) -> pd.DataFrame:
    """A row for each judgement of ``claim``, as text."""
    rows = [
        {
            "LBB": ", ".join(judgement.forms),
            "verdict": judgement.verdict,
            "figures": _figures(judgement),
            "rests on": ", ".join(judgement.evidence),
        }
        for judgement in claim.judgements
    ]
    return pd.DataFrame(rows)


def _figures(judgement: Judgement) -> str:
    """What was measured and what is missing."""
    missing = f"missing: {judgement.missing}" if judgement.missing else ""
    return "; ".join(filter(None, (judgement.figures, missing)))


def section(claims: Sequence[Claim]) -> Section:
    """What holds of each claim, as a section of a report."""
    note = (
        "LBB as printed (pairwise), with the tree bound, and with the score of the released code, where a claim is "
        "about it. Only what was run has a verdict."
    )
    entries = []
    for claim in claims:
        table = tabulate_judgements(claim)
        entries.append(
            Entry(
                f"{claim.number}. {claim.text[0].upper()}{claim.text[1:]} ({claim.source})",
                note=f"Tested by: {claim.experiment}.",
                table=to_html(table.loc[:, (table != "").any()], is_prose=True),
            )
        )
    return Section("What holds of the paper's claims", entries, note=note)
