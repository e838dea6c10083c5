"""Give each notebook an "Open in Colab" badge and a cell that, on Colab alone, clones the repository and installs it.

Usage: python nbs/colab.py            insert both below each notebook's title, or refresh them
       python nbs/colab.py --check    change nothing; exit 1 if a notebook lacks them or has old ones

Address, repository and branch are those of settings.ini. What the cell does on Colab is untested until the repository is
published; anywhere else it does nothing.
"""
import argparse
import sys
from configparser import ConfigParser
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

NBS = Path(__file__).resolve().parent
BADGE, INSTALL = "colab-badge", "colab-install"   # the cells' ids

INSTALL_SOURCE = """#| hide
if "google.colab" in str(get_ipython()):  # nothing happens anywhere else; untested until the repository is published
    !git clone -q --depth 1 -b {branch} {git_url} /content/{repo}
    !pip install -q /content/{repo} "fastcore<2"
    %cd -q /content/{repo}/nbs"""


def settings() -> dict[str, str]:
    "What settings.ini says"
    parser = ConfigParser(delimiters=["="])
    parser.read_string((NBS.parent/"settings.ini").read_text(encoding="utf-8"))
    return dict(parser["DEFAULT"])


def with_colab(nb: nbformat.NotebookNode,   # a notebook
               name: str,                   # its file's name
               about: dict[str, str]        # user, repo, branch, git_url
              ) -> nbformat.NotebookNode:   # with badge and cell
    """Badge and cell right below the title, once; ValueError for a notebook that does not begin with a title.

    >>> about = {"user": "u", "repo": "r", "branch": "main", "git_url": "https://example.org/u/r"}
    >>> def notebook(*cells): return nbformat.v4.new_notebook(cells=[new_markdown_cell(c) if c.startswith("# ") else new_code_cell(c) for c in cells])
    >>> once = with_colab(notebook("#| default_exp x", "# X", "1"), "00_x.ipynb", about)
    >>> [cell.source.split(chr(10))[0][:40] for cell in once.cells]
    ['#| default_exp x', '# X', '[![Open in Colab](https://colab.research', '#| hide', '1']
    >>> once.cells[2].source.endswith("(https://colab.research.google.com/github/u/r/blob/main/nbs/00_x.ipynb)")
    True
    >>> import copy
    >>> with_colab(copy.deepcopy(once), "00_x.ipynb", about) == once
    True
    >>> other = with_colab(copy.deepcopy(once), "00_x.ipynb", {**about, "user": "v"})
    >>> len(other.cells), "github/v/r" in other.cells[2].source
    (5, True)
    >>> from IPython.core.inputtransformer2 import TransformerManager
    >>> from unittest.mock import MagicMock
    >>> def run(shell: str) -> MagicMock:
    ...     "What the cell asks of a notebook's shell"
    ...     ipython = MagicMock(__str__=lambda self: shell)
    ...     exec(TransformerManager().transform_cell(once.cells[3].source), {"get_ipython": lambda: ipython})
    ...     return ipython
    >>> run("<ipykernel.zmqshell.ZMQInteractiveShell>").mock_calls
    []
    >>> for call in run("<google.colab._shell.Shell>").mock_calls: print(call)
    call.system('git clone -q --depth 1 -b main https://example.org/u/r /content/r')
    call.system('pip install -q /content/r "fastcore<2"')
    call.run_line_magic('cd', '-q /content/r/nbs')
    >>> with_colab(notebook("1"), "00_x.ipynb", about)
    Traceback (most recent call last):
        ...
    ValueError: 00_x.ipynb has no title: its first Markdown cell has to begin with '# '
    """
    nb.cells = [cell for cell in nb.cells if cell.get("id") not in (BADGE, INSTALL)]
    at = next((i for i, cell in enumerate(nb.cells) if cell.cell_type == "markdown"), None)
    if at is None or not nb.cells[at].source.startswith("# "): raise ValueError(f"{name} has no title: its first Markdown cell has to begin with '# '")
    link = f"https://colab.research.google.com/github/{about['user']}/{about['repo']}/blob/{about['branch']}/nbs/{name}"
    badge = new_markdown_cell(f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({link})", id=BADGE)
    nb.cells[at + 1:at + 1] = [badge, new_code_cell(INSTALL_SOURCE.format(**about), id=INSTALL)]
    return nb


def main() -> int:  # exit status
    "The command"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if a notebook would change")
    check, about, stale = parser.parse_args().check, settings(), []
    for path in sorted(NBS.glob("[!_.]*.ipynb")):
        there = path.read_text(encoding="utf-8")
        try: made = nbformat.writes(with_colab(nbformat.reads(there, as_version=4), path.name, about)) + "\n"
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        if made == there: continue
        stale.append(path.name)
        if not check: path.write_text(made, encoding="utf-8", newline="\n")
    if check and stale: print(f"badge or cell for Colab is missing or old in {', '.join(stale)}: run `python nbs/colab.py` and `python nbs/make_readme.py`", file=sys.stderr)
    print(f"{len(stale)} notebooks {'to be changed' if check else 'changed'}")
    return 1 if check and stale else 0


if __name__ == "__main__": sys.exit(main())
