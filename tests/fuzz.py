"""What fuzz tests share: how many cases are tried, and damage to the bytes of a file."""

import os

from hypothesis import settings
from hypothesis import strategies as st

from roam_tracker.errors import InputError

_TIMES = int(os.environ.get("ROAM_FUZZ", "1"))


def cases(count):
    """So many cases in the ordinary suite, ROAM_FUZZ times as many on request."""
    return settings(max_examples=count * _TIMES)


@st.composite
def damaged(draw, whole):
    """The bytes with some overwritten, cut out, put in or left off at the end."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        # the head of a file decides how the rest is read
        place = draw(st.integers(0, min(len(content), 300)) | st.integers(0, len(content)))
        kind = draw(st.sampled_from(["overwrite", "flip", "insert", "delete", "cut"]))
        new = draw(st.binary(max_size=8))
        if kind == "overwrite":
            content[place : place + len(new)] = new
        elif kind == "flip" and place < len(content):
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            content[place:place] = new
        elif kind == "delete":
            del content[place : place + draw(st.integers(0, 40))]
        elif kind == "cut":
            del content[place:]
    return bytes(content)


def damaged_text(whole):
    """The text with pieces of the kind that breaks parsers put in, or with damaged bytes."""
    pieces = st.sampled_from(
        ["nan", "inf", "-1e400", "1e39", ",", "\n", "\t", "\0", "\ufeff", "é", "=", "[", "]", "[[", "{", '"',
         "#", "true", "'", "-", "1" * 400, "\x1a", "\r", " ", "\u2028"]
    )  # fmt: skip

    @st.composite
    def text(draw):
        content = whole
        for _ in range(draw(st.integers(1, 4))):
            place = draw(st.integers(0, len(content)))
            content = content[:place] + draw(pieces) + content[place + draw(st.integers(0, 5)) :]
        return content.encode()

    return text() | damaged(whole.encode())


def refused_or(read, kind=InputError):
    """What `read` gives, or None when it refuses in one line."""
    try:
        return read()
    except kind as error:
        assert str(error).count("\n") == 0 and 10 < len(str(error)) < 2000
        return None
