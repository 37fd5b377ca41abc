"""The spelling of sequences, where the report looks for it."""

from roam_tracker.datasets.names import Spelling

__all__ = ["Spelling"]
