"""What a report consists of: sections, and in each of them figures, tables and notes."""

import base64
import io
import logging
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from lbb_jax.errors import ExperimentError

_LOGGER = logging.getLogger(__name__)


class Image(NamedTuple):
    """A figure within the page: its description, and a PNG in base 64."""

    description: str
    png: str


class Entry(NamedTuple):
    """A figure, a table and a note under one heading; each of them may be missing.

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
    """Entries under a heading of their own."""

    heading: str
    entries: list[Entry]
    note: str = ""


def attempt(heading: str, draw: Callable[[pd.DataFrame], tuple[Figure, pd.DataFrame]], runs: pd.DataFrame) -> Entry:
    """The figure and the table that ``draw`` makes of ``runs``, or in their place the reason why there are none."""
    try:
        figure, table = draw(runs)
    except (ExperimentError, FileNotFoundError) as error:
        return Entry(heading, note=f"Not shown: {error}.")
    # A figure that fails must not prevent the others, and its error must not look like a limit of the runs.
    except Exception as error:
        _LOGGER.exception("%s: cannot be drawn", heading)
        return Entry(heading, note=f"Not shown, through a fault of lbb_jax: {type(error).__name__}: {error}.")
    return Entry(heading, image=to_image(figure), table=to_html(table))


def to_image(figure: Figure) -> Image:
    """``figure`` as a picture, described by its title."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return Image(figure.get_suptitle() or figure.axes[0].get_title(), base64.b64encode(buffer.getvalue()).decode())


def to_html(table: pd.DataFrame, *, is_prose: bool = False) -> Markup:
    """``table`` as HTML, its index as the first column where that has a name; what it holds is escaped.

    Args:
      table: Any table; the cell of a missing value is empty.
      is_prose: Whether its cells hold sentences and paths, which may be broken anywhere, rather than numbers and names.

    Returns:
      A ``table`` element.
    """
    table = table if table.index.name is None else table.reset_index()
    # A name of the columns would stand in a cell of its own, and shift the others.
    table = table.rename_axis(columns=None)
    classes = "prose" if is_prose else None
    return Markup(table.to_html(border=0, na_rep="", justify="unset", index=False, classes=classes))
