"""What a browser makes of a report: run where Chromium and its driver are installed."""

import json
import shutil

import pytest

from easymft.report.html import render_html
from tests.report.plain_results import summary, tables
from tests.report.test_html import HOSTILE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)
SIZES = {"phone": (375, 812, True), "desktop": (1280, 900, False)}

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and ChromeDriver (chromium, chromium-driver)"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """An everyday report and a hostile one, as addresses."""
    folder = tmp_path_factory.mktemp("reports")
    everyday = render_html(summary(), **tables())
    plain = summary(HOSTILE, HOSTILE[:5])
    plain["stages"]["validate"]["is_sample"] = True
    plain["case_study"][0]["text"] = "unbroken" * 60
    hostile = render_html(plain, **tables(HOSTILE, HOSTILE[:5]))
    found = {}
    for name, source in (("everyday", everyday), ("hostile", hostile)):
        path = folder / f"{name}.html"
        path.write_text(source, encoding="utf-8")
        found[name] = path.as_uri()
    return found


def requested(browser):
    """Addresses that the browser asked for since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.long
@pytest.mark.parametrize("name", ["everyday", "hostile"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_opens_whole(browser, pages, name, size, theme):
    width, height, mobile = SIZES[size]
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": theme}]},
    )
    for log in ("browser", "performance"):  # what earlier pages left
        browser.get_log(log)
    browser.get(pages[name])

    assert browser.get_log("browser") == []
    addresses = [address for address in requested(browser) if not address.startswith("data:")]
    assert addresses == [pages[name]]

    pictures = browser.execute_script(
        "return [...document.querySelectorAll('svg.picture')].map(picture => {"
        " const box = picture.getBoundingClientRect();"
        " return [box.width, box.height, picture.querySelectorAll('path, use, image').length]; })"
    )
    assert len(pictures) == len(browser.find_elements("tag name", "figure")) > 15
    for wide, tall, drawn in pictures:
        assert 300 <= wide <= width  # at 360 its letters are 12 pixels tall
        assert tall > 80
        assert drawn > 3
    # Only tables may be wider than a phone, and those scroll by themselves.
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    # Nothing from the results became an element of its own.
    assert browser.execute_script("return document.querySelectorAll('script, img').length") == 0

    light = browser.execute_script(
        "const rgb = getComputedStyle(document.querySelector('svg.picture text')).fill;"
        " return rgb.match(/\\d+/g).slice(0, 3).every(part => part < 128);"
    )
    assert light == (theme == "light")  # dark letters on light paper, and the reverse


@pytest.mark.long
def test_prints_on_light_paper_without_navigation(browser, pages):
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    browser.get(pages["everyday"])
    style = "return getComputedStyle(document.querySelector('{}')).{}"
    assert browser.execute_script(style.format("nav", "display")) == "none"
    assert browser.execute_script(style.format("body", "color")) == "rgb(22, 25, 29)"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
