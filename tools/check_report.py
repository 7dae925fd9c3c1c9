#!/usr/bin/env python3
"""Opens pages that Quaver wrote in headless Chromium and checks that they work.

    cargo run --release -p quaver-report --example gallery -- gallery.html
    tools/check_report.py gallery.html [--screenshots DIR]

Needs Chromium with its driver (Debian: chromium, chromium-driver) and the Python package selenium. The JSON that lies
beside a page says what must be on it.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PHONE = {"width": 375, "height": 720, "deviceScaleFactor": 2, "mobile": True}
DESKTOP = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}


def browser(folder):
    options = webdriver.ChromeOptions()
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder}/profile",
    ]
    for flag in flags:
        options.add_argument(flag)
    options.add_experimental_option("prefs", {
        "download.default_directory": str(folder),
    })
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    return driver


def emulate(driver, size, scheme):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})


def blocks(page, kind):
    return [block[kind] for section in page["sections"] for block in section["blocks"] if kind in block]


class Checks:
    def __init__(self, driver, path, folder):
        self.driver, self.path, self.folder = driver, path, folder
        self.page = json.loads(path.with_suffix(".json").read_text())
        self.problems = []

    def check(self, holds, message):
        if not holds:
            self.problems.append(message)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self):
        emulate(self.driver, DESKTOP, "light")
        started = time.monotonic()
        self.driver.get(self.path.resolve().as_uri())
        loaded = time.monotonic() - started
        self.figures()
        self.tables()
        self.pointer_and_keys()
        self.saved_figures()
        for scheme in ["light", "dark"]:
            emulate(self.driver, PHONE, scheme)
            width = self.js("return [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]")
            self.check(width[0] <= width[1], f"{width[0]} px wide on a phone of {width[1]} px")
        emulate(self.driver, DESKTOP, "light")
        fetched = self.js("return performance.getEntriesByType('resource').map(entry => entry.name)")
        fetched = [name for name in fetched if not name.startswith(("data:", "blob:"))]
        self.check(not fetched, f"fetched {fetched}")
        log = [entry["message"] for entry in self.driver.get_log("browser")]
        self.check(not log, f"said on the console: {log}")
        return loaded

    def figures(self):
        charts = [figure["content"]["chart"] for figure in blocks(self.page, "figure") if "chart" in figure["content"]]
        shown = self.driver.find_elements(By.CSS_SELECTOR, "svg.chart")
        self.check(len(charts) == len(shown), f"{len(charts)} plots in the JSON, {len(shown)} on the page")
        for chart in shown:
            name = chart.get_attribute("aria-label")
            box = chart.rect
            n_marks = self.js("return arguments[0].querySelectorAll('path, rect').length", chart)
            self.check(box["width"] > 200 and box["height"] > 100, f"plot is {box}: {name[:60]}")
            self.check((n_marks > 1 or self.is_empty(chart)) and len(name) > 20, f"plot without marks or words: {name[:60]}")
            outside = self.js(
                """const box = arguments[0].getBoundingClientRect();
                return [...arguments[0].querySelectorAll('text')].filter(text => {
                  const at = text.getBoundingClientRect();
                  return at.left < box.left - 4 || at.right > box.right + 4 || at.bottom > box.bottom + 4;
                }).map(text => text.textContent)""",
                chart,
            )
            self.check(not outside, f"text outside of its plot: {outside} in {name[:60]}")

    def is_empty(self, chart):
        """Whether the caption says that there was nothing to draw, or not all."""
        caption = self.js("return arguments[0].closest('figure').querySelector('figcaption').textContent", chart)
        return "cut or missing" in caption or "no place on" in caption

    def tables(self):
        tables = blocks(self.page, "table")
        rankings = self.driver.find_elements(By.CLASS_NAME, "ranking")
        self.check(len(tables) == len(rankings), f"{len(tables)} tables in the JSON, {len(rankings)} on the page")
        for table, ranking in zip(tables, rankings):
            rows = table["rows"]
            n_first = self.n_rows(ranking)
            self.check(n_first == min(100, len(rows)), f"{n_first} of {len(rows)} rows at first")
            self.sorting(table, ranking)
            self.filtering(table, ranking)
            self.everything(table, ranking)

    def n_rows(self, ranking):
        return self.js("return arguments[0].querySelector('tbody').rows.length", ranking)

    def column(self, ranking, name):
        return self.js(
            """const heads = [...arguments[0].querySelectorAll('th')].map(head => head.textContent.trim());
            const at = heads.indexOf(arguments[1]);
            return [...arguments[0].querySelector('tbody').rows].map(row => row.cells[at].textContent.trim())""",
            ranking, name,
        )

    def click_header(self, ranking, name):
        """Sorts by a column; its order, and what stands first in it."""
        return self.js(
            """const heads = [...arguments[0].querySelectorAll('th')];
            const at = heads.findIndex(head => head.textContent.trim() === arguments[1]);
            heads[at].querySelector('button').click();
            const cell = arguments[0].querySelector('tbody').rows[0].cells[at];
            return [heads[at].ariaSort, cell.dataset.value ?? cell.textContent]""",
            ranking, name,
        )

    def sorting(self, table, ranking):
        rows = table["rows"]
        for at, column in enumerate(table["columns"]):
            if column["kind"] == "text":
                continue
            values = [row["cells"][at] if at < len(row["cells"]) else None for row in rows]
            values = [float(value) for value in values if value is not None]
            if not values:
                continue
            for _ in range(2):
                order, first = self.click_header(ranking, column["name"])
                first = first.replace("∞", "inf").replace("−", "-").replace("Infinity", "inf")
                wanted = max(values) if order == "descending" else min(values)
                if "×10" in first:
                    continue
                # A cell shows as many decimals as its column has room for.
                shown = len(first.partition(".")[2])
                first = float(first)
                near = first == wanted or abs(first - wanted) <= 0.501 * 10.0**-shown
                self.check(near, f"{column['name']}, {order}: {first} first, not {wanted}")

    def type(self, ranking, text):
        field = ranking.find_element(By.CSS_SELECTOR, ".filter input")
        field.clear()
        field.send_keys(text or " ")
        if not text:
            field.send_keys(Keys.BACKSPACE)

    def filtering(self, table, ranking):
        rows, columns = table["rows"], table["columns"]
        for at, column in enumerate(columns):
            if column["kind"] != "float":
                continue
            values = [float(row["cells"][at]) for row in rows if len(row["cells"]) > at and row["cells"][at] is not None]
            if len(values) < 3:
                continue
            middle = sorted(values)[len(values) // 2]
            self.type(ranking, f"{column['name']}>{middle!r}")
            wanted = sum(value > middle for value in values)
            status = ranking.find_element(By.TAG_NAME, "output").text
            self.check(status.startswith(f"{wanted:,} of"), f"{column['name']}>{middle}: {status!r}, not {wanted}")
            break
        self.type(ranking, "no such row anywhere")
        self.check(self.n_rows(ranking) == 0, "a filter that nothing passes leaves rows")
        self.type(ranking, "")

    def everything(self, table, ranking):
        wanted = len(table["rows"])
        for button in ranking.find_elements(By.CSS_SELECTOR, ".more button"):
            if button.text == "Show all" and button.is_displayed():
                self.js("arguments[0].click()", button)
        n = self.n_rows(ranking)
        self.check(n == wanted, f"{n} of {wanted} rows after “Show all”")
        widths = self.js("return new Set([...arguments[0].querySelectorAll('tr')].map(row => row.cells.length)).size", ranking)
        self.check(widths == 1, "rows have different numbers of cells")

    def pointer_and_keys(self):
        for chart in self.driver.find_elements(By.CSS_SELECTOR, "svg.chart"):
            name = chart.get_attribute("aria-label")[:60]
            if self.is_empty(chart):
                continue
            self.js("arguments[0].focus()", chart)
            chart.send_keys(Keys.ARROW_RIGHT)
            tip = self.driver.find_element(By.CLASS_NAME, "tip")
            self.check(tip.is_displayed() and tip.text, f"arrow keys say nothing: {name}")
            said = tip.text
            chart.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
            n_marks = self.js("return arguments[0].querySelectorAll('[data-title]').length", chart)
            self.check(n_marks < 3 or tip.text != said, f"arrow keys say the same: {name}")
            chart.send_keys(Keys.ESCAPE)
            self.check(not tip.is_displayed(), f"the tip stays: {name}")
            self.js(
                """const box = arguments[0].getBoundingClientRect();
                for (let x = 0.15; x < 0.95; x += 0.02) for (let y = 0.1; y < 0.9; y += 0.05) {
                  const at = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
                  arguments[0].dispatchEvent(new PointerEvent('pointermove', at));
                  if (!document.querySelector('.tip').hidden) return;
                }""",
                chart,
            )
            self.check(tip.is_displayed() and tip.text, f"the pointer finds nothing: {name}")
            self.js("arguments[0].dispatchEvent(new PointerEvent('pointerleave'))", chart)

    def saved_figures(self):
        buttons = self.driver.find_elements(By.CSS_SELECTOR, "button.save")
        charts = self.driver.find_elements(By.CSS_SELECTOR, "svg.chart")
        self.check(len(buttons) == len(charts), f"{len(buttons)} buttons for {len(charts)} plots")
        for button in buttons:
            name = button.get_attribute("aria-label")
            # Of clicks that follow at once upon a file Chromium loses one in thirty: hence the pause, and a second chance.
            file = self.saved(button) or self.saved(button)
            if not file:
                self.check(False, f"no file came: {name}")
                continue
            text = file.read_text()
            root = ElementTree.fromstring(text)
            svg = "{http://www.w3.org/2000/svg}"
            self.check(root.tag == svg + "svg", f"{name}: {root.tag}")
            painted = [element.get("fill") or "" for element in root.iter(svg + "text")]
            self.check(painted and all(fill.startswith("rgb") for fill in painted), f"{name}: text without colour")
            self.check("var(" not in text and "class=" not in text, f"{name}: depends on a style sheet")

    def saved(self, button):
        """The file that a click saves, if one comes."""
        for old in self.folder.glob("*.svg"):
            old.unlink()
        time.sleep(0.3)
        # A real click: a browser lets a script alone save only so many files.
        self.js("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        deadline = time.monotonic() + 10
        while not (files := list(self.folder.glob("*.svg"))) and time.monotonic() < deadline:
            time.sleep(0.05)
        return files[0] if files else None

    def screenshots(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        emulate(self.driver, DESKTOP, "light")
        self.driver.get(self.path.resolve().as_uri())
        for at, chart in enumerate(self.driver.find_elements(By.CSS_SELECTOR, "svg.chart")[:3]):
            self.js("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", chart)
            chart.send_keys(*[Keys.ARROW_RIGHT] * 12)
            self.driver.save_screenshot(str(folder / f"{self.path.stem}-tip{at}.png"))
        for name, size, scheme in [("light", DESKTOP, "light"), ("dark", DESKTOP, "dark"), ("phone", PHONE, "light")]:
            emulate(self.driver, size, scheme)
            self.driver.get(self.path.resolve().as_uri())
            height = self.js("return document.documentElement.scrollHeight")
            emulate(self.driver, {**size, "height": min(height, 12000)}, scheme)
            self.driver.save_screenshot(str(folder / f"{self.path.stem}-{name}.png"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path, metavar="DIR")
    arguments = parser.parse_args()
    n_problems = 0
    with tempfile.TemporaryDirectory() as folder:
        driver = browser(folder)
        try:
            for path in arguments.pages:
                checks = Checks(driver, path, pathlib.Path(folder))
                loaded = checks.all()
                if arguments.screenshots:
                    checks.screenshots(arguments.screenshots)
                size = path.stat().st_size / 1e6
                verdict = "works" if not checks.problems else "does not work"
                print(f"{path}: {verdict} ({size:.1f} MB, open after {loaded:.2f} s)")
                for problem in checks.problems:
                    print(f"  {problem}")
                n_problems += len(checks.problems)
        finally:
            driver.quit()
    sys.exit(1 if n_problems else 0)


if __name__ == "__main__":
    main()
