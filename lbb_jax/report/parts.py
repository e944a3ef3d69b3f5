"""What a report consists of: sections, and in each of them figures, tables and notes."""

import base64
import io
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure


class Image(NamedTuple):
    """A figure within the page: its description, and a PNG in base 64."""

    description: str
    png: str


class Part(NamedTuple):
    """A figure, a table and a note under one heading, as far as there are any.

    Attributes:
      heading: May be empty.
      note: A paragraph.
      image: Above the table.
      table: As HTML.
      is_folded: Whether a click unfolds it.
    """

    heading: str
    note: str = ""
    image: Image | None = None
    table: Markup | None = None
    is_folded: bool = False


class Section(NamedTuple):
    """Parts under a heading of their own."""

    heading: str
    parts: list[Part]
    note: str = ""


def attempt(heading: str, make: Callable[[], tuple[Figure, pd.DataFrame]]) -> Part:
    """The figure and table that ``make`` returns; what it says in their place where the runs do not allow them."""
    try:
        figure, table = make()
    except ValueError as error:
        return Part(heading, note=f"Not shown: {error}.")
    return Part(heading, image=embed(figure), table=to_html(table))


def embed(figure: Figure) -> Image:
    """``figure`` as a picture, described by its title."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return Image(figure.axes[0].get_title(), base64.b64encode(buffer.getvalue()).decode())


def to_html(table: pd.DataFrame, *, index: bool = True) -> Markup:
    """``table`` as HTML, whatever it holds escaped, and nothing for what is missing."""
    return Markup(table.to_html(border=0, na_rep="", justify="unset", index=index))
