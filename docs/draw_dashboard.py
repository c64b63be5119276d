"""docs/dashboard.png and docs/dashboard_trial.png: the dashboard of a study, as Chromium shows it.

python docs/draw_dashboard.py STUDY_DIR
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from selenium import webdriver

HERE = Path(__file__).resolve().parent
WIDTH = 1280


def browser() -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def draw(driver: Any, address: str, height: int, name: str) -> None:
    size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get("about:blank")
    driver.get(address)
    time.sleep(6)  # its curves, too
    driver.save_screenshot(str(HERE / name))


def main() -> None:
    study = Path(sys.argv[1]).absolute()
    command = [sys.executable, "-m", "orchestrator", "dashboard", str(study), "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=HERE.parent)
    assert server.stderr is not None
    address = server.stderr.readline().split()[-1] + f"study/{study.name}/"
    driver = browser()
    try:
        draw(driver, f"{address}#by=mig+mig", 960, "dashboard.png")
        best = driver.execute_script(
            "const { layout, paint } = document.getElementById('matrix').matrix;"
            "return [...layout.cells].find((index) => index >= 0 && paint(index).share === 1)"
        )
        grid = driver.execute_async_script(
            "fetch('grid.json').then((answer) => answer.json()).then(arguments[0])"
        )
        draw(driver, f"{address}trial/{grid['trials'][best]}/", 960, "dashboard_trial.png")
    finally:
        driver.quit()
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
