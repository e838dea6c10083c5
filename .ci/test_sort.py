"""Test the page of `infoae sort` in a headless Chromium.

    python .ci/test_sort.py [--page FILE] [--shots DIR] [--only NAME]

Needs Chromium, its driver and selenium; where one is missing, one line says that nothing was
tested. The page is made here of the digits that come with scikit-learn, by the weights of the
package, and opened from the disk, with no server and no other file. --page takes another page, of
which only the looks are tested; --shots keeps pictures. Exits 1 with the first thing that is wrong.
"""
import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from test_demo import NAMELESS, WIDTHS, WINDOWS, browser, missing
from test_demo import Page as DemoPage

COUNTS = """return [...document.querySelectorAll('section')]
  .map(s => [s.querySelectorAll('.tile').length, s.hidden])"""
FOCUS = """const e = document.activeElement;
  return [e.tagName, e.className, e.closest('section')?.id ?? '', e.ariaLabel ?? '']"""
EMPTY = "arguments[0].value = ''; arguments[0].dispatchEvent(new Event('input'))"
PAPER = "return getComputedStyle(document.documentElement).backgroundColor"
LOADED = "return [...document.images].every(i => i.complete && (i.naturalWidth > 0 || !i.src))"
NAMES = "return [...document.querySelectorAll('#group-3 .tile')].map(t => t.title.split('\\n')[0])"
ODD = ("</script><script>document.title='run'</script>", "\"><img src=x onerror=alert(1)>",
       "two\nlines", "☺ ü 漢.png", "\u202egnp.exe")


class Page(DemoPage):
    "The page in a browser; `found` is where it tells of what was looked for."

    def wait(self, holds: Any, what: str, seconds: float = 30) -> None:
        "Until it holds; AssertionError after some seconds."
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"waited {seconds:.0f} s in vain for: {what}"
            time.sleep(0.05)


def make_page(out: Path) -> dict[str, Any]:
    "The page of 1,797 digits with names of every kind; the sizes of its groups, and its rows."
    import torch

    from infoae.api import InfoAE
    from infoae.data import Pictures, load
    from infoae.sorting import write_sorted
    images = torch.cat([load("digits", split)[0] for split in ("train", "test")])
    model, files = InfoAE.from_pretrained("mnist"), [f"digit {i}.png" for i in range(len(images))]
    surest = model.predict_proba(images).amax(dim=1).topk(len(ODD)).indices    # sure to be shown
    for i, name in zip(surest.tolist(), ODD, strict=True): files[i] = name
    pictures = Pictures(images, files, None, {"no <b>picture</b>.txt": "it is no picture"}, [])
    categories = model.predict(images).tolist()
    labels = {categories.index(0): "zero", categories.index(1): "<i>one</i>"}
    table = write_sorted(out, model, pictures, labels, reject=0.5, most=900)
    sizes = [*table[~table.set_aside].groupby("category").size(), int(table.set_aside.sum())]
    assert len(sizes) == 11, sizes
    return {"sizes": sizes, "n": len(images)}


def counts(page: Page) -> list:
    "Of each section: how many tiles it shows, and whether it is hidden."
    return page.driver.execute_script(COUNTS)


def focus(page: Page) -> list[str]:
    "Where the keyboard is: tag, class, section, name."
    return page.driver.execute_script(FOCUS)


def press(page: Page, *keys: str) -> None:
    "Keys, wherever the keyboard is."
    from selenium.webdriver import ActionChains
    for key in keys: ActionChains(page.driver).send_keys(key).perform()


def check_words(page: Page, made: dict[str, Any]) -> None:
    "What the page says, with names of files as text."
    assert page.driver.title == "1,797 pictures in 10 groups", page.driver.title
    sizes = [int(small.text.replace(",", "").split()[0])
             for small in page.driver.find_elements("css selector", "section h2 small")]
    assert sizes == made["sizes"] and sum(sizes) == made["n"], sizes
    labels = [b.text for b in page.driver.find_elements("css selector", "#overview b")]
    assert labels[:3] == ["zero", "<i>one</i>", "Group 2"] and labels[-1] == "Set aside", labels
    assert "900 of 1,797 pictures are on this page" in page.text("footer")
    assert "no <b>picture</b>.txt: it is no picture" in page.text("footer details")
    assert not page.driver.find_elements("css selector", "footer b, h2 i, [onerror]")
    page.wait(lambda: page.driver.execute_script(LOADED), "all pictures")


def check_more(page: Page) -> None:
    "The button shows more, says where pictures are left out, and goes when all are there."
    first = counts(page)
    assert all(0 < n <= 48 for n, _ in first), first
    button = page.find("#group-3 .more")
    assert button.text.startswith("Show ") and " more" in button.text, button.text
    page.driver.execute_script("arguments[0].click()", button)
    assert counts(page)[3][0] > first[3][0] and focus(page)[:3] == ["BUTTON", "tile", "group-3"]
    while button.is_displayed(): page.driver.execute_script("arguments[0].click()", button)
    told = page.text("#group-3 .gap")
    assert "between these are not on this page; sorted.csv has them." in told, told


def check_order(page: Page) -> None:
    "The least sure come first where that is asked for, and the names that are looked for alone."
    before = page.driver.execute_script(NAMES)
    page.driver.execute_script("document.getElementsByName('order')[1].click()")
    turned = page.driver.execute_script(NAMES)
    assert turned[:5] == before[::-1][:5] and turned != before
    page.driver.execute_script("document.getElementsByName('order')[0].click()")
    page.find("#find").send_keys("SCRIPT>")
    page.wait(lambda: page.text("#found") == "1 picture on this page", "what was looked for")
    assert [n for n, hidden in counts(page) if not hidden] == [1], counts(page)
    page.find("#find").clear()
    page.find("#find").send_keys("digit 1")
    page.wait(lambda: "pictures on this page" in page.text("#found"), "many that were looked for")
    page.driver.execute_script(EMPTY, page.find("#find"))
    page.wait(lambda: page.text("#found") == "", "all again")


def check_keyboard(page: Page) -> None:
    "Everything by keyboard alone: search, groups, pictures, the large picture, and back."
    from selenium.webdriver.common.keys import Keys
    page.driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    press(page, "/")
    assert focus(page)[0] == "INPUT" and page.find("#find").get_attribute("value") == ""
    press(page, Keys.TAB)
    where, first = focus(page)[2:]
    assert focus(page)[:2] == ["BUTTON", "tile"] and where == "group-0", focus(page)
    press(page, Keys.ARROW_RIGHT)
    second = focus(page)[3]
    press(page, Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert focus(page)[3] == first != second, focus(page)
    press(page, Keys.TAB)                                   # one stop a group: next is "more"
    if "more" in focus(page)[1]: press(page, Keys.TAB)
    assert focus(page)[1:3] == ["tile", "group-1"], focus(page)
    press(page, Keys.ENTER)
    assert page.find("#one").is_displayed() and page.text("#one-place").startswith("1 of ")
    name = page.text("#one-file")
    press(page, Keys.ARROW_RIGHT)
    assert page.text("#one-place").startswith("2 of ") and page.text("#one-file") != name
    shares = [b.text for b in page.driver.find_elements("css selector", "#one-bars b")]
    assert len(shares) == 2 and all(text.endswith(" %") for text in shares), shares
    press(page, Keys.ESCAPE)
    page.wait(lambda: page.text("#one-file") in focus(page)[3], "the keyboard back at the picture")
    assert not page.find("#one").is_displayed() and focus(page)[1:3] == ["tile", "group-1"]


def asked(page: Page) -> list[str]:
    "Whatever was asked for but the page itself and what is in it."
    log = page.driver.get_log("performance")
    messages = [json.loads(entry["message"])["message"] for entry in log]
    urls = [m["params"]["request"]["url"] for m in messages
            if m["method"] == "Network.requestWillBeSent"]
    assert urls, "the browser tells of no request at all"
    own = ("data:", "chrome:", page.driver.current_url.partition("#")[0])  # chrome: its first tab
    return [url for url in urls if not url.startswith(own)]


def check(page: Page, made: dict[str, Any]) -> None:
    "Everything the page does."
    check_words(page, made)
    check_keyboard(page)
    check_more(page)
    check_order(page)


def check_look(page: Page, scheme: str) -> None:
    "As wide as the window, a name for all that can be used, dark where that is wished for."
    wide = page.driver.execute_script(WIDTHS)
    assert wide[0] <= wide[1], f"the page is {wide[0]} wide in a window of {wide[1]}"
    nameless = page.driver.execute_script(NAMELESS)
    assert not nameless, nameless[:3]
    red = int(page.driver.execute_script(PAPER).strip("rgb()").split(",")[0])
    assert (red < 60) == (scheme == "dark"), f"the paper is {red} in {scheme}"
    for entry in page.errors(): raise AssertionError(f"the console says: {entry}")
    others = asked(page)
    assert not others, others[:5]


def shoot(page: Page, shots: Path | None, name: str) -> None:
    "Pictures of the page as it opens and of one picture in it, if there is a folder for them."
    if not shots: return
    shots.mkdir(parents=True, exist_ok=True)
    page.driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    page.shoot(shots/f"{name}.png")
    page.driver.execute_script("document.querySelectorAll('section')[1].querySelector('.tile').click()")
    time.sleep(0.4)
    page.driver.save_screenshot(str(shots/f"{name}-one.png"))


def main() -> int:  # exit status
    "The command"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="an index.html that infoae sort wrote")
    parser.add_argument("--shots", type=Path, help="a folder for pictures")
    parser.add_argument("--only", default="", help="only the windows whose name begins so")
    args = parser.parse_args()
    if missing():
        print(f"The page of sorted images was not tested in a browser: there is no {missing()} "
              "here.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        made = None if args.page else make_page(Path(folder)/"sorted")
        alone = Path(folder)/"alone"/"index.html"           # without the files beside it
        alone.parent.mkdir()
        alone.write_bytes((args.page or Path(folder)/"sorted"/"index.html").read_bytes())
        for name, width, height, scheme in WINDOWS:
            if not name.startswith(args.only): continue
            print(f"{name}, {width} x {height}", flush=True)
            driver = browser(width, height, f"{folder}/profile-{name}", scheme)
            try:
                page = Page(driver, alone.as_uri())
                if made: check(page, made)
                check_look(page, scheme)
                shoot(page, args.shots, name)
            finally: driver.quit()
    print("the page of sorted images works: words, more, order, search, keyboard, no error, "
          "nothing asked of anybody")
    return 0


if __name__ == "__main__": sys.exit(main())
