"""Trackers and data sets for the GOT-10k toolkit's experiments."""
