"""The page in a browser: what keys and pointer do, paper, and that nothing is loaded from elsewhere."""

import re

import browser
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from raw_results import truth_of, write_results

from roam_tracker.commands import main
from roam_tracker.report import BENCHMARKS, Curve, Evaluation, Metric, build_page, evaluate, load
from roam_tracker.report.paper.tables import printed_cells

pytestmark = pytest.mark.slow

SEQUENCES = ("Basketball", "Biker", "Bird1", "Bird2", "Bolt", "Boy")
TRACKERS = {"Best": 0.5, "Middle": 2, "Worst": 7}  # how many pixels beside the truth
ODD = "<i>A&B"  # a legal folder's name


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of four trackers; Worst lacks Boy, the odd one has Biker and Bird1; Biker has images."""
    root = tmp_path_factory.mktemp("page")
    for tracker, shift in TRACKERS.items():
        write_results(root, tracker, shift, sequences=SEQUENCES)
    write_results(root, ODD, 4, sequences=("Biker", "Bird1"))
    (root / "results/OTB2015/Worst/Boy.txt").unlink()
    (root / "data/Biker/img").mkdir()
    for number in range(1, 21):
        picture = Image.new("RGB", (96, 64), (number * 10, 90, 60))
        picture.save(root / f"data/Biker/img/{number:04d}.jpg")
    argv = ["report", "--benchmark", "OTB2015", "--results", str(root / "results")]
    argv += ["--annotations", str(root / "data"), "--frames", str(root / "data"), "--out", str(root / "out")]
    assert main(argv) == 1  # two trackers are not complete
    return root / "out"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    driver = browser.start(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium, report):
    """The page just opened; afterwards: no error on the console, nothing asked for but the file itself."""
    browser.requests(chromium)
    chromium.get((report / "index.html").as_uri())
    yield Page(chromium)
    assert [line for line in chromium.get_log("browser") if line["level"] in ("SEVERE", "WARNING")] == []
    asked = [address for address in browser.requests(chromium) if not address.startswith("data:")]
    assert asked == [(report / "index.html").as_uri()]


class Page:
    """Short questions to the browser."""

    def __init__(self, driver):
        self.driver = driver

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def texts(self, selector):
        """Texts of what is seen."""
        return [one.text for one in self.all(selector) if one.is_displayed()]

    def press(self, selector):
        """A click, however far the page must be scrolled."""
        self.run("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", self.one(selector))

    def number(self, tracker):
        """The tracker's data-t."""
        return sorted([*TRACKERS, ODD]).index(tracker)

    def pointer(self, x, y):
        """Move the pointer to a place in the window."""
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})

    def curve_place(self, tracker, plot="success", share=0.4):
        """Where in the window a point of the curve lies."""
        self.run("document.querySelector('svg.plot').scrollIntoView({block: 'center'})")
        script = """const [line, share] = arguments;
            const at = line.getPointAtLength(share * line.getTotalLength());
            const seen = at.matrixTransform(line.getScreenCTM());
            return [seen.x, seen.y];"""
        line = self.one(f'[data-plot="{plot}"] [data-t="{self.number(tracker)}"] .line')
        return self.run(script, line, share)

    def style(self, selector, name):
        return self.run(
            "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, name
        )


# Tables


def names(page):
    return page.texts(".headline tbody th")


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_the_order(page):
    assert names(page) == ["Best", "Middle", ODD, "Worst"]
    page.press(".headline thead th:nth-child(2) button")  # by AUC, which it was: now the worst first
    assert names(page) == ["Worst", ODD, "Middle", "Best"]
    assert page.one(".headline thead th:nth-child(2)").get_attribute("aria-sort") == "ascending"
    page.press(".headline thead th:nth-child(1) button")
    assert names(page) == [ODD, "Best", "Middle", "Worst"]
    assert page.one(".headline thead th:nth-child(1)").get_attribute("aria-sort") == "ascending"
    assert page.one(".headline thead th:nth-child(2)").get_attribute("aria-sort") is None


def test_missing_scores_stay_last_in_both_directions(page):
    column = f'.sequences thead th[data-t="{page.number("Worst")}"] button'
    for _ in range(2):
        page.press(column)
        rows = [row.text for row in page.all("table.sequences")[0].find_elements("css selector", "tbody th")]
        assert sorted(rows) == sorted(SEQUENCES) and rows[-1] == "Boy"


def test_a_heading_is_reached_and_pressed_by_keys(page):
    page.run("document.querySelector('.headline thead th:nth-child(2) button').focus()")
    page.driver.switch_to.active_element.send_keys("\n")
    assert names(page)[0] == "Worst"


def test_the_filters_leave_what_has_one_of_the_parts(page):
    page.one("#find-trackers").send_keys("best mid")
    assert names(page) == ["Best", "Middle"]
    assert len(page.texts("figure:first-child .legend li")) == 2
    page.one("#find-sequences").send_keys("bi")
    assert page.texts("details[open] table.sequences tbody th") == ["Biker", "Bird1", "Bird2"]
    assert page.one("#count").text == "2 of 4 trackers, 3 of 6 sequences"


# Trackers: shown, pointed at


def test_a_click_on_the_legend_switches_a_tracker_off_everywhere_and_on_again(page):
    t = page.number("Middle")
    key = f'.legend [data-t="{t}"] button'
    parts = f'.curve[data-t="{t}"]', f'.sequences td[data-t="{t}"]', f'.film [data-t="{t}"]'
    assert all(page.one(part).is_displayed() for part in parts)
    page.press(key)
    assert page.one(key).get_attribute("aria-pressed") == "false"
    assert not any(one.is_displayed() for part in parts for one in page.all(part))
    assert page.one("#count").text.startswith("3 of 4 trackers")
    page.press(key)
    assert page.one(key).get_attribute("aria-pressed") == "true"
    assert all(page.one(part).is_displayed() for part in parts)


def test_all_off_and_all_on(page):
    page.press("#all-off")
    assert page.texts(".curve text") == []
    page.press("#all-on")
    assert len(page.texts('[data-plot="success"] .curve text')) == 4


def test_the_pointer_on_a_curve_lights_line_row_and_legend_and_tells_the_score(page, report):
    t = page.number("Middle")
    plain = page.style(f'.headline tr[data-t="{t}"]', "backgroundColor")
    page.pointer(*page.curve_place("Middle", share=0.7))
    score = pd.read_csv(report / "tables/otb2015.csv").set_index("tracker").loc["Middle", "auc"]
    assert page.one("#tip").text.startswith(f"Middle [{score:.3f}]\n")
    lit = page.style(f'.headline tr[data-t="{t}"]', "backgroundColor")
    assert lit != plain
    assert page.style(f'.legend li[data-t="{t}"]', "backgroundColor") == lit
    assert page.style(f'.curve[data-t="{page.number("Best")}"]', "opacity") == "0.18"
    assert page.style(f'.curve[data-t="{t}"]', "opacity") == "1"
    page.pointer(5, 5)
    assert not page.one("#tip").is_displayed()
    assert page.style(f'.curve[data-t="{page.number("Best")}"]', "opacity") == "1"


def test_the_value_told_is_the_curves_own(page):
    page.pointer(*page.curve_place("Worst", share=0.55))
    value, threshold = re.fullmatch(r"Worst .*\n(.*) at (.*)", page.one("#tip").text).groups()
    worst = []
    for name in SEQUENCES[:-1]:  # all but Boy; its boxes lie 7 px beside, the first on the truth
        w = truth_of(name).round(3)[:, 2]
        overlap = np.clip(w - 7, 0, None) / (w + np.minimum(w, 7))
        overlap[0] = 1
        worst.append((overlap > float(threshold) + 1e-12).mean())
    assert float(value) == pytest.approx(np.mean(worst), abs=5e-4)


def test_a_key_that_reaches_the_legend_lights_the_tracker_too(page):
    t = page.number("Worst")
    page.run(f"document.querySelector('.legend [data-t=\"{t}\"] button').focus()")
    assert page.style(f'.curve[data-t="{page.number("Best")}"]', "opacity") == "0.18"


# Where a number comes from, and one sequence


def test_a_score_tells_its_digits_its_rule_its_files_and_what_made_it(page, report):
    score = pd.read_csv(report / "tables/otb2015.csv").set_index("tracker").loc["Best", "auc"]
    assert not page.one("#why").is_displayed()
    page.press(".headline tbody tr:first-child td[data-m=auc] button")
    told = page.one("#why").text
    folder = report.parent / "results/OTB2015/Best"
    for words in ("AUC of Best", repr(float(score)), "21 strict", str(folder), "6 of 100", "no manifest"):
        assert words in told
    page.driver.switch_to.active_element.send_keys("\ue00c")  # Escape
    assert not page.one("#why").is_displayed()


def test_a_sequence_opens_with_every_tracker_its_scores_and_its_overlaps(page, report):
    page.press('tr[data-k="Bird1"] button')
    table = pd.read_csv(report / "tables/otb2015-sequences.csv").set_index(["sequence", "tracker"])
    assert page.one("#sequence-title").text == "Bird1, OTB2015: 20 frames"
    rows = page.all("dialog tbody tr")
    assert [row.find_element("css selector", "th").text for row in rows] == ["Best", "Middle", ODD, "Worst"]
    for row in rows:
        name, (auc, *_) = row.find_element("css selector", "th").text, row.find_elements("css selector", "td")
        assert auc.text == f"{table.loc[('Bird1', name), 'auc']:.3f}"
        assert f"{name}/Bird1.txt" in row.text
    # the line of Worst goes through (frame, 1 - overlap) of the first frame (1) and of the last one
    path = rows[-1].find_element("css selector", ".line").get_attribute("d")
    points = [tuple(map(float, point.split())) for point in re.split("[ML]", path)[1:]]
    w = truth_of("Bird1").round(3)[-1, 2]
    assert len(points) == 20 and points[0] == (0, 0)
    assert points[-1] == pytest.approx((640, 44 * (1 - max(w - 7, 0) / (w + min(w, 7)))), abs=0.3)
    assert not page.all("dialog .film")


def test_the_pointer_on_a_line_tells_every_trackers_overlap_in_that_frame(page):
    page.press('tr[data-k="Bird1"] button')
    box = page.run("return document.querySelector('dialog .trace').getBoundingClientRect().toJSON()")
    page.pointer(box["left"] + 0.1, box["top"] + 20)
    assert page.texts("dialog output") == ["1.00"] * 4  # the first frame is the truth's
    assert page.one("dialog thead th:last-child").text == "frame 1"


def test_the_next_sequence_is_the_next_row_as_filtered_and_escape_closes(page):
    page.one("#find-sequences").send_keys("biker bolt")
    page.press('tr[data-k="Biker"] button')
    assert len(page.all("dialog .film image")) == 6
    page.press("dialog .bar span:nth-of-type(2) button")
    assert page.one("#sequence-title").text.startswith("Bolt,")
    page.driver.switch_to.active_element.send_keys("\ue014")  # arrow right: round the end
    assert page.one("#sequence-title").text.startswith("Biker,")
    page.driver.switch_to.active_element.send_keys("\ue00c")
    assert not page.one("dialog").is_displayed()


def test_a_point_of_the_pair_plot_opens_its_sequence(page):
    assert len(page.all("svg.pair circle")) == 6
    page.run("document.querySelector('circle[data-k=Bolt]').dispatchEvent(new MouseEvent('click'))")
    assert page.one("#sequence-title").text.startswith("Bolt,")


# Paper, no script, dark


def test_paper_shows_every_tracker_and_sequence_even_switched_off_and_folded(page):
    page.press("#all-off")
    reader = browser.printed(page.driver)
    text = re.sub(r"\s", "", "".join(leaf.extract_text() for leaf in reader.pages))
    assert len(reader.pages) >= 2
    for words in (*TRACKERS, ODD, *SEQUENCES, "Precisionbysequence", "Run it on these 4 sequences", "strict"):
        assert re.sub(r"\s", "", words) in text


def test_nothing_lies_beyond_the_papers_edge_with_thirty_trackers(chromium, tmp_path):
    for number in range(30):
        write_results(tmp_path, f"Tracker-{number}-of-many", number / 5)
    argv = ["report", "--benchmark", "OTB2015", "--results", str(tmp_path / "results")]
    assert main([*argv, "--annotations", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    chromium.get((tmp_path / "out/index.html").as_uri())
    count = 0
    for leaf in browser.printed(chromium).pages:
        places = []
        leaf.extract_text(visitor_text=lambda text, cm, tm, *_, into=places: into.append((text, cm, tm)))
        for text, cm, tm in places:
            if text.strip():
                x = cm[0] * tm[4] + cm[2] * tm[5] + cm[4]
                assert 0 <= x <= float(leaf.mediabox.width)
                count += 1
    assert count > 1000


def test_without_a_script_tables_and_plots_are_there_and_nothing_is_dead(chromium, report):
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        chromium.get((report / "index.html").as_uri())
        page = Page(chromium)
        assert names(page) == ["Best", "Middle", ODD, "Worst"]
        assert len(page.all("svg.plot .line")) == 8
        assert len(page.texts("details[open] table.sequences tbody th")) == 6
        assert page.texts("button") == [] and page.texts("input") == []
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_on_dark_paper_every_line_is_lighter_than_the_paper(page):
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    try:
        paper, *lines = (
            0.299 * red + 0.587 * green + 0.114 * blue
            for red, green, blue in (
                map(int, re.findall(r"\d+", colour)[:3])
                for colour in (
                    page.style("body", "backgroundColor"),
                    *(page.style(f'.curve[data-t="{t}"] .line', "stroke") for t in range(4)),
                )
            )
        )
        assert paper < 40 and min(lines) > paper + 70
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_page_of_8_trackers_and_100_sequences_stays_below_3_mb():
    generator = np.random.default_rng(0)
    trackers, sequences = [f"Tracker{k}" for k in range(8)], [f"Sequence{k}" for k in range(100)]
    frame = pd.DataFrame(
        [
            {"tracker": t, "sequence": s, "frames": 600, "source": f"{t}/{s}.txt"}
            for t in trackers
            for s in sequences
        ]
    )
    metrics = [
        Metric(name, name, "made") for name in ("auc", "precision", "normalised_precision", "success_rate")
    ]
    for metric in metrics:
        frame[metric.column] = generator.uniform(0, 1, len(frame))
    table = frame.groupby("tracker", as_index=False)[[metric.column for metric in metrics]].mean()
    evaluation = Evaluation(
        BENCHMARKS["OTB2015"],
        table.assign(sequences=100, frames=60_000),
        frame,
        metrics,
        {"success": [Curve(t, np.linspace(0, 1, 21), np.linspace(1, 0, 21), 0.5) for t in trackers]},
        {"results": "results", "ground truth": "truth"},
        total=100,
        overlaps={t: {s: generator.uniform(0, 1, 600) for s in sequences} for t in trackers},
    )
    assert len(build_page([evaluation]).encode()) < 3_000_000


def test_the_papers_numbers_stand_beside_the_rebuilt_ones(tmp_path):
    for name in ("ants1", "bag"):
        (tmp_path / "truth" / name).mkdir(parents=True)
        (tmp_path / "truth" / name / "groundtruth.txt").write_text("10,10,20,20\n" * 30)
        for tracker in ("ROAM", "Nobody"):
            folder = tmp_path / "results" / tracker / "baseline" / name
            folder.mkdir(parents=True)
            (folder / f"{name}_001.txt").write_text("1\n" + "10,10,20,20\n" * 29)
    page = build_page([evaluate(load("VOT2017", tmp_path / "results", tmp_path / "truth"))])
    cells = printed_cells().set_index(["benchmark", "tracker", "metric"])
    printed = cells.loc[("VOT2017", "ROAM", "accuracy"), "printed"]
    row = re.search(r"<th scope=.row.>ROAM, A</th>(.*?)</tr>", page).group(1)
    values = re.findall("<td>(.*?)</td>", row)
    assert [float(value) for value in values[:3]] == pytest.approx([printed, 1, 1 - printed], abs=1e-3)
    assert values[4] == "partial: 2 of 60 sequences"
    assert "Nobody, " not in page
