"""The error that a user of a labelling project can put right."""


class LabellingError(ValueError):
    """Something that the user can put right; the message names the file or argument and says how."""


def first_of(values, count: int = 5) -> str:
    """The first values, quoted, and how many there are beyond them: ``'a', 'b' and 3 more``."""
    values = list(values)
    shown = ", ".join(repr(value) for value in values[:count])
    return shown if len(values) <= count else f"{shown} and {len(values) - count:,} more"
