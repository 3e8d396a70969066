"""The version of what preprocessing makes of the same input."""

DATA_VERSION = 2
"""Raised when the same section and raw files give other files than before."""
