"""Made sequences with exact ground truth."""
