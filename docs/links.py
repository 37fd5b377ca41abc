"""Hooks of MkDocs: external links are well formed, and no page asks another machine for anything.

Internal links and anchors MkDocs checks itself (mkdocs.yml, validation); with --strict all of it is an error.
"""

import logging
import re
from urllib.parse import urlsplit

log = logging.getLogger("mkdocs.hooks.links")
LINK = re.compile(r'<a\b[^>]*\bhref="([a-z]+:[^"]*)"', re.IGNORECASE)
REQUEST = re.compile(
    r'<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]*)"', re.IGNORECASE
)


def on_post_page(output, page, config):
    """Warn of what is wrong with a finished page."""
    for address in LINK.findall(output):
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme != "mailto" and (parts.scheme != "https" or "." not in host or " " in address):
            log.warning("%s: the link %r is no https address", page.file.src_path, address)
    for address in REQUEST.findall(output):
        log.warning("%s: the page asks %r for a file", page.file.src_path, address)
    return output
