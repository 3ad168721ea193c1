"""What a browser makes of a report: run where Chromium and its driver are installed."""

import json
import shutil
import time

import pytest

from easymft.report.audit import DomainAudit, render_audit_html
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


@pytest.fixture
def audit_page(tmp_path, browser):
    """An audit of two domains, opened; decisions are downloaded into its folder."""
    labels = ("bad", "good", "so so")

    def row(number):
        return {
            "id": f"={number}",
            "checksum": f"h{number}",
            "text": f'text "{number}"',
            "text_pair": None,
            "label": "good",
            "suggested_label": "bad",
            "why": "reads like bad",
            "score": 1 - number / 10,
            "typicality": number / 10,
        }

    rows = [row(number) for number in range(3)]
    domains = [
        DomainAudit(name, 9, {"label": 3}, 3, rows, rows[:1], rows[-1:], labels)
        for name in ("books", "tools")
    ]
    page = tmp_path / "audit.html"
    source = render_audit_html("shop", ["18 texts"], domains, {"label": "may be wrong"})
    page.write_text(source, encoding="utf-8")
    download = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", download)
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    return tmp_path


@pytest.mark.long
def test_an_audit_is_decided_by_keyboard_and_saved(browser, audit_page):
    keys = browser.find_element("tag name", "body").send_keys
    shown = "return document.querySelector('main > section:not([hidden]) h2').textContent"
    assert browser.execute_script(shown) == "Overview"
    keys("n")
    assert browser.execute_script(shown) == "books"

    def column(place):
        cells = browser.execute_script(
            "return [...document.querySelectorAll('section:not([hidden]) .audit tbody tr')]"
            f".map(row => row.cells[{place}].textContent.trim())"
        )
        return cells

    assert column(0) == ["1.00", "0.90", "0.80"]
    browser.execute_script("document.querySelector('section:not([hidden]) thead button').click()")
    assert column(0) == ["0.80", "0.90", "1.00"]
    for key in ("j", "y", "r", "d"):  # to the first; keep, relabel and drop go to the next
        browser.switch_to.active_element.send_keys(key)
    assert browser.find_element("id", "decided").text == "3 decisions, not saved."
    browser.find_element("id", "save").click()
    saved = audit_page / "decisions.csv"
    for _ in range(50):
        if saved.exists():
            break
        time.sleep(0.1)
    assert saved.read_text(encoding="utf-8").splitlines() == [
        "\ufeffid,suggested_label,decision,checksum",
        '"\'=2","bad","keep","h2"',
        '"\'=1","bad","relabel","h1"',
        '"\'=0","bad","drop","h0"',
    ]
