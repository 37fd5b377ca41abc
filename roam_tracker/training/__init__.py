"""Offline training: clips from videos, the meta-training step (eqs. 7-9), the loop of Algorithm 1."""
