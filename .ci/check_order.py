"""Check that the notebooks can be read in their order, and that their rooms stay small.

Usage: python .ci/check_order.py [ROOT]            exit 1 with a list of what is wrong
       python .ci/check_order.py --count [ROOT]    the house's numbers, nothing is checked

ROOT is the repository (default: this one); its notebooks are read, nothing is imported or run. What
has to hold:

(a) What a notebook exports imports only what notebooks with smaller numbers export.
(b) Modules turn in no circle.
(c) No import hides inside a function, but for packages that may be missing or are slow and rarely
    needed and, in the notebook of the command alone, for what is kept out of `infoae --help`.
    Each says why in a comment on its line that begins with `# here:`; in the notebook of the
    command one such comment, on a line of its own in an exported cell, speaks for all.
(d) A notebook of the results (30-49) imports, in any of its cells, nothing that comes after it, and
    no notebook imports a module of the package that no notebook exports.
(e) No exported cell is longer than 45 lines (without blank ones), no line of code longer than 100
    characters (the cells for Colab are exempt).
(f) nbs/ holds notebooks, NN_name.ipynb and index.ipynb, each number once, and results/; nothing
    else.
(g) Every exported function and class has a docstring, private ones too. Exempt are methods with
    names like `__init__`, overloads, and functions of at most five lines within a function.
(h) Each `type: ignore` names its code and its reason, as in `# type: ignore[code]  # reason`;
    there are at most 20.
"""
import argparse
import ast
import io
import json
import re
import statistics
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "infoae"
LONGEST_CELL, LONGEST_LINE, LONG_CELL = 45, 100, 40     # the last is only counted
MOST_IGNORES = 20
SMALL_FUNCTION = 5                                 # lines within a function, without a docstring
RESULTS = range(30, 50)
COLAB = "colab-"                                   # how the ids of Colab's cells begin
LATE = ("cli", "__main__")                         # modules of the command: they may import late
# packages that may be missing: extras, notebooks' own, what only some systems have; and
# torchvision's data sets, needed for a download alone and as slow to import as torch
OPTIONAL = {"torchvision.datasets",
            "IPython", "huggingface_hub", "onnx", "onnxruntime", "onnxscript", "selenium",
            "tensorboard", "wandb",
            "torch.utils.tensorboard", "torch.onnx", "torch_xla", "pandas",
            "fcntl", "msvcrt", "pwd", "readline", "resource", "termios", "tty", "winreg"}
LITTER = {"__pycache__", "runs", "checkpoint", "_proc", "_docs"}   # what git ignores
GONE = "which no notebook exports"
DIRECTIVE = re.compile(r"^\s*#\s*\|")
EXPORT = re.compile(r"^\s*#\s*\|\s*(exports?|exporti)(?:\s*:)?(?:\s+(\S+))?\s*$", re.M)
HERE = re.compile(r"#\s*here:\s*\S")
HERE_FOR_ALL = re.compile(r"^\s*#\s*here:\s*\S", re.M)
IGNORE = re.compile(r"#\s*type:\s*ignore(?P<code>\[[a-z, -]+\])?(?P<reason>\s*#\s*\S.*)?")


@dataclass(frozen=True)
class Import:
    "One import of this package or another: what, where, and whether it hides in a function"

    module: str       # infoae.x is spelled `.x`, the package itself `.`
    line: int         # in its cell, from 1
    inside: str = ""  # the function that it stands in


@dataclass(frozen=True)
class Cell:
    "A code cell"

    source: str
    id: str = ""
    position: int = 0              # in its notebook, from 0
    exports_to: str | None = None  # a module, for cells that are exported
    figures: int = 0               # pictures among its outputs

    @cached_property
    def lines(self) -> list[str]:
        "Its lines of code, comments too, without blank lines and nbdev's directives"
        return [line for line in self.source.split("\n")
                if line.strip() and not DIRECTIVE.match(line)]

    @cached_property
    def tree(self) -> ast.Module:
        "What Python reads in it; magics and shell lines are left out, what cannot be read is empty"
        return parse(self.source) or ast.Module([], [])

    @property
    def place(self) -> str:
        "Where it is, for a reader"
        return f"cell {self.position}" + (f" ({self.id})" if self.id else "")


@dataclass(frozen=True)
class Notebook:
    "A notebook's code"

    name: str                                         # without .ipynb
    cells: tuple[Cell, ...] = field(default=())

    @property
    def number(self) -> int | None:
        "The number that its name begins with; None for index"
        found = re.match(r"(\d+)_", self.name)
        return int(found[1]) if found else None

    @property
    def exported(self) -> list[Cell]:
        "The cells that go to a module"
        return [cell for cell in self.cells if cell.exports_to]

    @property
    def others(self) -> list[Cell]:
        "The cells that stay in the notebook: tests and pictures"
        return [cell for cell in self.cells if not cell.exports_to]


def plain(source: str    # of a cell
         ) -> str:       # the same lines, as Python alone
    r"""A cell without what only IPython reads.

    >>> plain("%%time\nx = 1"), plain("x = 1\n!ls\nif x:\n    %cd -q y"), plain("?x")
    ('', 'x = 1\npass\nif x:\n    pass', 'pass')
    """
    if source.lstrip().startswith("%%"): return ""
    return re.sub(r"^([ \t]*)[!%?].*$", r"\1pass", source, flags=re.M)


def parse(source: str           # of a cell
         ) -> ast.Module | None:  # None where it is no Python
    r"""A cell as Python reads it.

    >>> ast.unparse(parse("!ls")), ast.unparse(parse("x = (1\n  % 2)\nawait x")), parse("x = = 1")
    ('pass', 'x = 1 % 2\nawait x', None)
    """
    for text in (source, plain(source)):
        try: return compile(text, "", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError: pass
    return None


def parse_notebook(name: str,      # without .ipynb
                   nb: dict        # what the file holds
                  ) -> Notebook:
    r"""The code of a notebook.

    >>> nb = {"cells": [{"cell_type": "code", "source": source} for source in
    ...       ("#| default_exp core", ["#| export\n", "import os"], "#| exporti other\nx", "x")]}
    >>> [cell.exports_to for cell in parse_notebook("01_core", nb).cells]
    [None, 'core', 'other', None]
    """
    codes = [(i, cell) for i, cell in enumerate(nb["cells"]) if cell["cell_type"] == "code"]
    text = "\n".join("".join(cell["source"]) for _, cell in codes)
    default = re.search(r"^\s*#\s*\|\s*default_exp\s+(\S+)", text, re.M)
    cells = []
    for i, cell in codes:
        source = "".join(cell["source"])
        found = EXPORT.search(source)
        to = (found[2] or (default and default[1])) if found else None
        shown = [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
        figures = sum(kind.startswith("image/") for kind in shown)
        cells.append(Cell(source, cell.get("id", ""), i, to, figures))
    return Notebook(name, tuple(cells))


def read_notebooks(nbs: Path                # the folder
                  ) -> list[Notebook]:      # in the order of their names
    "All notebooks of a folder"
    return [parse_notebook(path.stem, json.loads(path.read_text(encoding="utf-8")))
            for path in sorted(nbs.glob("[!_.]*.ipynb"))]


def named(node: ast.AST             # a statement or a call
         ) -> list[str]:            # modules, those of this package with a dot before them
    """What an import imports; in `from infoae import x`, x may be a module or not: it is `..x`.

    >>> def show(code): return named(ast.parse(code).body[0])
    >>> show("import infoae.data, torch.nn as nn"), show("from infoae.data import load")
    (['.data', 'torch.nn'], ['.data'])
    >>> show("from .data import load"), show("from infoae import data, load")
    (['.data'], ['..data', '..load'])
    >>> show("from . import data"), show("from torch.utils import tensorboard")
    (['..data'], ['torch.utils', 'torch.utils.tensorboard'])
    >>> named(ast.parse("import_module('infoae.data')", mode="eval").body), show("import infoae")
    (['.data'], ['.'])
    """
    if isinstance(node, ast.Import): full = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = ("." if node.level else "") + (node.module or "")
        within = [f"{base}.{alias.name}" for alias in node.names]
        if base in (".", PACKAGE): full = [f"..{alias.name}" for alias in node.names]
        else: full = [base, *(name for name in within if name in OPTIONAL)]
    elif isinstance(node, ast.Call):
        by_name = ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__")
        first = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
        full = [name for name in first if by_name and isinstance(name, str)]
    else: return []
    return [re.sub(rf"^{PACKAGE}(?=\.|$)\.?", ".", name) for name in full]


def imports(tree: ast.AST, inside: str = "") -> Iterator[Import]:
    r"""Every import of a cell, those inside functions with the function's name.

    >>> list(imports(ast.parse("import os\ndef f():\n    from infoae.data import load")))
    [Import(module='os', line=1, inside=''), Import(module='.data', line=3, inside='f')]
    """
    for node in ast.iter_child_nodes(tree):
        for module in named(node): yield Import(module, node.lineno, inside)
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        yield from imports(node, getattr(node, "name", "lambda") if function else inside)


def homes(notebooks: Iterable[Notebook]) -> dict[str, Notebook]:
    "Which notebook exports a module; for one that several export, the first"
    found: dict[str, Notebook] = {}
    for notebook in notebooks:
        for cell in notebook.exported: found.setdefault(str(cell.exports_to), notebook)
    return found


def own(module: str, home: dict[str, Notebook]) -> str | None:
    """The module of this package that an import names, without its dot; None for other packages.

    A name of the package itself that is no module comes from `__init__`, or from `api` where a
    notebook exports that.

    >>> own(".data", {}), own("torch", {}), own("..data", {"data": Notebook("02_data")})
    ('data', None, 'data')
    >>> own("..load", {}), own("..load", {"api": Notebook("22_api")})
    ('__init__', 'api')
    """
    if not module.startswith("."): return None
    name = module.lstrip(".").split(".")[0]
    if name and (name in home or not module.startswith("..")): return name
    return "api" if "api" in home else "__init__"


def arrows_back(notebook: Notebook,
                home: dict[str, Notebook],   # which notebook exports a module
                cells: Iterable[Cell]        # some cells of the notebook
               ) -> Iterator[str]:
    r"""Imports of what a notebook with the same or a larger number exports.

    >>> late = {"cells": [{"cell_type": "code", "source": "#| export late\nx = 1"}]}
    >>> late = parse_notebook("05_late", late)
    >>> early = Notebook("01_early", (Cell("from infoae.late import x", "a", 3, "early"),))
    >>> list(arrows_back(early, homes([early, late]), early.cells))
    ['01_early, cell 3 (a), line 1: imports infoae.late, which 05_late exports']
    >>> gone = Notebook("01_early", (Cell("from infoae.gone import x", "a", 3),))
    >>> list(arrows_back(gone, homes([gone]), gone.cells))
    ['01_early, cell 3 (a), line 1: imports infoae.gone, which no notebook exports']
    """
    for cell in cells:
        for found in imports(cell.tree):
            module = own(found.module, home)
            if module is None or module == cell.exports_to: continue
            there = home.get(module)
            place = f"{notebook.name}, {cell.place}, line {found.line}: imports"
            if module == "__init__":
                if cell.exports_to: yield f"{place} {PACKAGE} itself, and with it every module"
            elif there is None: yield f"{place} {PACKAGE}.{module}, {GONE}"
            elif there is not notebook and (there.number or 0) >= (notebook.number or 0):
                yield f"{place} {PACKAGE}.{module}, which {there.name} exports"


def graph(notebooks: Iterable[Notebook], home: dict[str, Notebook]) -> dict[str, set[str]]:
    "Which modules each module imports, at the top or inside functions"
    edges: dict[str, set[str]] = {module: set() for module in home}
    for notebook in notebooks:
        for cell in notebook.exported:
            found = {own(found.module, home) for found in imports(cell.tree)}
            edges[str(cell.exports_to)] |= (found & set(home)) - {str(cell.exports_to)}
    return edges


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The modules that reach each other, in groups.

    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}), circles({"a": {"b"}})
    ([['a', 'b', 'c']], [])
    """
    def reached(start: str) -> set[str]:
        "What can be reached from a module"
        seen, todo = set(), [start]
        while todo:
            new = edges.get(todo.pop(), set()) - seen
            seen |= new
            todo += new
        return seen

    reach = {module: reached(module) for module in edges}
    groups = {tuple(sorted(b for b in edges if b in reach[a] and a in reach[b]))
              for a in edges if a in reach[a]}
    return [list(group) for group in sorted(groups)]


def comments(source: str) -> dict[int, str]:
    "The comments of a cell by line, from 1"
    try: tokens = list(tokenize.generate_tokens(io.StringIO(plain(source)).readline))
    except (tokenize.TokenError, IndentationError): return {}
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def hidden(notebook: Notebook) -> Iterator[str]:
    r"""Imports inside functions that are no exception, or do not say why.

    >>> def of(line, to="data"):
    ...     return list(hidden(Notebook("02_data", (Cell(f"def f():\n    {line}", "", 1, to),))))
    >>> of("import wandb  # here: an extra"), of("import torch  # here: --help stays quick", "cli")
    ([], [])
    >>> of("import wandb")
    ['02_data, cell 1, line 2: wandb is imported inside f without a comment `# here: why`']
    >>> of("from infoae.late import x  # here: a circle")[0].split(": ", 1)[1]
    'infoae.late is imported inside f; only what may be missing, is rare or kept from --help is'
    """
    said_for_all = any(HERE_FOR_ALL.search(cell.source) for cell in notebook.exported)
    for cell in notebook.exported:
        said, late, seen = comments(cell.source), cell.exports_to in LATE, set()
        for found in imports(cell.tree):
            if not found.inside or found.line in seen: continue
            seen.add(found.line)
            name = re.sub(r"^\.+(?=\w)", f"{PACKAGE}.", found.module)
            place = (f"{notebook.name}, {cell.place}, line {found.line}: "
                     f"{name} is imported inside {found.inside}")
            on_line = [i.module for i in imports(cell.tree) if i.line == found.line]
            optional = any(m == o or m.startswith(o + ".") for m in on_line for o in OPTIONAL)
            if not late and not optional:
                yield f"{place}; only what may be missing, is rare or kept from --help is"
            elif not HERE.search(said.get(found.line, "")) and not (late and said_for_all):
                yield f"{place} without a comment `# here: why`"


def undocumented(tree: ast.AST,
                 within: str = "",         # the class or function around it
                 nested: bool = False      # whether that is a function
                ) -> Iterator[tuple[str, int]]:
    """Functions and classes without a docstring, and the lines where they begin.

    >>> code = "class A:\\n    def __init__(self): pass\\n    def _f(self): pass"
    >>> list(undocumented(ast.parse(code)))
    [('A', 1), ('A._f', 3)]
    """
    for node in ast.iter_child_nodes(tree):
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if not function and not isinstance(node, ast.ClassDef):
            yield from undocumented(node, within, nested)
            continue
        name = f"{within}.{node.name}" if within else node.name
        exempt = function and (
            (node.name.startswith("__") and node.name.endswith("__"))
            or any("overload" in ast.unparse(mark) for mark in node.decorator_list)
            or (nested and node.end_lineno - node.lineno < SMALL_FUNCTION))
        if not exempt and not ast.get_docstring(node): yield name, node.lineno
        yield from undocumented(node, name, nested or function)


def sizes(notebook: Notebook) -> Iterator[str]:
    r"""Exported cells and lines of code that are too long.

    >>> cells = Cell("\n".join(["x = 1"]*46), "a", 1, "data"), Cell("#" * 101, "b", 2)
    >>> for line in sizes(Notebook("02_data", cells)): print(line)
    02_data, cell 1 (a): exports 46 lines, 45 is the most
    02_data, cell 2 (b): line 1 has 101 characters
    """
    for cell in notebook.cells:
        if cell.id.startswith(COLAB): continue
        if cell.exports_to and len(cell.lines) > LONGEST_CELL:
            yield (f"{notebook.name}, {cell.place}: exports {len(cell.lines)} lines, "
                   f"{LONGEST_CELL} is the most")
        for i, line in enumerate(cell.source.split("\n"), 1):
            if len(line) > LONGEST_LINE:
                yield f"{notebook.name}, {cell.place}: line {i} has {len(line)} characters"


def strangers(names: Iterable[str]     # what a folder holds
             ) -> Iterator[str]:
    """What nbs/ should not hold, and numbers that are taken twice.

    >>> names = "00_one.ipynb", "00_two.ipynb", "index.ipynb", "results", "a.py", ".a", "x.ipynb"
    >>> for line in strangers(names): print(line)
    nbs/a.py is no notebook
    nbs/x.ipynb is not named NN_name.ipynb
    two notebooks have the number 00
    """
    numbers: list[str] = []
    for name in sorted(names):
        if name.startswith(".") or name in LITTER or name in ("results", "index.ipynb"): continue
        found = re.fullmatch(r"(\d\d)_\w+\.ipynb", name)
        if found: numbers.append(found[1])
        elif name.endswith(".ipynb"): yield f"nbs/{name} is not named NN_name.ipynb"
        else: yield f"nbs/{name} is no notebook"
    for number in sorted(set(numbers)):
        if numbers.count(number) > 1: yield f"two notebooks have the number {number}"


def ignores(notebook: Notebook) -> Iterator[tuple[str, bool]]:
    """Where exported cells tell mypy to ignore something, and whether code and reason are given.

    >>> cell = Cell("x = 1  # type: ignore[misc]  # why", "", 1, "data")
    >>> list(ignores(Notebook("02_data", (cell,))))
    [('02_data, cell 1, line 1', True)]
    >>> cell = Cell("x = 1  # type: ignore[misc]", "", 1, "data")
    >>> list(ignores(Notebook("02_data", (cell,))))
    [('02_data, cell 1, line 1', False)]
    """
    for cell in notebook.exported:
        for line, comment in comments(cell.source).items():
            found = IGNORE.search(comment)
            place = f"{notebook.name}, {cell.place}, line {line}"
            if found: yield place, bool(found["code"] and found["reason"])


def wrong(root: Path) -> Iterator[str]:
    "One line for each thing that does not hold"
    notebooks = read_notebooks(root/"nbs")
    home = homes(notebooks)
    for notebook in notebooks: yield from arrows_back(notebook, home, notebook.exported)
    for circle in circles(graph(notebooks, home)):
        yield f"modules turn in a circle: {', '.join(circle)}"
    for notebook in notebooks: yield from hidden(notebook)
    for notebook in notebooks:
        found = arrows_back(notebook, home, notebook.others)
        if notebook.number in RESULTS: yield from found
        else: yield from (line for line in found if line.endswith(GONE))
    for notebook in notebooks: yield from sizes(notebook)
    yield from strangers(path.name for path in (root/"nbs").iterdir())
    for notebook in notebooks:
        for cell in notebook.exported:
            if parse(cell.source) is None:
                yield f"{notebook.name}, {cell.place}: exports what Python cannot read"
            for name, line in undocumented(cell.tree):
                yield f"{notebook.name}, {cell.place}, line {line}: {name} has no docstring"
    ignored = [at for notebook in notebooks for at in ignores(notebook)]
    for place, told in ignored:
        if not told: yield f"{place}: write `# type: ignore[code]  # reason`"
    if len(ignored) > MOST_IGNORES:
        yield f"{len(ignored)} times `type: ignore`, {MOST_IGNORES} is the most"


def percentile(values: list[int], percent: int) -> int:
    """The smallest value that so many percent are not above.

    >>> percentile(list(range(1, 11)), 90), percentile([3], 90)
    (9, 3)
    """
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def count(root: Path) -> Iterator[tuple[str, str]]:
    "The house's numbers, each with its name"
    notebooks = read_notebooks(root/"nbs")
    home = homes(notebooks)
    exported = [len(cell.lines) for notebook in notebooks for cell in notebook.exported]
    code = [len(line) for notebook in notebooks for cell in notebook.cells for line in cell.lines]
    figures = sum(cell.figures for notebook in notebooks for cell in notebook.cells)
    turning = circles(graph(notebooks, home))
    arrows = {nb.name[:2]: ([*arrows_back(nb, home, nb.exported)],
                            [*arrows_back(nb, home, nb.others)]) for nb in notebooks}
    gone = [line for both in arrows.values() for lines in both for line in lines
            if line.endswith(GONE)]
    back = [line for lines, _ in arrows.values() for line in lines if not line.endswith(GONE)]
    later = {number: sum(not line.endswith(GONE) for line in lines)
             for number, (_, lines) in arrows.items() if number.isdigit()}
    bare = [name for nb in notebooks for cell in nb.exported for name, _ in undocumented(cell.tree)]
    inside = [found for notebook in notebooks for cell in notebook.exported
              for found in imports(cell.tree) if found.inside]
    yield "notebooks, modules", f"{len(notebooks)}, {len(home)}"
    long = sum(n > LONG_CELL for n in exported)
    yield f"exported cells over {LONG_CELL} lines", f"{long} of {len(exported)}"
    yield f"exported cells over {LONGEST_CELL} lines", str(sum(n > LONGEST_CELL for n in exported))
    middle = statistics.median(exported)
    yield "exported cell, median and longest", f"{middle:g} and {max(exported)} lines"
    yield "code line, 90th percentile", f"{percentile(code, 90)} characters"
    yield f"code lines over {LONGEST_LINE}", f"{sum(n > LONGEST_LINE for n in code)} of {len(code)}"
    yield "figures a notebook", f"{figures / len(notebooks):.1f} ({figures})"
    yield "circles", f"{len(turning)}" + "".join(f" (of {len(c)}: {', '.join(c)})" for c in turning)
    yield "arrows back, exported", str(len(back))
    told = ", ".join(f"{n} in {number}" for number, n in later.items() if n)
    yield "arrows back, other cells", told or "0"
    yield "imports of modules without a notebook", str(len(gone))
    yield "imports inside functions, exported", str(len(inside))
    yield "without a docstring, exported", str(len(bare))
    yield "`type: ignore`", str(sum(1 for notebook in notebooks for _ in ignores(notebook)))
    yield "words in README", str(len((root/"README.md").read_text(encoding="utf-8").split()))


def main() -> int:  # exit status
    "The command"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=Path, nargs="?", default=ROOT,
                        help="a repository (default: this one)")
    parser.add_argument("--count", action="store_true",
                        help="print the house's numbers and check nothing")
    args = parser.parse_args()
    if args.count:
        for name, value in count(args.root): print(f"{name:<42} {value}")
        return 0
    found = list(wrong(args.root))
    for line in found: print(line, file=sys.stderr)
    lengths = [len(cell.lines) for nb in read_notebooks(args.root/"nbs") for cell in nb.exported]
    middle = statistics.median(lengths or [0])
    print(f"{len(found)} things wrong; exported cells have {middle:g} lines in the median")
    return 1 if found else 0


if __name__ == "__main__": sys.exit(main())
