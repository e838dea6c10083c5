"""Make README.md from nbs/index.ipynb, with nbconvert.

Usage: python .ci/make_readme.py            write README.md
       python .ci/make_readme.py --check    write nothing; exit 1 if README.md is out of step

README.md lies one folder above the notebooks, so relative links and pictures get `nbs/` before
them, and links within the page get GitHub's spelling. Cells marked `#| hide` are left out, so is
the code of cells marked `#| echo: false`; other `#|` lines are not shown. The first fenced sh block
runs the main job, the second is the command for the tests that `.ci/run` calls. A picture has to be
a file under nbs/ that a Markdown cell links to: pictures among the
outputs of code cells are refused, since nbconvert would put them into a folder of their own.
"""
import argparse
import difflib
import posixpath
import re
import sys

import nbformat
from check_links import FENCE, NBS, ROOT, github_anchor, links
from nbconvert.exporters import MarkdownExporter
from traitlets.config import Config

INDEX, README = NBS/"index.ipynb", ROOT/"README.md"
FOOT = "\n<!-- Made from nbs/index.ipynb by .ci/make_readme.py: edit the notebook, not this. -->\n"
DIRECTIVE = re.compile(r"^#\s*\|\s*(.*?)\s*$\n?", re.M)


def shown(nb: nbformat.NotebookNode     # a notebook
         ) -> nbformat.NotebookNode:    # what of it is shown
    "Drop hidden cells, hidden code and directives"
    cells = []
    for cell in nb.cells:
        code = cell.cell_type == "code"
        found = DIRECTIVE.findall(cell.source) if code else []
        marks = {re.sub(r"\s*:\s*", ": ", mark) for mark in found}
        if cell.cell_type == "raw" or "hide" in marks: continue
        if cell.cell_type == "code":
            cell.source = DIRECTIVE.sub("", cell.source).strip("\n")
            hidden = "echo: false" in marks or not cell.source
            cell.metadata["transient"] = {"remove_source": hidden}
        cells.append(cell)
    nb.cells = cells
    nb.metadata["language_info"] = {"name": "python"}
    return nb


def prepare(nb: nbformat.NotebookNode     # index.ipynb
           ) -> nbformat.NotebookNode:    # only what README shows
    "What is shown, without pictures that are not files: they are refused"
    for cell in shown(nb).cells:
        kinds = [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
        if "](attachment:" in cell.source or any(kind.startswith("image/") for kind in kinds):
            raise ValueError(f"cell {cell.id} of {INDEX.name} holds a picture: save it as a file "
                             "under nbs/results/ and link to it in a Markdown cell with "
                             "![what it shows](results/NAME.png)")
    return nb


def from_top(target: str    # a relative link in a notebook
            ) -> str:       # the same link in README.md
    "Where a link of the notebooks leads from the folder above them"
    path, mark, anchor = target.partition("#")
    if not path: return mark + github_anchor(anchor)
    moved = posixpath.normpath(posixpath.join(NBS.name, path))
    return moved + "/"*path.endswith("/") + mark + anchor


def relink(text: str    # Markdown with links as in nbs/
          ) -> str:     # with links as in the folder above
    "Rewrite the relative links of a piece of Markdown"
    for start, end, target in reversed(list(links(text))):
        text = text[:start] + from_top(target) + text[end:]
    return text


def tidy(text: str    # Markdown
         ) -> str:     # one blank line where there were more, none at the ends; fences as they were
    "Take out the blank lines that nbconvert leaves"
    kept, at = [], 0
    for fence in FENCE.finditer(text):
        kept += [re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text[at:fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*kept, re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text[at:])]).strip() + "\n"


def require_commands(text: str    # README.md
                    ) -> None:
    """ValueError unless the first two sh blocks are the main job and the command for the tests.

    >>> fence = chr(96) * 3
    >>> block = "{0}sh{1}{2}{1}{0}{1}".format
    >>> main, tests = (block(fence, chr(10), command) for command in ("infoae train", "nbdev_test"))
    >>> require_commands(main + tests)
    >>> require_commands(tests + main)
    Traceback (most recent call last):
        ...
    ValueError: the first fenced sh block has to call infoae, the second nbdev_test
    """
    blocks = re.findall(r"^```sh *\n(.*?)^```", text, re.M | re.S)
    calls = [re.search(rf"^{name}\b", block, re.M)
             for name, block in zip(("infoae", "nbdev_test"), blocks, strict=False)]
    if len(calls) < 2 or not all(calls):
        raise ValueError("the first fenced sh block has to call infoae, the second nbdev_test")


def render() -> str:  # the text of README.md
    "README.md as index.ipynb would have it"
    kinds = ["text/markdown", "text/html", "text/plain"]
    config = Config({"NbConvertBase": {"display_data_priority": kinds}})
    nb = prepare(nbformat.read(INDEX, as_version=4))
    text, _ = MarkdownExporter(config=config).from_notebook_node(nb)
    require_commands(text)
    return tidy(relink(text)) + FOOT


def main() -> int:  # exit status
    "The command"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true",
                        help="write nothing, exit 1 if README.md is out of step")
    check = parser.parse_args().check
    try: made = render()
    except (OSError, ValueError) as error:
        print(f"README.md cannot be made: {error}", file=sys.stderr)
        return 1
    there = README.read_text(encoding="utf-8") if README.exists() else ""
    if not check: README.write_text(made, encoding="utf-8", newline="\n")
    elif made != there:
        changes = difflib.unified_diff(there.splitlines(), made.splitlines(), README.name,
                                       "nbs/index.ipynb", "", "", 1, "")
        print("\n".join(list(changes)[:40]), file=sys.stderr)
        print("README.md is out of step with nbs/index.ipynb: run `python .ci/make_readme.py` "
              "and commit README.md", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__": sys.exit(main())
