"""Make a site of plain HTML from the notebooks, with nbconvert, and check it.

Usage: python .ci/make_site.py [FOLDER]    write the pages to FOLDER (default: _site/), check them

The first page is index.ipynb, with a list of the notebooks in reading order below it. Links between
notebooks lead to pages; files that are linked to are copied. The pages hold no script and ask no
other host for anything: formulas are turned into MathML, which browsers draw by themselves, and
pictures of other hosts are shown as their description.

Exits 1 with a list of what is wrong: a link or picture that leads nowhere, a heading that is not
there, something loaded from another host, a formula that MathML does not have, an error among the
outputs, a cell without the output that it has when it is run (see `silent`), a notebook without any
output, a notebook without a title and a line of what it gives.
"""
import argparse
import ast
import html
import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote

import nbformat
from check_links import EXTERNAL, NBS, ROOT
from jinja2 import pass_context
from latex2mathml.converter import convert
from make_readme import INDEX, shown
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1c1c1c; --soft: #f4f4f2; --line: #d8d8d4;
  --link: #0b57a4 }
body { margin: 0 auto; max-width: 52rem; padding: 0 1rem 4rem; background: var(--back);
  color: var(--text); font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word }
a { color: var(--link) }
a.anchor-link { text-decoration: none; opacity: 0; padding-left: .3em }
:hover > a.anchor-link { opacity: 1 }
nav { display: flex; flex-wrap: wrap; gap: 0 1.5rem; padding: .7rem 0;
  border-bottom: 1px solid var(--line) }
nav.foot { border: 0; border-top: 1px solid var(--line); margin-top: 3rem }
h1, h2, h3 { line-height: 1.25; margin-top: 2em } h1 { margin-top: 1em }
pre { overflow-x: auto; font: .82rem/1.45 ui-monospace, monospace; margin: .6em 0 }
code { font-family: ui-monospace, monospace; font-size: .88em }
.code_cell .input { margin: .6em 0 }
.input_area, div.text_cell_render .highlight, div.text_cell_render > pre {
  background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 0 .8em }
.output_wrapper { margin: .4em 0 1.4em; padding-left: .8em; border-left: 3px solid var(--line) }
blockquote { margin: 1em 0; padding: .1em 1em; border-left: 3px solid var(--link);
  background: var(--soft) }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: .92em }
th, td { padding: .3em .7em; border: 1px solid var(--line); text-align: left;
  overflow-wrap: normal }
img { max-width: 100%; height: auto; background: #fff }
math[display=block] { overflow-x: auto; margin: 1em 0 }
@media (prefers-color-scheme: dark) {
  :root { --back: #17181a; --text: #e4e4e0; --soft: #212326; --line: #3b3e43; --link: #7db7f5 }
}
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<nav>{before}</nav>
<main>
{body}
</main>
<nav class="foot">{after}</nav>
</body>
</html>
"""
# a space after them: log x, not logx
NAMES = re.compile(r"((?<!<msub>)(?<!<msup>)<mi>(?:log|exp|sin|cos|tan)</mi>)(?!<mo[^>]*>[(&])")
MATHS = re.compile(r'<span class="maths">(\$\$?)(.*?)\1</span>', re.S)


def mathml(found: re.Match  # a formula between its marks
          ) -> str:         # for a browser
    "A formula as MathML; ValueError for a command that the converter does not know"
    source = html.unescape(found[2])
    made = convert(source, display="block" if found[1] == "$$" else "inline")
    if "\\" in made: raise ValueError(f"{source}: a command in it cannot be turned into MathML")
    return NAMES.sub(r'\1<mspace width="0.17em"/>', made)


def address(target: str,   # a relative link
            folder: Path   # of the file that it stands in
           ) -> str:       # where it leads in the site
    "Notebooks and Markdown files are pages, README is the first of them; others keep their names"
    path, mark, anchor = target.partition("#")
    if not path: return target
    file = (folder/unquote(path)).resolve()
    if file == ROOT/"README.md": file = INDEX
    if file.suffix in (".ipynb", ".md") and file.parent in (NBS, ROOT):
        return quote(file.with_suffix(".html").name) + mark + anchor
    top = NBS if file.is_relative_to(NBS) else ROOT
    known = file.is_relative_to(top)
    return quote(file.relative_to(top).as_posix() if known else path) + mark + anchor


class Renderer(IPythonRenderer):
    "Markdown with links of the site"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        "A link, to a page of the site where it was one to a notebook"
        to = url if EXTERNAL.match(url) else address(url, Path(self.path))
        return super().link(text, to, title)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        "A picture of the site; of another host only what it shows"
        if url.startswith("attachment:"): return super().image(text, url, title)
        if EXTERNAL.match(url): return html.escape(text)
        return super().image(text, address(url, Path(self.path)), title)

    def inline_math(self, body: str) -> str:
        "A formula in a line, marked for `markdown`"
        return f'<span class="maths">{super().inline_math(body)}</span>'

    def block_math(self, body: str) -> str:
        "A formula that stands alone, marked for `markdown`"
        return f'<span class="maths">{super().block_math(body)}</span>'


def markdown(source: str, folder: Path, attachments: dict | None = None) -> str:
    "HTML of Markdown that stands in a file of a folder"
    renderer = Renderer(escape=False, path=str(folder), attachments=attachments)
    return MATHS.sub(mathml, MarkdownWithMath(renderer=renderer).render(source))


class Exporter(HTMLExporter):
    "The body of a page"

    template_name, exclude_input_prompt, exclude_output_prompt = "basic", True, True

    @pass_context
    def markdown2html(self, context: dict, source: str) -> str:
        "A Markdown cell, by `markdown`"
        folder = Path(context["resources"]["metadata"]["path"])
        return markdown(source, folder, context.get("cell", {}).get("attachments"))


def heading(nb: nbformat.NotebookNode) -> tuple[str, str]:
    "The title of a notebook and its line that says what it gives; ValueError where it has none"
    first = next((cell.source for cell in nb.cells if cell.cell_type == "markdown"), "")
    title, line = re.search(r"^# (.+)$", first, re.M), re.search(r"^> (.+)$", first, re.M)
    if not title or not line:
        raise ValueError("the first Markdown cell has no title, or no line with > below it")
    return title[1].replace("`", ""), line[1]


def called(call: ast.expr | None) -> str:
    "The name of the function that an expression calls, or nothing"
    if not isinstance(call, ast.Call): return ""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def prints(statements: list[ast.stmt]) -> bool:
    "Whether statements print or display something for certain"
    for s in statements:
        if isinstance(s, ast.Expr) and called(s.value) in ("print", "display"):
            plain = isinstance(s.value.func, ast.Name)
            if plain and not any(word.arg == "file" for word in s.value.keywords): return True
        if isinstance(s, ast.For) and prints(s.body): return True
        if isinstance(s, ast.With):
            opened = ast.unparse(s.items[0])
            if "redirect" not in opened and "capture" not in opened and prints(s.body): return True
    return False


def silent(source: str,          # of a code cell
           draws: frozenset[str] = frozenset()  # functions whose value is a picture
          ) -> bool:
    """Whether a run of the cell has no output for certain, as far as can be told without running.

    What prints for certain is `print` or `display` that is neither in a function nor under a
    condition; what shows for certain is a last line that is a value, a picture or Markdown.

    >>> silent("print(1)"), silent("for x in y:\\n    print(x)"), silent("x"), silent("x = 1\\nx.a")
    (False, False, False, False)
    >>> silent("show(x)", frozenset({"show"}))
    False
    >>> silent("def f(): print(1)"), silent("if x: print(1)"), silent("x = 1"), silent("f(x)")
    (True, True, True, True)
    >>> silent("x;"), silent("with redirect_stdout(f): print(1)")
    (True, True)
    """
    try: body = ast.parse(source).body
    except SyntaxError: return True      # magics
    ends = body and isinstance(body[-1], ast.Expr) and not source.rstrip().endswith(";")
    last = body[-1].value if ends else None
    if isinstance(last, ast.Call): shows = called(last) in draws | {"Markdown", "Image", "HTML"}
    else: shows = last is not None and not isinstance(last, ast.Await | ast.Yield)
    return not (prints(body) or shows)


def outputs(nb: nbformat.NotebookNode,   # as it is in git
            draws: frozenset[str]        # functions whose value is a picture
           ) -> Iterator[str]:           # one line for each thing that is wrong
    "Errors among the outputs of a notebook, and outputs that are missing"
    codes = [cell for cell in nb.cells if cell.cell_type == "code"]
    if not any(cell.outputs for cell in codes): yield "no cell has an output: run the notebook"
    for cell in codes:
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"cell {cell.id} ended with an error: run it again"
        if re.search(r"^#\s*\|\s*(eval:\s*false|hide)", cell.source, re.M) or cell.outputs: continue
        if not silent(cell.source, draws):
            yield f"cell {cell.id} prints or draws, and has no output: run it"


class Links(HTMLParser):
    "What a page links to, what it loads, and the places in it that can be linked to"

    def __init__(self, text: str):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        "Note what a tag links to, loads and is called"
        found = dict(attrs)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        loads = [found[key] for key in ("src", "data", "poster", "srcset") if found.get(key)]
        if tag == "link": loads.append(found["href"])
        self.loads += loads
        self.links += [*loads, *([found["href"]] if "href" in found and tag != "link" else [])]


def broken(site: Path) -> Iterator[str]:
    "One line for each link of the pages that leads nowhere, or makes them ask another host"
    pages = {page: Links(page.read_text(encoding="utf-8")) for page in sorted(site.rglob("*.html"))}
    for page, found in pages.items():
        for target in found.loads:
            if EXTERNAL.match(target) and not target.startswith("data:"):
                yield f"{page.name}: loads {target} from another host"
        for target in found.links:
            if EXTERNAL.match(target): continue
            path, _, anchor = target.partition("#")
            to = (page.parent/unquote(path)).resolve() if path else page
            if not to.is_file(): yield f"{page.name}: {target}: no such file"
            elif anchor and to in pages and unquote(anchor) not in pages[to].anchors:
                yield f"{page.name}: {target}: no such heading"


def drawings() -> frozenset[str]:
    "The functions of the package whose value is a picture, as their annotations say"
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.glob("infoae/*.py")]
    functions = [f for tree in trees for f in tree.body if isinstance(f, ast.FunctionDef)]
    return frozenset(f.name for f in functions
                     if f.returns and ast.unparse(f.returns) in ("Figure", "Drawing"))


def style() -> str:
    "What style.css holds: the look of the pages, and colours for code in the light and in the dark"
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return (f"{STYLE}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
            ".highlight, .highlight pre { background: transparent !important }\n")


def copy_linked(page: str, site: Path) -> None:
    "Copy the files that a page links to into the site, but for what becomes a page itself"
    for target in Links(page).links:
        if EXTERNAL.match(target): continue
        path = unquote(target.partition("#")[0])
        file = next((top/path for top in (NBS, ROOT) if (top/path).is_file()), None)
        if file and file.suffix not in (".ipynb", ".md"):
            to = site/file.relative_to(NBS if file.is_relative_to(NBS) else ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)


def make(site: Path) -> Iterator[str]:
    "Write all pages and the files that they link to; one line for each thing that is wrong"
    notebooks = sorted(path for path in NBS.glob("*.ipynb") if path != INDEX)
    draws = drawings()
    (site/"style.css").write_text(style(), encoding="utf-8")
    contents, exporter, site = [], Exporter(), site.resolve()

    def write(path: Path, nb: nbformat.NotebookNode, title: str,
              before: str, after: str, below: str = "") -> None:
        "One page, with links before and after it and what stands below it"
        about = {"path": str(path.parent), "name": path.stem}
        body, _ = exporter.from_notebook_node(shown(nb), {"metadata": about})
        page = PAGE.format(title=html.escape(title), before=before, after=after, body=body + below)
        (site/path.with_suffix(".html").name).write_text(page, encoding="utf-8")
        copy_linked(page, site)

    def link(to: Path, word: str) -> str:
        "A link to a notebook's page"
        return f'<a href="{quote(to.stem)}.html">{word}: {to.stem}</a>'

    home = '<a href="index.html">infoae</a><a href="index.html#contents">contents</a>'
    for i, path in enumerate(notebooks):
        try:
            nb = nbformat.read(path, as_version=4)
            yield from (f"{path.name}: {wrong}" for wrong in outputs(nb, draws))
            title, line = heading(nb)
            named = f'<a href="{quote(path.stem)}.html">{html.escape(title)}</a>'
            line = markdown(line, NBS)
            contents.append(f"<li>{named} <code>{path.stem}</code>{line}</li>")
            beside = link(notebooks[i - 1], "before") if i else ""
            if i + 1 < len(notebooks): beside += link(notebooks[i + 1], "next")
            write(path, nb, title, home + beside, beside)
        except ValueError as error: yield f"{path.name}: {error}"
    for path in sorted(ROOT.glob("*.md")):
        if path.name == "README.md": continue
        text = nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))
        write(path, nbformat.v4.new_notebook(cells=[text]), path.stem, home, "")
    first = link(notebooks[0], "next")
    index = nbformat.read(INDEX, as_version=4)
    yield from (f"{INDEX.name}: {wrong}" for wrong in outputs(index, draws))
    below = f'<h2 id="contents">The notebooks in order</h2>\n<ol>{"".join(contents)}</ol>'
    write(INDEX, index, "infoae", home + first, first, below)


def main() -> int:  # exit status
    "The command"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("site", type=Path, nargs="?", default=ROOT/"_site",
                        help="a folder, replaced where it holds a site (default: _site/)")
    site = parser.parse_args().site
    if site.exists() and any(site.iterdir()) and not (site/"style.css").exists():
        print(f"{site} is not empty and holds no site; choose another folder", file=sys.stderr)
        return 1
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    wrong = [*make(site), *broken(site.resolve())]
    for line in wrong: print(line, file=sys.stderr)
    pages = list(site.glob("*.html"))
    size = sum(page.stat().st_size for page in pages) / 1e6
    print(f"{len(pages)} pages in {site}, {size:.1f} MB; {len(wrong)} things wrong")
    return 1 if wrong else 0


if __name__ == "__main__": sys.exit(main())
