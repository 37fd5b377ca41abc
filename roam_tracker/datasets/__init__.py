"""What is known of data sets: lists, layouts, text files, frames, truth; for runs, reports and training."""

from roam_tracker.datasets.dataset import Dataset, open_dataset

__all__ = ["Dataset", "open_dataset"]
