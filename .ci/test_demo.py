"""Test the page of `infoae demo` in a headless Chromium.

    python .ci/test_demo.py [--page DIR] [--runtime DIR] [--shots DIR]

Needs Chromium, its driver and selenium, and for onnxruntime-web npm or --runtime DIR; where one is
missing, one line says that nothing was tested. --page takes a page that `infoae export-demo` wrote
instead of exporting one; --shots keeps pictures of the page. Exits 1 with the first thing that is
wrong.
"""
import argparse
import base64
import json
import shutil
import sys
import tempfile
import threading
import time
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

SEVEN = [(0.3, 0.22), (0.7, 0.22), (0.45, 0.82)]     # corners of a stroke, in parts of the pad
ONE = [(0.52, 0.15), (0.5, 0.85)]
DARK = """return [...document.querySelectorAll('%s')].map(c => {
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let s = 0, x = 0, y = 0, box = [99, 99, -1, -1];
  for (let i = 0; i < c.width * c.height; i++) {
    const v = d[4 * i + 3], p = i %% c.width, q = Math.floor(i / c.width);
    s += v; x += v * p; y += v * q;
    if (v > 8) box = [Math.min(box[0], p), Math.min(box[1], q),
                      Math.max(box[2], p), Math.max(box[3], q)];
  }
  return [s / 255, x / s, y / s, ...box];
})"""
READY = "return document.documentElement.dataset.ready"
TEXT = "return document.querySelector(arguments[0]).textContent"
PICTURE = "return document.querySelector(arguments[0]).toDataURL()"
CENTRE = "arguments[0].scrollIntoView({block: 'center'})"
SHARES = """return [...document.querySelectorAll('#bars .share')]
  .map(s => parseFloat(s.textContent))"""
WIDTHS = "return [document.documentElement.scrollWidth, innerWidth]"
NAMELESS = """return [...document.querySelectorAll('button, input, [tabindex]')]
  .filter(e => !(e.ariaLabel || e.labels?.[0]?.textContent || e.textContent).trim())
  .map(e => e.outerHTML)"""
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
WINDOWS = (("desktop", 1200, 900, "light"), ("phone", 390, 844, "light"),
           ("dark", 1200, 900, "dark"), ("phone-dark", 390, 844, "dark"))


def chromium() -> str | None:
    "Where Chromium is, if it is here."
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def missing() -> str:
    "What is not here that the test needs, or nothing."
    found = {"chromium": chromium(), "chromedriver": shutil.which("chromedriver"),
             "selenium": find_spec("selenium")}
    return ", ".join(name for name, there in found.items() if not there)


def browser(width: int, height: int, profile: str, scheme: str = "light") -> Any:
    "A headless Chromium with a window of this size."
    from selenium import webdriver
    options = webdriver.ChromeOptions()
    options.binary_location = chromium()
    own = (f"--user-data-dir={profile}", f"--window-size={width},{height}")
    for flag in (*FLAGS, *own): options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(60)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})
    return driver


class Page:
    "The page in a browser, and what the tests do with it."

    def __init__(self, driver: Any, address: str):
        self.driver = driver
        driver.get(address)
        self.wait(lambda: driver.execute_script(READY) == "true", "ready", 120)

    def find(self, selector: str) -> Any:
        "The first element that a selector finds."
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        "What an element says."
        return self.driver.execute_script(TEXT, selector)

    def wait(self, holds: Any, what: str, seconds: float = 30) -> None:
        "Until it holds; AssertionError after some seconds."
        end = time.monotonic() + seconds
        while not holds():
            told = f"waited {seconds:.0f} s in vain for: {what}; {self.text('#status')}"
            assert time.monotonic() < end, told
            time.sleep(0.05)

    def ink(self, selector: str) -> list:
        "Of each canvas: ink, its centre of mass, and the box around it."
        return self.driver.execute_script(DARK % selector)

    def picture(self, selector: str) -> str:
        "What a canvas shows, as a data URL."
        return self.driver.execute_script(PICTURE, selector)

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
        self.driver.execute_script(CENTRE, pad)
        side = pad.size["width"]
        chain = ActionChains(self.driver)
        chain.w3c_actions.devices = [pointer]

        def move(x: float, y: float, milliseconds: int) -> None:
            "Move the pointer to a place on the pad."
            pointer.create_pointer_move(duration=milliseconds, x=round((x - 0.5) * side),
                                        y=round((y - 0.5) * side), origin=pad)

        move(*corners[0], 0)
        pointer.create_pointer_down(button=0)
        for (x, y), (to_x, to_y) in pairwise(corners):
            for s in range(1, 9): move(x + s / 8 * (to_x - x), y + s / 8 * (to_y - y), 15)
        pointer.create_pointer_up(button=0)
        chain.w3c_actions.pointer_action.source = pointer
        self.driver.execute("actions", {"actions": [pointer.encode()]})

    def shoot(self, file: Path) -> None:
        "The whole page as a picture."
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "format": "png"})
        file.write_bytes(base64.b64decode(shot["data"]))

    def errors(self) -> list[str]:
        "Errors and warnings in the console, but for those about reading canvases."
        entries = [entry for entry in self.driver.get_log("browser")
                   if entry["level"] in ("SEVERE", "WARNING")]
        return [entry["message"] for entry in entries
                if "willReadFrequently" not in entry["message"]]

    def hosts(self) -> set[str]:
        "Whom the page asked."
        log = self.driver.get_log("performance")
        messages = [json.loads(entry["message"])["message"] for entry in log]
        urls = [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]
        web = ("http:", "https:", "ws:", "wss:")
        return {url.split("/")[2] for url in urls if url.startswith(web)}


def check_drawing(page: Page, touch: bool) -> None:
    "Strokes and keys give categories, and what the networks see is centred as MNIST is."
    from selenium.webdriver.common.keys import Keys
    for corners, digit in ((SEVEN, "7"), (ONE, "1")):
        page.find("#clear").click()
        page.wait(lambda: page.text("#verdict") == "Nothing drawn yet.", "an empty pad")
        page.draw(corners, touch)
        page.wait(lambda: page.text("#verdict").startswith("Category"), "a category")
        time.sleep(0.5)
        (ink, x, y, left, top, right, bottom), = page.ink("#seen")
        assert abs(x - 14) < 0.3 and abs(y - 14) < 0.3, f"the centre of mass is ({x:.2f}, {y:.2f})"
        wide, high = right - left + 1, bottom - top + 1
        assert max(wide, high) in (20, 21), f"the drawing is {wide} x {high} pixels"
        assert 20 < ink < 150 and page.ink("#again")[0][0] > 20, "no reconstruction"
        shares = page.driver.execute_script(SHARES)
        assert len(shares) == 10 and abs(sum(shares) - 100) < 1, shares
        print(f"  a drawn {digit}: {page.text('#verdict')}")
        assert f"digit {digit}:" in page.text("#verdict"), page.text("#verdict")
    pad = page.find("#pad")
    keys = [Keys.DELETE, " ", *[Keys.ARROW_DOWN] * 6, *[Keys.ARROW_RIGHT] * 5, " "]
    page.changed("#seen", lambda: pad.send_keys(*keys))
    page.wait(lambda: page.text("#verdict").startswith("Category"), "what the keys drew")
    page.changed("#seen", page.find("#lend").click)


def check_samples(page: Page) -> None:
    "Categories, sliders and paths change the pictures that they should."
    from selenium.webdriver.common.keys import Keys
    categories = page.ink("#categories canvas")
    assert len(categories) == 10 and all(ink > 5 for ink, *_ in categories)
    for number in (1, 2, 3):
        key = Keys.PAGE_UP if number % 2 else Keys.PAGE_DOWN
        slider = page.find(f"#direction-{number}")
        page.changed("#made", partial(slider.send_keys, *[key] * 3))
    first = page.find("#categories button:nth-child(1)")
    page.changed("#made", first.click)
    first = page.find("#categories button:nth-child(1)")
    assert first.get_attribute("aria-pressed") == "true" and "named 0" in page.text("#made-name")
    page.changed("#made", page.find("#new-z").click)

    page.changed("#between", lambda: page.find("#along").send_keys(Keys.HOME))
    assert page.text("#between-name").startswith("0 % of the way from")
    page.changed("#between", page.find("#from button:nth-child(2)").click)
    page.changed("#strip canvas:last-child", page.find("#to button:nth-child(5)").click)
    page.changed("#between", page.find("#new-pair").click)


def check_map(page: Page) -> None:
    "The map answers to the mouse and to the keyboard."
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys
    board = page.find("#map")
    page.driver.execute_script(CENTRE, board)
    wide, high, seen = board.size["width"], board.size["height"], set()
    for x in (-0.3, -0.15, 0, 0.15, 0.3):
        for y in (-0.3, 0, 0.3):
            mouse = ActionChains(page.driver)
            mouse.move_to_element_with_offset(board, round(x * wide), round(y * high)).perform()
            time.sleep(0.1)
            seen.add(page.picture("#point"))
    assert len(seen) > 5, f"the map showed {len(seen)} pictures"
    before = page.text("#point-name")
    assert page.ink("#point")[0][0] > 10 and "its label is" in before, before
    board.send_keys(*[Keys.ARROW_LEFT] * 2, Keys.ARROW_UP, *[Keys.ARROW_RIGHT] * 2)
    page.wait(lambda: page.text("#point-name") != before, "another point by keyboard")


def check(page: Page, touch: bool = False) -> None:
    "Everything the page does, in a window that it fits, with a name for all that can be used."
    check_drawing(page, touch)
    check_samples(page)
    check_map(page)
    wide = page.driver.execute_script(WIDTHS)
    assert wide[0] <= wide[1], f"the page is {wide[0]} wide in a window of {wide[1]}"
    nameless = page.driver.execute_script(NAMELESS)
    assert not nameless, nameless
    for entry in page.errors(): raise AssertionError(f"the console says: {entry}")


def check_file(driver: Any, page: Path) -> None:
    "A page that was opened as a file says how to serve it."
    driver.get(page.as_uri())
    time.sleep(3)
    note = driver.find_element("id", "unserved")
    told = note.is_displayed() and "python -m http.server" in note.text
    assert told, "opened as a file, the page says nothing"
    driver.get_log("browser")


def shoot(page: Page, shots: Path | None, name: str) -> None:
    "A picture of the page, if there is a folder for it."
    if not shots: return
    shots.mkdir(parents=True, exist_ok=True)
    page.shoot(shots/f"{name}.png")


def try_window(driver: Any, address: str, folder: Path, shots: Path | None,
               name: str, touch: bool) -> None:
    "One window: all that the page does in the light ones, how it looks in the dark ones."
    page = Page(driver, address)
    try:
        if not name.endswith("dark"): check(page, touch)
        else:
            page.draw(SEVEN)
            time.sleep(1)
        assert page.hosts() <= {address.split("/")[2]}, f"the page asked {page.hosts()}"
        shoot(page, shots, name)
        if name == "desktop":
            check_file(driver, folder/"index.html")
            shoot(page, shots, "file")
    except BaseException:
        shoot(page, shots, f"{name}-failed")
        raise


def main() -> int:  # exit status
    "The command"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="a page that infoae export-demo wrote")
    parser.add_argument("--runtime", help="a folder with onnxruntime-web")
    parser.add_argument("--shots", type=Path, help="a folder for pictures")
    parser.add_argument("--only", default="",
                        help="only the windows whose name begins so: desktop, phone, dark")
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
            address = f"http://127.0.0.1:{server.server_port}/"
            for name, width, height, scheme in WINDOWS:
                if not name.startswith(args.only): continue
                print(f"{name}, {width} x {height}", flush=True)
                driver = browser(width, height, f"{made}/profile-{name}", scheme)
                try: try_window(driver, address, folder, args.shots, name, touch=width < 600)
                finally: driver.quit()
            server.shutdown()
    print("the page works: strokes, sliders, paths, map, keyboard, no error, no other host")
    return 0


if __name__ == "__main__": sys.exit(main())
