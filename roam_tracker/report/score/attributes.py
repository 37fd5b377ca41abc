"""Which attributes (illumination, occlusion, ...) a sequence has, and scores attribute by attribute."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from roam_tracker.datasets.names import Spelling
from roam_tracker.datasets.text import read_lines
from roam_tracker.errors import DataError
from roam_tracker.report.evaluation import Evaluation
from roam_tracker.report.score.pairs import sequence_metrics

Attributes = dict[str, list[str]]


def read_attributes(path: str | Path) -> Attributes:
    """Sequence -> attributes, from a folder of `<sequence>/attrs.txt`, a JSON or a CSV file.

    attrs.txt: names with commas between; JSON: {"sequence": ["IV", ...]}; CSV: `sequence,IV,SV,...` with 1
    where the sequence has the attribute. DataError names what is damaged.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*/attrs.txt"))
        found = {file.parent.name: _words(" ".join(read_lines(file))) for file in files}
    elif path.suffix.lower() == ".json":
        found = _from_json(path)
    elif path.suffix.lower() == ".csv":
        found = _from_csv(path)
    else:
        raise DataError(f"{path}: attributes are read from a folder, a .json or a .csv file.")
    if not found:
        raise DataError(f"{path} has no attributes, expected <sequence>/attrs.txt or a row a sequence.")
    return found


def scores_by_attribute(evaluation: Evaluation, attributes: Attributes) -> pd.DataFrame:
    """A row an attribute and tracker: mean of each metric over the sequences that have it, `sequences`."""
    frame = evaluation.by_sequence
    spelling = Spelling(frame["sequence"])
    owned = pd.DataFrame(
        [(spelling(name), attribute) for name, own in attributes.items() for attribute in dict.fromkeys(own)],
        columns=["sequence", "attribute"],
    )
    columns = [metric.column for metric in sequence_metrics(evaluation)]
    grouped = frame.merge(owned, on="sequence").groupby(["attribute", "tracker"], sort=True)
    return grouped[columns].mean().join(grouped.size().rename("sequences")).reset_index()


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _from_json(path: Path) -> Attributes:
    try:
        content: Any = json.loads("\n".join(read_lines(path)))
        return {
            str(name): [str(word) for word in (own if isinstance(own, list) else _words(own))]
            for name, own in content.items()
        }
    except (ValueError, AttributeError):
        raise DataError(f'{path} has another form than {{"sequence": ["attribute", ...]}}.') from None


def _from_csv(path: Path) -> Attributes:
    header, *rows = [[word.strip() for word in line.split(",")] for line in read_lines(path)]
    for line, row in enumerate(rows, 2):
        if len(row) != len(header) or not set(row[1:]) <= {"0", "1", ""}:
            raise DataError(f"{path}, line {line}: expected a sequence and {len(header) - 1} times 0 or 1.")
    return {
        row[0]: [word for word, flag in zip(header[1:], row[1:], strict=True) if flag == "1"] for row in rows
    }
