"""The VOT toolkit: `main` serves a tracker over TraX; workspace.py and check.py prepare and check runs.

This module loads nothing: the server sends what libraries print elsewhere before it loads them.
"""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one tracker until the toolkit says quit or goes away; exit status 0, 1 or 2."""
    from roam_tracker.toolkits.vot import server

    return server.main(argv)
