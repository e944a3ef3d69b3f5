"""Ids and classes as users give them, as the strings that a project stores."""

import operator
from collections.abc import Iterable
from typing import Any

from lbb_jax.labelling.errors import LabellingError, first_of

# In the column of labels, this marks a point that cannot be labelled.
SKIP = "SKIP"


def as_name(value: Any, *, what: str) -> str:
    """A string, or an integer as its digits.

    Args:
      value: A string, or an integer of Python or NumPy.
      what: What it is, for messages: ``"id"``.

    Raises:
      LabellingError: For any other kind, and for a string that is empty, begins or ends with a space, or holds a line
        break, which a file with one name a line could not hold.
    """
    if isinstance(value, str):
        text = str(value)
        if text == text.strip() and len(text.splitlines()) == 1 and "\0" not in text and _is_encodable(text):
            return text
        raise LabellingError(
            f"{what} {text!r}: must be text in one line, neither empty nor beginning or ending with a space"
        )
    try:
        if not isinstance(value, bool):
            return str(operator.index(value))
    except TypeError:
        pass
    raise LabellingError(f"{what} {value!r}: must be a string or an integer, not {type(value).__name__}")


def as_names(values: Iterable[Any], *, what: str, file: str = "") -> list[str]:
    """`as_name` for each of ``values``, which must be distinct.

    Args:
      values: Strings or integers.
      what: What each is, for messages: ``"id"``.
      file: The file that they stand in, for messages.

    Raises:
      LabellingError: As `as_name`, for no values, for a single string in place of several, and for repeated ones.
      TypeError: For what is neither a string nor several.
    """
    where = f"{file}: " if file else ""
    several = f"{where}{what}{'es' if what.endswith('s') else 's'}"
    is_text = isinstance(values, str)
    # An array without axes has the method, too.
    if is_text or not hasattr(values, "__iter__") or getattr(values, "shape", None) == ():
        kind = LabellingError if is_text else TypeError
        raise kind(f"{several}={values!r}: must be several, such as a list")
    names = [as_name(value, what=f"{where}{what}") for value in values]
    if not names:
        raise LabellingError(f"{several}: there are none; give at least one")
    if len(set(names)) < len(names):
        seen: set[str] = set()
        repeated = dict.fromkeys(name for name in names if name in seen or seen.add(name))
        raise LabellingError(f"{several}: {first_of(repeated)} stand there more than once; each must be there once")
    return names


def as_classes(values: Iterable[Any]) -> list[str]:
    """`as_names` for classes: at least two, none of them the mark of points that cannot be labelled."""
    classes = as_names(values, what="class")
    if len(classes) < 2:
        raise LabellingError(f"classes={classes}: must be at least two")
    if SKIP in classes:
        raise LabellingError(f"classes: {SKIP!r} marks points that cannot be labelled; give that class another name")
    return classes


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
