"""The pages in a real browser: Chromium without a window, driven by Debian's chromium-driver."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from orchestrator.dashboard.app import make_app

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webdriver import WebDriver  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs `apt install chromium chromium-driver`"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new",
        "--no-sandbox",  # as root, in a container
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1280,1000",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """serve(root) gives the address of a dashboard in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers = []

    def start(root: Path) -> str:
        server = TestServer(make_app(root))
        asyncio.run_coroutine_threadsafe(server.start_server(), loop).result()
        servers.append(server)
        return str(server.make_url("/"))

    yield start
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Page:
    """What a test does with the page that is open."""

    def __init__(self, browser: WebDriver) -> None:
        self.browser = browser

    def open(self, address: str) -> None:
        self.browser.get("about:blank")  # an address that differs by its hash alone loads nothing
        self.browser.get(address)

    def wait(self, script: str, *arguments: Any) -> Any:
        """Until the script returns what is true."""
        waiting = WebDriverWait(self.browser, 30, poll_frequency=0.05)
        return waiting.until(lambda _: self.run(script, *arguments))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def shown(self, count: int) -> None:
        """Until so many cells are shown."""
        script = "return document.getElementById('matrix')?.dataset.shown === arguments[0]"
        self.wait(script, str(count))

    def text(self, selector: str) -> str:
        return self.browser.find_element(By.CSS_SELECTOR, selector).text

    def click(self, selector: str) -> None:
        self.browser.find_element(By.CSS_SELECTOR, selector).click()

    def filter(self, parameter: str, value: str) -> None:
        """Opens the panel of a parameter and presses one of its values."""
        panel = f"details[data-parameter='{parameter}']"
        if not self.run("return document.querySelector(arguments[0]).open", panel):
            self.click(f"{panel} summary")
        for label in self.browser.find_elements(By.CSS_SELECTOR, f"{panel} .values label"):
            if label.text == value:
                label.click()
                return
        raise AssertionError(f"{parameter} has no {value}")

    def to_cell(self, index: int, then: Callable[[Any], Any]) -> None:
        """Moves the pointer to a trial's cell."""
        x, y = self.run(
            "return document.getElementById('matrix').matrix.placeOf(arguments[0])", index
        )
        canvas = self.browser.find_element(By.CSS_SELECTOR, "#matrix canvas")
        size = canvas.size
        moves = webdriver.ActionChains(self.browser).move_to_element_with_offset(
            canvas, round(x - size["width"] / 2), round(y - size["height"] / 2)
        )
        then(moves).perform()

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser")]


@pytest.fixture
def page(browser: WebDriver) -> Page:
    browser.get("about:blank")
    browser.get_log("browser")  # of the test before, whose server is gone
    return Page(browser)


def test_a_study_is_opened_filtered_and_a_cell_leads_to_its_trial(
    five: Any, serve: Any, page: Page
) -> None:
    page.open(serve(five.folder.out))
    page.click("table.studies a")
    page.shown(5)
    assert page.text("#shown") == "5 trials"
    legend = page.text("#states").split()
    assert legend[::2] == ["waiting", "running", "completed", "diverged", "failed"]
    assert legend[1::2] == ["1"] * 5
    page.filter("seed", "1")
    page.filter("seed", "2")
    page.shown(3)
    assert page.text("#shown") == "3 of 5 trials"
    assert "seed=0&seed=3&seed=4" in page.browser.current_url  # to be sent to others
    assert page.run("return document.getElementById('failed-section').hidden")  # that was seed 2
    page.browser.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    page.click("#states button[data-letter='w']")
    page.shown(2)
    page.to_cell(0, lambda moves: moves)
    page.wait("return document.getElementById('tooltip').textContent.includes('seed 0')")
    page.to_cell(0, lambda moves: moves.click())
    page.wait("return location.pathname.includes('/trial/')")
    assert five.ids["completed"] in page.browser.current_url
    page.wait("return document.querySelectorAll('#curves svg polyline').length >= 5")
    body = page.text("main")
    assert "completed" in body and "dataset.spacing" in body and "0.125" in body
    page.browser.back()
    page.shown(2)  # as it was left
    page.click("#clear")
    page.shown(5)
    assert page.complaints() == []


def test_it_updates_itself(five: Any, serve: Any, page: Page) -> None:
    root = serve(five.folder.out)
    page.open(f"{root}study/five/#by=mig+mig")
    page.shown(5)
    cell = "return document.getElementById('matrix').matrix.paint(4)"
    assert page.run(cell) == {"letter": "w", "progress": 0, "share": None, "number": ""}
    five.end(five.ids["waiting"], "completed")
    five.score(five.ids["waiting"], 60, 1.0)
    # The state and the score may come with two looks at the server.
    both = "(cell => cell.share === 1 && cell.letter === 'c')"
    page.wait(cell.replace("return ", f"return {both}(") + ")")
    assert page.run(cell) == {"letter": "c", "progress": 0, "share": 1, "number": "1"}
    page.wait("return document.querySelector('.facts').textContent.includes('3 of 5')")
    assert "mean 0.75 of 2" in page.text("#scale")
    assert page.run("return document.querySelectorAll('#running .card svg').length") == 3
    page.open(f"{root}study/five/trial/{five.ids['running']}/")
    page.wait("return document.querySelector('.badge').textContent.includes('running')")
    page.wait("return document.querySelectorAll('#curves figure').length === 4")
    five.end(five.ids["running"], "diverged")
    page.wait("return document.querySelector('.badge').textContent.includes('diverged')")
    page.wait("return document.querySelector('#curves title').textContent.includes('6 reports')")
    assert page.complaints() == []


def test_a_diverged_trial_shows_its_curves_with_a_gap(five: Any, serve: Any, page: Page) -> None:
    root, diverged = serve(five.folder.out), five.ids["diverged"]
    loss = [3.0, float("nan"), 2.0, 1.0, float("nan")]
    rows = [
        {"trial_id": diverged, "step": 10 * (at + 1), "loss": value, "kl_nats": float("nan")}
        for at, value in enumerate(loss)
    ]
    page.open(f"{root}study/five/trial/{diverged}/")
    page.wait("return document.querySelectorAll('#curves figure').length === 4")
    assert page.run("return document.getElementById('unreachable').hidden")
    page.wait("return document.getElementById('pulse').textContent.startsWith('live, ')")
    five.folder.write_record("curves", diverged, rows, durable=False)
    page.wait("return document.querySelectorAll('#curves figure').length === 2")
    kinds = "return [...document.querySelectorAll('#curves .line')].map(e => e.tagName)"
    assert page.run(kinds) == ["circle", "polyline"]  # of the loss alone; the KL has no number
    points = page.run("return document.querySelector('#curves polyline').points.numberOfItems")
    assert points == 2
    assert "–" in page.text("#curves")
    assert page.complaints() == []


def test_a_curve_that_is_half_copied_is_one_line_and_then_a_curve(
    five: Any, serve: Any, page: Page
) -> None:
    root, running = serve(five.folder.out), five.ids["running"]
    record = five.folder.record("curves", running)
    whole = record.read_bytes()
    record.write_bytes(whole[:50])
    page.open(f"{root}study/five/")
    page.wait(
        "return document.querySelector('#running .card')?.textContent.includes(arguments[0])",
        record.name,
    )
    assert page.run("return document.getElementById('unreachable').hidden")
    page.open(f"{root}study/five/trial/{running}/")
    page.wait("return !document.getElementById('unread').hidden")
    assert record.name in page.text("#unread")
    assert page.run("return document.getElementById('unreachable').hidden")
    assert page.run("return document.getElementById('curves').hidden")
    record.write_bytes(whole)
    page.wait("return document.querySelectorAll('#curves figure').length === 4")
    assert page.run("return document.getElementById('unread').hidden")
    assert page.complaints() == []


def test_the_keyboard_reaches_every_cell(five: Any, serve: Any, page: Page) -> None:
    page.open(f"{serve(five.folder.root)}study/five/")
    page.shown(5)
    matrix = page.browser.find_element(By.ID, "matrix")
    matrix.send_keys(Keys.ARROW_RIGHT)  # the first key finds the first cell
    page.wait("return document.getElementById('cell').textContent.startsWith('seed 0: completed')")
    matrix.send_keys(Keys.END, Keys.ARROW_LEFT)
    page.wait("return document.getElementById('cell').textContent.startsWith('seed 3: running')")
    matrix.send_keys(Keys.ENTER)
    page.wait("return location.pathname.includes(arguments[0])", five.ids["running"])
    page.wait("return document.querySelector('progress').value === 30")


def test_markup_in_an_error_or_a_log_stays_text(five: Any, serve: Any, page: Page) -> None:
    root = serve(five.folder.out)
    page.open(f"{root}study/five/")
    page.shown(5)
    page.wait("return document.querySelector('#failed summary').textContent.includes('<b>no</b>')")
    assert page.run("return document.querySelectorAll('#failed b').length") == 1  # the count
    for state in ("failed", "running"):
        page.open(f"{root}study/five/trial/{five.ids[state]}/")
        page.wait("return document.querySelector('pre').textContent.includes('<script>')")
        assert page.run("return document.title") != "owned"
        assert page.run("return document.scripts.length") == 1
    assert page.complaints() == []


def test_it_says_when_the_dashboard_is_gone(five: Any, serve: Any, page: Page) -> None:
    page.open(f"{serve(five.folder.out)}study/five/")
    page.shown(5)
    page.run("window.fetch = () => Promise.reject(new Error('gone'))")
    page.wait("return !document.getElementById('unreachable').hidden")
    assert page.complaints()  # which is for this test alone
