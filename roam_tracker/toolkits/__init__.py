"""Adapters to the GOT-10k and VOT toolkits; importing this package imports neither of them."""
