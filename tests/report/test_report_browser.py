"""The report in a real browser, from a file."""

import json
import shutil
import time
from pathlib import Path

import pytest
from report_example import example_report

from edgekd.report.write import write_report

pytestmark = pytest.mark.browser

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> str:
    pytest.importorskip("jinja2")
    pytest.importorskip("plotly")
    html, _ = write_report(example_report(), tmp_path_factory.mktemp("report"))
    return html.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("Chromium or chromedriver is not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.set_page_load_timeout(60)
    yield chrome
    chrome.quit()


def open_page(browser, url: str, width: int, scheme: str = "light") -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(url)
    wait_for(browser, "return document.querySelectorAll('.plot .main-svg').length > 0")


def wait_for(browser, script: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not browser.execute_script(script):
        assert time.monotonic() < end, script
        time.sleep(0.05)


@pytest.mark.parametrize("width", [1280, 390])
def test_loads_in_silence_and_fits(browser, url, width):
    browser.get("data:,")
    browser.get_log("browser")
    browser.get_log("performance")
    open_page(browser, url, width)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert url in asked
    assert [address for address in asked if not address.startswith(("file:", "data:", "blob:"))] == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []
    content, window = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert content <= window
    wide = browser.execute_script(
        "return [...document.querySelectorAll('section, h1, h2, p, figure, dl, .scroll, summary')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []


def test_all_targets_are_there_and_no_name_ran_as_a_script(browser, url):
    open_page(browser, url, 1280)
    names = browser.execute_script("return [...document.querySelectorAll('h2')].map(e => e.textContent)")
    for target in example_report().targets:
        assert target.name in names
    assert browser.execute_script("return document.querySelectorAll('script').length") == 3
    assert "<script>alert(1)</script>" in browser.execute_script("return document.body.innerText")
    from selenium.common.exceptions import NoAlertPresentException

    with pytest.raises(NoAlertPresentException):
        _ = browser.switch_to.alert


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.long
def test_hovering_over_a_point_names_its_variant(browser, url, width):
    open_page(browser, url, width)
    target = example_report().targets[0]
    points = browser.execute_script(
        "const plot = document.getElementById('front-0');"
        "plot.scrollIntoView({block: 'center', behavior: 'instant'});"
        "return [...plot.querySelectorAll('.scatterlayer .trace path.point')].map(point => {"
        "  const box = point.getBoundingClientRect();"
        "  return [box.x + box.width / 2, box.y + box.height / 2];"
        "});"
    )
    assert len(points) == 8 + 2  # variants that have figures; the ring and the teacher
    labels = "[...document.querySelectorAll('#front-0 .hovertext')].map(e => e.textContent).join()"
    said = []
    for x, y in points:
        for place, is_there in (((0, 0), f"{labels} === ''"), ((x, y), f"{labels} !== ''")):
            event = {"type": "mouseMoved", "x": place[0], "y": place[1]}
            browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)
            wait_for(browser, f"return {is_there}")
        said.append(browser.execute_script(f"return {labels}"))
    for row in target.ranked:
        assert row.look != "pass" or any(row.name in words for words in said)
    label = next(words for words in said if target.winner.name in words)
    for words in (
        "p50 ",
        "p95 ",
        "cold start ",
        "memory ",
        "size ",
        "accuracy ",
        "overall drop ",
        "worst slice ",
    ):
        assert words in label


def test_dark_scheme_redraws_figures_and_page(browser, url):
    ink = (
        "return [getComputedStyle(document.body).backgroundColor,"
        "getComputedStyle(document.querySelector('#front-0 .xtick text')).fill]"
    )
    open_page(browser, url, 1280)
    light = browser.execute_script(ink)
    open_page(browser, url, 1280, "dark")
    dark = browser.execute_script(ink)
    assert light[0] != dark[0]
    assert light[1] != dark[1]


def test_prints_on_white_with_every_check_open(browser, url, tmp_path: Path):
    open_page(browser, url, 1280, "dark")
    browser.execute_script(
        "window.seen = {}; addEventListener('beforeprint', () => {"
        "  seen.closed = document.querySelectorAll('details:not([open])').length;"
        "  seen.page = getComputedStyle(document.documentElement).getPropertyValue('--page').trim(); });"
    )
    assert browser.print_page()
    assert browser.execute_script("return window.seen") == {"closed": 0, "page": "#f6f7f9"}
    assert browser.execute_script("return document.querySelectorAll('details:not([open])').length") > 0


def test_a_reader_sees_what_goes_to_the_teacher(browser, url):
    open_page(browser, url, 1280)
    table = "document.querySelector('table.routing')"
    assert browser.execute_script(f"return {table}.getBoundingClientRect().height") > 40
    words = browser.execute_script(f"return {table}.innerText")
    assert "To the teacher" in words and "7.1" in words and "100.0" in words
    note = browser.execute_script(f"return {table}.closest('section').innerText")
    assert '"max_prob": 0.52' in note


def test_the_first_screen_says_what_was_promoted_and_why_not(browser, url):
    open_page(browser, url, 1280)
    seen = browser.execute_script(
        "return [...document.querySelectorAll('section[aria-label=Summary] tbody tr')]"
        ".filter(row => row.getBoundingClientRect().bottom <= innerHeight).map(row => row.innerText)"
    )
    for target, words in zip(example_report().targets, seen, strict=True):
        assert target.name in words and target.status in words
        why = target.next_step.short if target.next_step else target.reason.split(":")[0]
        assert (target.promoted or why) in words


def test_one_click_shows_why_a_variant_was_not_promoted(browser, url):
    open_page(browser, url, 1280)
    place = next(i for i, t in enumerate(example_report().targets) if t.status == "not promoted")
    browser.execute_script(f"document.querySelector('a[href=\"#target-{place}\"]').click()")
    section = f"document.getElementById('target-{place}')"
    wait_for(browser, f"return Math.abs({section}.getBoundingClientRect().top) < 60")
    target = example_report().targets[place]
    top = browser.execute_script(
        f"return [...{section}.querySelectorAll('p')]"
        ".filter(p => p.getBoundingClientRect().bottom < innerHeight).map(p => p.innerText).join(' ')"
    )
    assert target.reason.split(":")[0] in top
    opened = browser.execute_script(
        f"return [...{section}.querySelectorAll('details[open]')].map(d => d.innerText)"
    )
    for row in target.variants:
        words = next(words for words in opened if row.name in words)
        for check in row.checks:
            if check.status != "pass":
                assert check.name in words and check.limit in words


def test_figures_of_calibration_are_drawn(browser, url):
    open_page(browser, url, 1280)
    points = "document.querySelectorAll('#sure-0 .scatterlayer .trace path.point').length"
    assert browser.execute_script(f"return {points}") == 9


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_red_is_for_what_fails(browser, url, scheme):
    open_page(browser, url, 1280, scheme)
    seen = browser.execute_script(
        "const probe = document.body.appendChild(document.createElement('i'));"
        "const names = {};"
        "for (const name of ['pass', 'fail', 'unsure', 'neutral']) {"
        "  probe.style.color = `var(--${name})`; names[getComputedStyle(probe).color] = name;"
        "}"
        "return [...document.querySelectorAll('.chip:not(.basis), td.status b')].map(e => ["
        "  (e.title || e.textContent).trim(), names[getComputedStyle(e).color],"
        "  getComputedStyle(e, '::before').content]);"
    )
    looks = {
        "pass": ("pass", "✓"),
        "pass, 1 warning": ("unsure", "!"),
        "warning": ("unsure", "!"),
        "fail": ("fail", "✕"),
        "inconclusive": ("unsure", "?"),
        "not eligible": ("neutral", "–"),
        "not built": ("neutral", "–"),
        "not measured": ("neutral", "–"),
        "not promoted": ("unsure", "?"),
        "promoted": ("pass", "✓"),
        "promoted (proxy latency)": ("pass", "✓"),
    }
    assert {words for words, *_ in seen} == set(looks)
    for words, colour, sign in seen:
        assert (colour, sign.strip('"')) == looks[words], words


def test_classes_and_confusions_fit_their_section(browser, url):
    open_page(browser, url, 1280)
    for name in ("classes", "confusions"):
        box = f"document.querySelector('table.{name}').closest('.scroll')"
        inner, outer = browser.execute_script(f"return [{box}.scrollWidth, {box}.clientWidth]")
        assert inner <= outer, name
