"""A headless Chromium for the tests of the page, and what they ask it."""

import base64
import io
import json
import shutil

import pytest

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1366,768"
)


def start(profile):
    """A browser with the empty folder `profile`; skips where there is no Chromium or no Selenium."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    binary = next((path for path in map(shutil.which, names) if path), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("there is no Chromium with its driver (Debian: chromium, chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS.split(), f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)  # named, so that none is looked for elsewhere
    return webdriver.Chrome(options=options, service=service)


def requests(driver):
    """The addresses that the page has asked for since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [
        one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"
    ]


def printed(driver):
    """The page on paper: a pypdf reader."""
    pypdf = pytest.importorskip("pypdf")
    answer = driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    return pypdf.PdfReader(io.BytesIO(base64.b64decode(answer["data"])))
