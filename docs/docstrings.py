"""Griffe extension: our docstrings as Markdown, and the comments of a class's fields as docstrings.

Docstrings are written for a reader of the code, with a line for each name, `size_cells: (height, width)`,
continued by indentation. Here these lines become a list, and what Markdown would swallow is kept.
"""

import re
from pathlib import Path
from textwrap import dedent
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
    summary, *paragraphs = re.split(r"\n(?:[ \t]*\n)+", text)
    parts = [f"```text\n{dedent(part)}\n```" if _is_code(part) else _with_fields(part) for part in paragraphs]
    return "\n\n".join([_plain(summary), *parts])


def _is_code(paragraph: str) -> bool:
    """Whether it is indented, or set in columns beyond the spaces behind the name of a field."""
    lines = paragraph.splitlines()
    texts = [match["text"] if (match := FIELD.fullmatch(line)) else line for line in lines]
    indented = all(line.startswith("    ") for line in lines)
    return indented or any(re.search(r"\S {3,}\S", text) for text in texts)


def _with_fields(paragraph: str) -> str:
    """The paragraph, its fields as a list; a line that names none goes on with the one before it."""
    lines: list[str] = []
    in_field = False
    for line in paragraph.splitlines():
        match = FIELD.fullmatch(line)
        if match:
            if lines and not in_field:
                lines.append("")
            lines.append(f"- `{match['name'].replace('`', '')}`: {_plain(match['text'])}")
        else:
            lines.append(f"  {_plain(line.strip())}" if in_field else _plain(line))
        in_field = in_field or match is not None
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text whose signs are not Markdown's, but for code in backticks."""
    return "".join(part if part.startswith("`") else _escaped(part) for part in CODE.split(text))


def _escaped(text: str) -> str:
    return re.sub(r"([*_\[])", r"\\\1", text).replace("<", "&lt;")
