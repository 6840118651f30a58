"""The report in a real browser: what a person sees, points at and reaches with the keyboard."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from bo.campaign import Campaign
from bo.pareto import front
from bo.records import Objective
from bo.report import write_report

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium; `make services` installs it")
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run")
SECTIONS = ("front", "winner", "curve", "best", "surrogate", "origins", "lineage", "constraints", "failures", "trials")
WIDTHS = (1280, 390)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Chromium with a profile of its own that writes down its console and its network."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "localhost,127.0.0.1")
        patch.setenv("SE_OFFLINE", "true")
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER, log_output=os.devnull))
        yield driver
        driver.quit()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, search_several: Callable[..., Campaign]) -> Iterator[Campaign]:
    made = search_several(tmp_path_factory.mktemp("two"))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, search_several: Callable[..., Campaign]) -> Iterator[Campaign]:
    others = (Objective("latency", maximize=False), Objective("params", maximize=False))
    made = search_several(tmp_path_factory.mktemp("three"), others, ())
    yield made
    made.store.close()


def visit(browser: webdriver.Chrome, campaign: Campaign, width: int = 1280, scheme: str = "light") -> None:
    """Open the campaign's report, written once, in a window of so many pixels."""
    path = campaign.store.path.with_name("report.html")
    if not path.exists():
        write_report(campaign.space, campaign.store, path)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # what an earlier page left
    browser.get(path.as_uri())


def point(browser: webdriver.Chrome, number: int, panel: int = 0) -> WebElement:
    panels = browser.find_elements(By.CSS_SELECTOR, "#front .panel")
    return panels[panel].find_element(By.CSS_SELECTOR, f'.point[data-trial="{number}"] .hit')


def settle(browser: webdriver.Chrome, element: WebElement) -> None:
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)


def shown_tips(browser: webdriver.Chrome) -> list[str]:
    return [tip.text for tip in browser.find_elements(By.CSS_SELECTOR, ".tip") if tip.is_displayed()]


def chosen(browser: webdriver.Chrome) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, "#front .chosen")


def apart(campaign: Campaign) -> list[int]:
    """Numbers on the front, from the left of its panel to the right, none within a marker of another."""
    numbers, last = [], -10.0
    for trial in sorted(front(campaign.history), key=lambda trial: trial.metrics["latency"]):
        if trial.metrics["latency"] - last > 4:
            numbers.append(trial.number)
            last = trial.metrics["latency"]
    return numbers


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("which", ["two", "three"])
def test_whole_quiet_and_as_wide_as_the_window(
    browser: webdriver.Chrome, request: pytest.FixtureRequest, which: str, width: int, scheme: str
) -> None:
    visit(browser, request.getfixturevalue(which), width, scheme)
    assert browser.get_log("browser") == []
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in requests if one["method"] == "Network.requestWillBeSent"]
    assert any(url.startswith("file:") for url in urls)
    assert [url for url in urls if not url.startswith(("file:", "data:"))] == []
    for name in SECTIONS:
        if name != "constraints" or which == "two":
            section = browser.find_element(By.ID, name)
            assert section.is_displayed(), name
            assert section.rect["height"] > 40, name
    told = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert told[0] <= told[1] == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_in_both_schemes(browser: webdriver.Chrome, two: Campaign, scheme: str) -> None:
    visit(browser, two, scheme=scheme)
    settle(browser, point(browser, apart(two)[0]))
    ActionChains(browser).move_to_element(point(browser, apart(two)[0])).perform()
    for selector in ("h1", ".lead", "#front p", ".tiles dt", ".tip code", ".chosen h3", ".chosen dd", "#front summary",
                     "#failures td", "#curve figcaption", "#front .panel text"):  # fmt: skip
        assert contrast(browser, selector) >= 4.5, selector


def contrast(browser: webdriver.Chrome, selector: str) -> float:
    """Of the text to what lies behind it, by the W3C's formula."""
    ink, behind = browser.execute_script(
        """
        const found = document.querySelector(arguments[0]);
        const style = getComputedStyle(found);
        let around = found;
        while (getComputedStyle(around).backgroundColor === "rgba(0, 0, 0, 0)") around = around.parentElement;
        const text = found instanceof SVGElement ? style.fill : style.color;
        return [text, getComputedStyle(around).backgroundColor].map((c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number));
        """,
        selector,
    )
    levels = sorted(luminance(colour) for colour in (ink, behind))
    return (levels[1] + 0.05) / (levels[0] + 0.05)


def luminance(colour: list[float]) -> float:
    parts = [value / 255 for value in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("width", WIDTHS)
def test_pointing_shows_and_clicking_draws(browser: webdriver.Chrome, two: Campaign, width: int) -> None:
    visit(browser, two, width)
    trials = {trial.number: trial for trial in two.history.done}
    assert f"#{front(two.history)[0].number}," in chosen(browser).text  # drawn before anything is clicked
    assert len(browser.find_elements(By.CSS_SELECTOR, "#front .point")) == len(trials)
    for number in apart(two)[:3]:
        trial = trials[number]
        settle(browser, point(browser, number))
        ActionChains(browser).move_to_element(point(browser, number)).perform()
        (tip,) = shown_tips(browser)
        assert trial.arch in tip
        assert f"#{number}, {trial.proposal.origin}, on the front" in tip
        assert f"{trial.metrics['latency']:g} ms" in tip
        box = browser.find_element(By.CSS_SELECTOR, ".tip:not([hidden])").rect
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        ActionChains(browser).click().perform()
        assert trial.arch in chosen(browser).text
        drawing = chosen(browser).find_element(By.CSS_SELECTOR, "svg")
        assert drawing.is_displayed()
        names = [text.text for text in drawing.find_elements(By.CSS_SELECTOR, "text.name")]
        assert sorted(names) == sorted(op.name for op in trial.graph.ops)
        assert len(drawing.find_elements(By.CSS_SELECTOR, "path.wire")) == len(trial.graph.edges)
        selected = browser.find_elements(By.CSS_SELECTOR, '#front .point[aria-selected="true"]')
        assert [one.get_attribute("data-trial") for one in selected] == [str(number)]
    ActionChains(browser).move_to_element(browser.find_element(By.ID, "front-title")).perform()
    browser.execute_script("document.activeElement.blur()")
    assert shown_tips(browser) == []


def test_infeasible_trials_are_marked(browser: webdriver.Chrome, two: Campaign) -> None:
    visit(browser, two)
    feasible = {trial.number for trial in two.history.feasible}
    marked = browser.find_elements(By.CSS_SELECTOR, "#front .point.out")
    assert {int(one.get_attribute("data-trial") or -1) for one in marked} == {
        trial.number for trial in two.history.done if trial.number not in feasible
    }
    assert marked
    assert all("breaks params ≤ 0.5 M" in (one.get_attribute("aria-label") or "") for one in marked)


def focused(browser: webdriver.Chrome) -> WebElement:
    return browser.switch_to.active_element


def test_the_keyboard_reaches_every_point(browser: webdriver.Chrome, two: Campaign) -> None:
    visit(browser, two)
    for _ in range(30):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        if "point" in (focused(browser).get_attribute("class") or ""):
            break
    assert focused(browser).get_attribute("role") == "option"
    assert "on the front" in (focused(browser).get_attribute("aria-label") or "")
    outline = browser.execute_script(
        "return getComputedStyle(document.activeElement.querySelector('.hit')).strokeWidth"
    )  # fmt: skip
    assert outline == "2px"
    ActionChains(browser).send_keys(Keys.HOME).perform()
    reached = [focused(browser).get_attribute("data-trial")]
    for _ in two.history.done[1:]:
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
        reached.append(focused(browser).get_attribute("data-trial"))
    assert sorted(map(int, filter(None, reached))) == [trial.number for trial in two.history.done]
    (tip,) = shown_tips(browser)
    arch = next(trial.arch for trial in two.history.done if str(trial.number) == reached[-1])
    assert arch in tip
    assert arch not in chosen(browser).text
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert arch in chosen(browser).text
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert shown_tips(browser) == []
    before = focused(browser).get_attribute("data-trial")
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert focused(browser).get_attribute("data-trial") is None, f"Tab leaves the panel, from {before}"


def test_three_objectives_have_a_panel_a_pair_that_move_together(browser: webdriver.Chrome, three: Campaign) -> None:
    visit(browser, three)
    panels = browser.find_elements(By.CSS_SELECTOR, "#front .panel")
    assert len(panels) == 3
    number = three.history.feasible[0].number
    target = point(browser, number, 2)
    settle(browser, target)
    browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", target)
    selected = browser.find_elements(By.CSS_SELECTOR, '#front .point[aria-selected="true"]')
    assert [one.get_attribute("data-trial") for one in selected] == [str(number)] * 3
    assert three.history.feasible[0].arch in chosen(browser).text


def test_one_objective_needs_no_script(browser: webdriver.Chrome, search_several: Any, tmp_path: Path) -> None:
    made = search_several(tmp_path, (), (), 14)
    visit(browser, made)
    assert browser.get_log("browser") == []
    assert not browser.find_elements(By.TAG_NAME, "script")
    assert browser.find_element(By.ID, "curve").is_displayed()
    made.store.close()
