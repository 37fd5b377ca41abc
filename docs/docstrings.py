"""Griffe extension: our docstrings as Markdown, and the comments of a class's fields as docstrings.

Docstrings are written for a reader of the code, with a line for each name, `size_cells: (height, width)`,
continued by indentation. Here these lines become a list, and what Markdown would swallow is kept.
"""

import re
from pathlib import Path
from typing import Any

import griffe

FIELD = re.compile(r"(?P<name>[A-Za-z_`][\w.`]*(?:(?:, | / )[\w.`]+)*): +(?P<text>\S.*)")
CODE = re.compile(r"(`[^`]*`)")
COMMENT = re.compile(r"(?:^|\s)# (.*)$")


class Docstrings(griffe.Extension):
    """Rewrites each docstring as it is found."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is None and obj.is_attribute and obj.parent is not None and obj.parent.is_class:
            comment = comment_of(obj)
            if comment:
                obj.docstring = griffe.Docstring(comment, parent=obj)
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def comment_of(field: griffe.Object) -> str:
    """The comment above a field of a class, or behind it; "" for none."""
    path, first, last = field.filepath, field.lineno, field.endlineno
    if not isinstance(path, Path) or first is None or last is None:
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    above = first - 1
    while lines[above - 1].lstrip().startswith("#"):
        above -= 1
    found = [COMMENT.search(line) for line in lines[above:last]]
    return " ".join(match[1] for match in found if match)


def as_markdown(text: str) -> str:
    """The docstring with lists for its fields; what is indented or set in columns becomes code."""
    lines: list[str] = []
    in_field = False
    paragraphs = re.split(r"\n[ \t]*\n", text)
    text = "\n\n".join(_as_code(part) if _has_columns(part) else part for part in paragraphs)
    for number, line in enumerate(text.splitlines()):
        match = FIELD.fullmatch(line) if number > 0 else None
        if match:
            if lines and not in_field:
                lines.append("")
            lines.append(f"- `{match['name'].replace('`', '')}`: {_plain(match['text'])}")
            in_field = True
        elif in_field and line.strip():
            lines.append(f"  {_plain(line.strip())}")
        elif line.startswith("    "):
            if lines and lines[-1] and not lines[-1].startswith("    "):
                lines.append("")
            lines.append(line)
        else:
            in_field = False
            lines.append(_plain(line))
    return "\n".join(lines)


def _has_columns(paragraph: str) -> bool:
    """Whether text is set in columns, beyond the one space or more behind the name of a field."""
    texts = [match["text"] if (match := FIELD.fullmatch(line)) else line for line in paragraph.splitlines()]
    return any(re.search(r"\S {3,}\S", text) for text in texts)


def _as_code(paragraph: str) -> str:
    return "\n".join("    " + line for line in paragraph.splitlines())


def _plain(text: str) -> str:
    """Text whose signs are not Markdown's, but for code in backticks."""
    return "".join(part if part.startswith("`") else _escaped(part) for part in CODE.split(text))


def _escaped(text: str) -> str:
    return re.sub(r"([*_\[])", r"\\\1", text).replace("<", "&lt;")
