"""Errors that the caller can put right; each message says how."""


class ExperimentError(ValueError):
    """Something that the caller of an experiment can put right; the message says how."""


class CheckpointError(ValueError):
    """An encoder cannot be found or read; the message names the file, field or tensor."""


class CacheError(ValueError):
    """Vectors cannot be kept; the message names the folder and how to name another."""
