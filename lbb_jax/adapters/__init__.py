"""Acquisition inside other libraries: `adapters.skactiveml` and `adapters.baal`, imported by name."""
