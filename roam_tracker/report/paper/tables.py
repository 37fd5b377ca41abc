"""The paper's tables 1 to 3 as printed, and what raw results make of each cell."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from roam_tracker.datasets.names import Spelling
from roam_tracker.report.evaluation import Evaluation
from roam_tracker.report.show.tables import aligned

TITLES = {1: "VOT-2016 and VOT-2017", 2: "GOT-10k", 3: "TrackingNet"}
_SEQUENCES = {"VOT2016": 60, "VOT2017": 60, "GOT-10k": 180, "TrackingNet": 511}
_TEST_NAMES = {"GOT-10k": "GOT-10k_Test_"}


@cache
def printed_cells() -> pd.DataFrame:
    """A row a printed number: table, benchmark, tracker, column, metric (our column), printed, digits."""
    with files("roam_tracker.report.paper").joinpath("paper_tables.csv").open(encoding="utf-8") as file:
        cells = pd.read_csv(file, dtype={"printed": str})
    cells["digits"] = cells["printed"].str.partition(".")[2].str.len()
    cells["printed"] = cells["printed"].astype(float)
    return cells


def compare_with_paper(evaluations: Iterable[Evaluation]) -> pd.DataFrame:
    """Every printed number beside the rebuilt one, in the paper's order.

    Columns: those of `printed_cells`, then rebuilt, difference (rebuilt - printed), low, high (95 % interval
    of the rebuilt one), sequences (used), verdict, reason. A tracker is found by its name in any spelling.

    verdict: agrees   the printed number, give or take its rounding, lies in the interval
             above, below   the rebuilt one lies above or below, beyond its interval
             partial  not all sequences were used, so that the numbers cannot be compared
             missing  there are no raw results, or those of another set; never filled in
    """
    by_name = {evaluation.benchmark.name: evaluation for evaluation in evaluations}
    cells = printed_cells().to_dict("records")
    judged = [{**cell, **_judged(cell, by_name.get(str(cell["benchmark"])))} for cell in cells]
    return pd.DataFrame(judged)


def paper_benchmarks() -> list[str]:
    """The benchmarks that the paper's tables have."""
    return list(_SEQUENCES)


def _judged(cell: dict[Any, Any], evaluation: Evaluation | None) -> dict[str, Any]:
    unknown = float("nan")
    empty = {"rebuilt": unknown, "difference": unknown, "low": unknown, "high": unknown, "sequences": 0}
    if evaluation is None:
        return empty | {"verdict": "missing", "reason": f"no raw results of {cell['benchmark']} were given"}
    tracker = Spelling(evaluation.table["tracker"])(str(cell["tracker"]))
    rows = evaluation.table[evaluation.table["tracker"] == tracker]
    if rows.empty or cell["metric"] not in rows or not np.isfinite(rows[cell["metric"]].iloc[0]):
        return empty | {"verdict": "missing", "reason": f"no raw results of {cell['tracker']}"}
    row, metric, printed = rows.iloc[0], str(cell["metric"]), float(cell["printed"])
    low, high = (float(row.get(f"{metric}_{end}", unknown)) for end in ("low", "high"))
    rebuilt, used = float(row[metric]), int(row["sequences"])
    found = {
        "rebuilt": rebuilt,
        "difference": rebuilt - printed,
        "low": low,
        "high": high,
        "sequences": used,
    }
    verdict, reason = _verdict(evaluation, tracker, found, printed, 0.5 * 10.0 ** -int(cell["digits"]))
    return (empty if verdict == "missing" else found) | {"verdict": verdict, "reason": reason}


def _verdict(
    evaluation: Evaluation, tracker: str, found: dict[str, float], printed: float, rounding: float
) -> tuple[str, str]:
    name = evaluation.benchmark.name
    own = evaluation.by_sequence[evaluation.by_sequence["tracker"] == tracker]["sequence"]
    if name in _TEST_NAMES and not own.str.startswith(_TEST_NAMES[name]).all():
        return "missing", "these are not the test set's sequences, which the paper's number is of"
    if found["sequences"] != _SEQUENCES[name]:
        return "partial", f"{found['sequences']} of {_SEQUENCES[name]} sequences"
    if found["low"] > printed + rounding:
        return "above", ""
    if found["high"] < printed - rounding:
        return "below", ""
    return ("agrees", "") if np.isfinite(found["low"]) else ("partial", "no interval")


def paper_rows(cells: pd.DataFrame, table: int) -> list[list[str]]:
    """One table in the paper's form: header, then a row a tracker, `printed / rebuilt` in each cell.

    An en dash where the paper prints nothing, `missing` where there are no raw results, an asterisk where
    not all sequences were used.
    """
    part = cells[cells["table"] == table]
    columns = list(dict.fromkeys(zip(part["benchmark"], part["column"], strict=True)))
    words = {
        (cell["benchmark"], cell["column"], cell["tracker"]): f"{_printed(cell)} / {_rebuilt(cell)}"
        for cell in part.to_dict("records")
    }
    return [
        ["tracker", *(f"{benchmark} {column}" for benchmark, column in columns)],
        *(
            [tracker, *(words.get((*column, tracker), "\N{EN DASH}") for column in columns)]
            for tracker in part["tracker"].drop_duplicates()
        ),
    ]


def paper_lines(cells: pd.DataFrame, *, everything: bool = False) -> list[str]:
    """Text lines of a comparison: a line a rebuilt cell, and how many are missing; or a line a cell."""
    lines = []
    for number, part in cells.groupby("table"):
        shown = part if everything else part[part["verdict"] != "missing"]
        if not shown.empty:
            rows = [_words(cell) for cell in shown.to_dict("records")]
            header = ["benchmark", "tracker", "", "printed", "rebuilt", "difference", "95 %", "verdict"]
            lines.append(f"Table {number} of the paper ({TITLES[int(str(number))]})")
            lines += aligned([header, *rows], left=(0, 1, 2, 7))
            absent = int((part["verdict"] == "missing").sum())
            lines += [f"Missing for want of raw results: {absent} of {len(part)} numbers.", ""]
    return lines


def _words(cell: dict[Any, Any]) -> list[str]:
    start = [cell["benchmark"], cell["tracker"], cell["column"], _printed(cell)]
    reason = f": {cell['reason']}" if cell["reason"] else ""
    if cell["verdict"] == "missing":
        return [*start, "missing", "", "", f"missing{reason}"]
    interval = f"{cell['low']:.3f}-{cell['high']:.3f}" if np.isfinite(cell["low"]) else ""
    rebuilt, difference = f"{cell['rebuilt']:.3f}", f"{cell['difference']:+.3f}"
    return [*start, rebuilt, difference, interval, f"{cell['verdict']}{reason}"]


def _printed(cell: dict[Any, Any]) -> str:
    return f"{cell['printed']:.{int(cell['digits'])}f}"


def _rebuilt(cell: dict[Any, Any]) -> str:
    if cell["verdict"] == "missing":
        return "missing"
    return f"{cell['rebuilt']:.3f}{'*' * (cell['verdict'] == 'partial')}"
