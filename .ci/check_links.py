"""Check that every relative link in the notebooks and in README.md leads somewhere.

Usage: python .ci/check_links.py

A link to a file needs the file. A link to `NN.ipynb#A-heading` needs that heading in that notebook,
spelled as Jupyter does: spaces become '-', the rest stays. A link to `README.md#a-heading` is
spelled as GitHub does. Links to other sites are not followed. Looked at: Markdown cells, Markdown
that code cells print, README.md. Exits 1 with the list of what is broken.
"""
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
NBS = ROOT/"nbs"

FENCE = re.compile(r"^[ >]*(?P<mark>`{3,}|~{3,})[^\n]*\n.*?^[ >]*(?P=mark)[ \t]*$", re.M | re.S)
# code spans and comments: what looks like a link in them is none
OPAQUE = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)"
                    r"|<!--.*?-->", re.S)
# neither is a bracket within mathematics, but a link to a heading may have mathematics in it
MATHS = re.compile(r"\$\$.+?\$\$|(?<![\\$])\$(?=\S)[^$\n]*?(?<=[^\s$])\$", re.S)
# ](target "title"), ](<target>), [name]: target, src="target", href="target"
LINK = re.compile(r"\]\([ \t]*(?:<(?P<angle>[^<>\n]+)>|(?P<inline>(?:[^()\n]|\([^()\n]*\))+?))"
                  r"(?:\s+(?:\"[^\"]*\"|'[^']*'))?[ \t]*\)"
                  r"|^ {0,3}\[[^\]\n]+\]:[ \t]*<?(?P<named>[^\s>]+)"
                  r"|\b(?:src|href)=[\"'](?P<html>[^\"']+)[\"']", re.M)
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:|//|/", re.I)


def mask(text: str,           # Markdown
         *patterns: re.Pattern  # what to blank out
        ) -> str:             # the same length, with the matches blanked, line ends kept
    "Blank out parts of Markdown, so that positions in the rest stay as they were"
    for pattern in patterns:
        text = pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    return text


def links(text: str                              # Markdown
         ) -> Iterator[tuple[int, int, str]]:    # start, end and text of each relative target
    "The targets of the relative links and pictures in a piece of Markdown"
    seen = mask(text, FENCE, OPAQUE)
    formulas = [formula.span() for formula in MATHS.finditer(seen)]
    for found in LINK.finditer(seen):
        start, end = found.span(found.lastgroup)
        if any(a < found.start() and found.end() <= b for a, b in formulas): continue
        if not EXTERNAL.match(text[start:end]): yield start, end, text[start:end]


def headings(text: str              # Markdown
            ) -> Iterator[str]:     # each as it is read: no #, backticks, emphasis; links as text
    "The headings of a piece of Markdown"
    for found in re.finditer(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", mask(text, FENCE), re.M):
        pieces = re.split(r"(\$[^$]+\$|`[^`]+`)", found[1])   # maths and code keep their * and _
        for i, piece in enumerate(pieces):
            if i % 2: pieces[i] = piece.strip("`")
            else:
                piece = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", piece)
                pieces[i] = re.sub(r"\*+|(?<!\w)_+|_+(?!\w)", "", piece)
        yield "".join(pieces)


def github_anchor(heading: str    # a heading, or its anchor in Jupyter
                 ) -> str:        # its anchor on GitHub
    "Lower case, punctuation dropped, spaces to '-'"
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def passages(path: Path                     # a notebook or a Markdown file
            ) -> tuple[tuple[str, str], ...]:  # (where, Markdown)
    "The pieces of Markdown in a file"
    if path.suffix != ".ipynb": return (("", path.read_text(encoding="utf-8")),)
    found = []
    for i, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "markdown": found.append((f"cell {i}", "".join(cell["source"])))
        for output in cell.get("outputs", []):
            shown = "".join(output.get("data", {}).get("text/markdown", []))
            if shown: found.append((f"output of cell {i}", shown))
    return tuple(found)


@cache
def anchors(path: Path              # a notebook or a Markdown file
           ) -> frozenset[str]:     # what may stand after '#' in a link to it
    "The anchors of a file: its headings, and what HTML in it names"
    spell = github_anchor if path.suffix == ".md" else lambda heading: heading.replace(" ", "-")
    texts = [text for _, text in passages(path)]
    masked = [mask(text, FENCE, OPAQUE) for text in texts]
    named = [name for text in masked
             for name in re.findall(r"\b(?:id|name)=[\"']([^\"']+)[\"']", text)]
    return frozenset([spell(heading) for text in texts for heading in headings(text)] + named)


def broken(path: Path             # a notebook or a Markdown file
          ) -> Iterator[str]:     # one line for each broken link
    "What is wrong with the relative links of a file"
    for where, text in passages(path):
        for start, _, target in links(text):
            file, _, anchor = target.partition("#")
            to = (path.parent/unquote(file)).resolve() if file else path
            place = f"{path.relative_to(ROOT)}{where and ', ' + where}: {target}"
            if " " in target and text[start - 1] != "<":
                yield f"{place}: no link, because of the space: write '-' in a heading"
            elif not to.exists(): yield f"{place}: no such file"
            elif anchor and to.suffix in (".ipynb", ".md") and unquote(anchor) not in anchors(to):
                yield f"{place}: no such heading in {to.name}"


def main() -> int:  # exit status
    "Check all files"
    files = [*sorted(NBS.glob("*.ipynb")), *sorted(ROOT.glob("*.md"))]
    wrong = [line for path in files for line in broken(path)]
    for line in wrong: print(line, file=sys.stderr)
    print(f"{len(wrong)} broken links in {len(files)} files")
    return 1 if wrong else 0


if __name__ == "__main__": sys.exit(main())
