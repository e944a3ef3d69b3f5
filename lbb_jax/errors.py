"""The error that a caller of an experiment, or of what reads one, can put right."""


class ExperimentError(ValueError):
    """Something that the caller of an experiment can put right; the message says how."""
