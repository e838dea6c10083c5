"""Test the page of `infoae demo` in a headless Chromium.

    python nbs/test_demo.py [--page DIR] [--runtime DIR] [--shots DIR]

Needs Chromium, its driver and selenium, and for onnxruntime-web npm or --runtime DIR; where one is missing, one line
says that nothing was tested. --page takes a page that `infoae export-demo` wrote instead of exporting one; --shots
keeps pictures of the page. Exits 1 with the first thing that is wrong.
"""
import argparse
import base64
import json
import shutil
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SEVEN = [(0.3, 0.22), (0.7, 0.22), (0.45, 0.82)]                        # corners of a stroke, in parts of the pad
ONE = [(0.52, 0.15), (0.5, 0.85)]
DARK = """return [...document.querySelectorAll('%s')].map(c => {const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let s = 0, x = 0, y = 0;
  let box = [99, 99, -1, -1]; for (let i = 0; i < c.width * c.height; i++) {const v = d[4 * i + 3], p = i %% c.width, q = Math.floor(i / c.width); s += v; x += v * p; y += v * q;
  if (v > 8) box = [Math.min(box[0], p), Math.min(box[1], q), Math.max(box[2], p), Math.max(box[3], q)];} return [s / 255, x / s, y / s, ...box];})"""


def missing() -> str:
    "What is not here that the test needs, or nothing."
    found = {"chromium": shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome"), "chromedriver": shutil.which("chromedriver"), "selenium": find_spec("selenium")}
    return ", ".join(name for name, there in found.items() if not there)


def browser(width: int, height: int, profile: str, scheme: str = "light") -> Any:
    "A headless Chromium with a window of this size."
    from selenium import webdriver
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 f"--user-data-dir={profile}", f"--window-size={width},{height}"): options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(60)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    return driver


class Page:
    "The page in a browser, and what the tests do with it."

    def __init__(self, driver: Any, address: str):
        self.driver = driver
        driver.get(address)
        self.wait(lambda: driver.execute_script("return document.documentElement.dataset.ready") == "true", "ready", 120)

    def find(self, selector: str) -> Any: return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str: return self.driver.execute_script("return document.querySelector(arguments[0]).textContent", selector)

    def wait(self, holds: Any, what: str, seconds: float = 30) -> None:
        "Until it holds; AssertionError after some seconds."
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"waited {seconds:.0f} s in vain for: {what}; {self.text('#status')}"
            time.sleep(0.05)

    def ink(self, selector: str) -> list:
        "Of each canvas: ink, its centre of mass, and the box around it."
        return self.driver.execute_script(DARK % selector)

    def picture(self, selector: str) -> str: return self.driver.execute_script("return document.querySelector(arguments[0]).toDataURL()", selector)

    def changed(self, selector: str, act: Any) -> None:
        "Act, and wait until a canvas shows something else."
        before = self.picture(selector)
        act()
        self.wait(lambda: self.picture(selector) != before, f"another picture in {selector}")

    def draw(self, corners: list, touch: bool = False) -> None:
        "A stroke through corners, by mouse or finger, each given in parts of the pad."
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.actions.pointer_input import PointerInput
        pad, pointer = self.find("#pad"), PointerInput("touch" if touch else "mouse", "pen")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", pad)
        side = pad.size["width"]
        chain = ActionChains(self.driver)
        chain.w3c_actions.devices = [pointer]
        place = lambda p: dict(x=round((p[0] - 0.5) * side), y=round((p[1] - 0.5) * side), origin=pad)
        pointer.create_pointer_move(duration=0, **place(corners[0]))
        pointer.create_pointer_down(button=0)
        for a, b in zip(corners, corners[1:]):
            for s in range(1, 9): pointer.create_pointer_move(duration=15, **place([p + s / 8 * (q - p) for p, q in zip(a, b)]))
        pointer.create_pointer_up(button=0)
        chain.w3c_actions.pointer_action.source = pointer
        self.driver.execute("actions", {"actions": [pointer.encode()]})

    def shoot(self, file: Path) -> None:
        "The whole page as a picture."
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
        file.write_bytes(base64.b64decode(shot["data"]))

    def errors(self) -> list[str]:
        "Errors and warnings in the console, but for the one about reading canvases, which is what this test does."
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING") and "willReadFrequently" not in entry["message"]]

    def hosts(self) -> set[str]:
        "Whom the page asked."
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return {url.split("/")[2] for url in urls if url.startswith(("http:", "https:", "ws:", "wss:"))}


def check(page: Page, touch: bool = False) -> None:
    "Everything the page does."
    from selenium.webdriver.common.keys import Keys
    probabilities = lambda: page.driver.execute_script("return [...document.querySelectorAll('#bars .share')].map(s => parseFloat(s.textContent))")
    for corners, digit in ((SEVEN, "7"), (ONE, "1")):
        page.find("#clear").click()
        page.wait(lambda: page.text("#verdict") == "Nothing drawn yet.", "an empty pad")
        page.draw(corners, touch)
        page.wait(lambda: page.text("#verdict").startswith("Category"), "a category")
        time.sleep(0.5)
        (ink, x, y, left, top, right, bottom), = page.ink("#seen")
        assert abs(x - 14) < 0.3 and abs(y - 14) < 0.3, f"the centre of mass is ({x:.2f}, {y:.2f})"
        assert max(right - left, bottom - top) + 1 in (20, 21), f"the drawing is {right - left + 1} x {bottom - top + 1} pixels"
        assert 20 < ink < 150 and page.ink("#again")[0][0] > 20, "no reconstruction"
        assert len(probabilities()) == 10 and abs(sum(probabilities()) - 100) < 1, probabilities()
        print(f"  a drawn {digit}: {page.text('#verdict')}")
        assert f"digit {digit}:" in page.text("#verdict"), page.text("#verdict")
    pad = page.find("#pad")
    page.changed("#seen", lambda: pad.send_keys(Keys.DELETE, " ", *[Keys.ARROW_DOWN] * 6, *[Keys.ARROW_RIGHT] * 5, " "))
    page.wait(lambda: page.text("#verdict").startswith("Category"), "a category of what the keys drew")
    page.changed("#seen", page.find("#lend").click)

    assert all(ink > 5 for ink, *_ in page.ink("#categories canvas")) and len(page.ink("#categories canvas")) == 10
    for number in (1, 2, 3): page.changed("#made", lambda: page.find(f"#direction-{number}").send_keys(*[Keys.PAGE_UP if number % 2 else Keys.PAGE_DOWN] * 3))
    page.changed("#made", page.find("#categories button:nth-child(1)").click)
    assert page.find("#categories button:nth-child(1)").get_attribute("aria-pressed") == "true" and "named 0" in page.text("#made-name")
    page.changed("#made", page.find("#new-z").click)

    page.changed("#between", lambda: page.find("#along").send_keys(Keys.HOME))
    assert page.text("#between-name").startswith("0 % of the way from")
    page.changed("#between", page.find("#from button:nth-child(2)").click)
    page.changed("#strip canvas:last-child", page.find("#to button:nth-child(5)").click)
    page.changed("#between", page.find("#new-pair").click)

    board = page.find("#map")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", board)
    from selenium.webdriver import ActionChains
    seen = set()
    for x in (-0.3, -0.15, 0, 0.15, 0.3):
        for y in (-0.3, 0, 0.3):
            ActionChains(page.driver).move_to_element_with_offset(board, round(x * board.size["width"]), round(y * board.size["height"])).perform()
            time.sleep(0.1)
            seen.add(page.picture("#point"))
    assert len(seen) > 5 and page.ink("#point")[0][0] > 10 and "its label is" in page.text("#point-name"), f"the map showed {len(seen)} pictures"
    before = page.text("#point-name")
    board.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.wait(lambda: page.text("#point-name") != before, "another point by keyboard")

    wide = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"the page is {wide[0]} wide in a window of {wide[1]}"
    nameless = page.driver.execute_script("return [...document.querySelectorAll('button, input, [tabindex]')].filter(e => !(e.ariaLabel || e.labels?.[0]?.textContent || e.textContent).trim()).map(e => e.outerHTML)")
    assert not nameless, nameless
    for entry in page.errors(): raise AssertionError(f"the console says: {entry}")


def check_file(driver: Any, page: Path) -> None:
    "A page that was opened as a file says how to serve it."
    driver.get(page.as_uri())
    time.sleep(3)
    note = driver.find_element("id", "unserved")
    assert note.is_displayed() and "python -m http.server" in note.text, "opened as a file, the page says nothing"
    driver.get_log("browser")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="a page that infoae export-demo wrote")
    parser.add_argument("--runtime", help="a folder with onnxruntime-web")
    parser.add_argument("--shots", type=Path, help="a folder for pictures")
    parser.add_argument("--only", default="", help="only the windows whose name begins so: desktop, phone, dark")
    args = parser.parse_args()
    if missing():
        print(f"The page was not tested in a browser: there is no {missing()} here.")
        return 0
    from infoae.demo import export_demo, find_runtime, make_server
    with tempfile.TemporaryDirectory() as made:
        if not args.page:
            try: find_runtime(args.runtime)
            except RuntimeError as e:
                print(f"The page was not tested in a browser: {e}")
                return 0
        folder = args.page or export_demo(Path(made)/"page", args.runtime).parent
        with make_server(folder, 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            for i, (name, width, height, scheme) in enumerate((("desktop", 1200, 900, "light"), ("phone", 390, 844, "light"), ("dark", 1200, 900, "dark"), ("phone-dark", 390, 844, "dark"))):
                if not name.startswith(args.only): continue
                print(f"{name}, {width} x {height}", flush=True)
                driver = browser(width, height, f"{made}/profile-{i}", scheme)
                try:
                    page = Page(driver, f"http://127.0.0.1:{server.server_port}/")
                    if i < 2: check(page, touch=width < 600)
                    else: page.draw(SEVEN); time.sleep(1)
                    assert page.hosts() <= {f"127.0.0.1:{server.server_port}"}, f"the page asked {page.hosts()}"
                    if args.shots: args.shots.mkdir(parents=True, exist_ok=True); page.shoot(args.shots/f"{name}.png")
                    if i == 0:
                        check_file(driver, folder/"index.html")
                        if args.shots: page.shoot(args.shots/"file.png")
                except BaseException:
                    if args.shots: args.shots.mkdir(parents=True, exist_ok=True); page.shoot(args.shots/f"{name}-failed.png")
                    raise
                finally: driver.quit()
            server.shutdown()
    print("the page works: strokes, sliders, paths, map, keyboard, no error, no other host")
    return 0


if __name__ == "__main__": sys.exit(main())
