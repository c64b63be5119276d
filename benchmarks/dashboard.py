"""The dashboard with a study of 12,600 trials in Chromium: seconds to open it and to filter it.

From the start of the navigation, or from the click, until the cells are on the screen.

    python -m benchmarks.dashboard
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from selenium import webdriver

from benchmarks.made_up_study import make_up, start
from grids.load import load_grid
from orchestrator import machine
from results.lease import Beating

TIMES = 7
ON_EVERY_PAGE = """
new MutationObserver((_, observer) => {
  if (!document.getElementById("matrix")?.dataset.shown) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn = performance.now(); }));
}).observe(document, { subtree: true, childList: true, attributes: true });
"""
FILTER = """
const [parameter, value, done] = arguments;
const box = document.querySelector(
  `details[data-parameter="${parameter}"] .values input[value="${value}"]`);
const started = performance.now();
box.click();
requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - started)));
"""
SCORE = """
const [score, done] = arguments;
const matrix = document.getElementById("matrix");
const started = performance.now();
new MutationObserver((_, observer) => {
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - started)));
}).observe(matrix, { attributes: true });
const select = document.getElementById("score");
select.value = score;
select.dispatchEvent(new Event("change"));
"""


def browser() -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000"):
        options.add_argument(argument)
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": ON_EVERY_PAGE})
    driver.set_script_timeout(60)
    return driver


def opened(driver: Any, address: str) -> float:
    driver.get("about:blank")
    driver.get(address)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if drawn := driver.execute_script("return window.drawn"):
            assert driver.execute_script("return document.querySelector('#shown').textContent")
            return float(drawn) / 1000
        time.sleep(0.02)
    raise AssertionError("the page was never drawn")


def peak_mb(pid: int) -> float:
    [line] = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1024


def report(name: str, seconds: list[float]) -> None:
    print(f"{name:44}{statistics.median(seconds):8.3f} s   (largest {max(seconds):.3f})")


def main() -> None:
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}  {machine.cpu_model()}, {os.cpu_count()} cores")
    print("  ".join(f"{name} {version}" for name, version in machine.versions().items()))
    driver = browser()
    print(f"chromium {driver.capabilities['browserVersion']}, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as out, Beating(make_up(Path(out))) as beating:
        folder = beating.lease.folder
        trials = load_grid(folder.study_yaml).trials
        command = [sys.executable, "-m", "orchestrator", "dashboard", out, "--port", "0"]
        began = time.monotonic()
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        address = server.stderr.readline().split()[-1] + f"study/{folder.name}/"
        listening = time.monotonic() - began
        opened(driver, address)
        report("started, and first opened at once", [time.monotonic() - began])
        report("  of it until it listens", [listening])
        report(f"opened, {len(trials):,} trials", [opened(driver, address) for _ in range(TIMES)])
        for name, parameter, values in (
            ("filtered by seed, a value out", "seed", range(7)),
            ("filtered by dataset, a value out", "dataset", range(5)),
            ("filtered by framework, a value out", "framework", range(5)),
        ):
            found = [
                driver.execute_async_script(FILTER, parameter, str(value)) / 1000
                for value in values
            ]
            report(name, found)
        opened(driver, address)
        scores = ["mig mig", "dci dci_disentanglement", "sap sap", "factor_vae factor_vae_score"]
        report(
            "coloured by a score",
            [driver.execute_async_script(SCORE, score) / 1000 for score in scores],
        )
        opened(driver, address)
        waiting = [t for t in trials if not folder.record("curves", t.trial_id).exists()]
        script = "return document.querySelector('[data-letter=r] b').textContent"
        before = driver.execute_script(script)
        began = time.monotonic()
        start(folder, waiting[-1], reports=1)
        while driver.execute_script(script) == before:
            time.sleep(0.02)
        report("a trial starts, until its cell shows it", [time.monotonic() - began])
        print(f"{'memory of the server, peak':44}{peak_mb(server.pid):8.0f} MB")
        server.terminate()
        server.wait()
        server.stderr.close()
    driver.quit()


if __name__ == "__main__":
    main()
