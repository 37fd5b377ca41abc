"""The same numbers as the core, sooner. The core does not know this room; a caller chooses it."""
