"""One spelling for a sequence: Jogging-1, jogging_1 and Jogging.1 are the same."""

import re
from collections import Counter
from collections.abc import Iterable

from roam_tracker.datasets.lists import OTB2015

_SYNONYMS = {"human42": "human4"}  # of Human4 the benchmark has the second target only


class Spelling:
    """Known names, found again whatever their case and separators; other names stay as they are."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = set(known)
        often = Counter(_key(name) for name in self._known)
        self._by_key = {_key(name): name for name in self._known if often[_key(name)] == 1}

    def __call__(self, name: str) -> str:
        """The known name that is meant, or `name` itself."""
        key = _key(name)
        if name in self._known:
            return name
        return self._by_key.get(key) or self._by_key.get(_SYNONYMS.get(key, key), name)


def otb_name(name: str) -> str:
    """One spelling for an OTB sequence: Jogging-1 and jogging_1 are Jogging.1, Human4-2 is Human4."""
    return _OTB_SPELLING(name)


def _key(name: str) -> str:
    return re.sub(r"[-_. ]", "", name).lower()


_OTB_SPELLING = Spelling(OTB2015)
