"""What needs the repository's address: badges and cells for Colab, and README's clone line.

Usage: python .ci/colab.py            put them in; take them out while the address is a placeholder
       python .ci/colab.py --check    change nothing; exit 1 if a notebook is not as it should be

The address is a placeholder until a publisher sets `user` in settings.ini (CONTRIBUTING.md tells
what else to set). With an address, each notebook has below its title an "Open in Colab" badge and a
cell that, on Colab alone, clones the repository and installs it, and the first sh block of
index.ipynb, from which README.md is made, begins with the clone line. What the cell does on Colab
is untested until the repository is published; anywhere else it does nothing.
"""
import argparse
import re
import sys
from configparser import ConfigParser

import nbformat
from check_links import NBS, ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell

PLACEHOLDER = "infoae"                            # settings.ini's user before anybody published
BADGE, INSTALL = "colab-badge", "colab-install"   # the cells' ids
PICTURE = "https://colab.research.google.com/assets/colab-badge.svg"

INSTALL_SOURCE = """#| hide
if "google.colab" in str(get_ipython()):  # nothing happens anywhere else; untested until published
    !git clone -q --depth 1 -b {branch} {git_url} /content/{repo}
    !pip install -q /content/{repo} "fastcore<2"
    %cd -q /content/{repo}/nbs"""
CLONE = "git clone {git_url}\ncd {repo}\n"
FIRST = re.compile(r"^```sh *\n", re.M)                              # how a sh block begins
CLONED = re.compile(r"(?<=^```sh\n)git clone \S+\ncd \S+\n", re.M)   # from CLONE, for any address


def settings() -> dict[str, str]:
    "What settings.ini says"
    parser = ConfigParser(delimiters=["="])
    parser.read_string((ROOT/"settings.ini").read_text(encoding="utf-8"))
    return dict(parser["DEFAULT"])


def published(about: dict[str, str]    # user, repo, git_url
             ) -> bool:                # whether the address is more than a placeholder
    """Whether a publisher has set the address; ValueError where half of it is set.

    >>> published({"user": "infoae", "repo": "r", "git_url": "https://github.com/infoae/r"})
    False
    >>> published({"user": "u", "repo": "r", "git_url": "https://github.com/u/r"})
    True
    >>> published({"user": "u", "repo": "r", "git_url": "https://github.com/infoae/r"})
    Traceback (most recent call last):
        ...
    ValueError: settings.ini: git_url is https://github.com/infoae/r, which is not u's r
    """
    user, repo, url = about["user"], about["repo"], about["git_url"]
    if not url.removesuffix(".git").endswith(f"/{user}/{repo}"):
        raise ValueError(f"settings.ini: git_url is {url}, which is not {user}'s {repo}")
    return user != PLACEHOLDER


def with_colab(nb: nbformat.NotebookNode,   # a notebook
               name: str,                   # its file's name
               about: dict[str, str]        # user, repo, branch, git_url
              ) -> nbformat.NotebookNode:   # with badge and cell, or without
    """Badge and cell right below the title, once; ValueError where no title is at the beginning.

    >>> about = {"user": "u", "repo": "r", "branch": "main", "git_url": "https://example.org/u/r"}
    >>> def notebook(*cells):
    ...     prose = [cell[0] in "#`" and cell[1] != "|" for cell in cells]
    ...     kinds = [new_markdown_cell if is_prose else new_code_cell for is_prose in prose]
    ...     made = [kind(cell) for kind, cell in zip(kinds, cells, strict=True)]
    ...     return nbformat.v4.new_notebook(cells=made)
    >>> once = with_colab(notebook("#| default_exp x", "# X", "1"), "00_x.ipynb", about)
    >>> [cell.source.split(chr(10))[0][:40] for cell in once.cells]
    ['#| default_exp x', '# X', '[![Open in Colab](https://colab.research', '#| hide', '1']
    >>> "(https://colab.research.google.com/github/u/r/blob/main/nbs/00_x" in once.cells[2].source
    True
    >>> import copy
    >>> with_colab(copy.deepcopy(once), "00_x.ipynb", about) == once
    True
    >>> other = {**about, "user": "v", "git_url": "https://example.org/v/r"}
    >>> other = with_colab(copy.deepcopy(once), "00_x.ipynb", other)
    >>> len(other.cells), "github/v/r" in other.cells[2].source
    (5, True)

    While the address is a placeholder there are none:

    >>> unset = {**about, "user": "infoae", "git_url": "https://example.org/infoae/r"}
    >>> [cell.source for cell in with_colab(copy.deepcopy(once), "00_x.ipynb", unset).cells]
    ['#| default_exp x', '# X', '1']

    The clone line stands in the first sh block of index.ipynb alone:

    >>> blocks = notebook("# X", "```sh" + chr(10) + "pip install -e ." + chr(10) + "```")
    >>> blocks = with_colab(blocks, "index.ipynb", about)
    >>> print(blocks.cells[-1].source)
    ```sh
    git clone https://example.org/u/r
    cd r
    pip install -e .
    ```
    >>> with_colab(copy.deepcopy(blocks), "index.ipynb", about) == blocks
    True
    >>> print(with_colab(blocks, "index.ipynb", unset).cells[-1].source)
    ```sh
    pip install -e .
    ```

    On Colab the cell clones and installs, elsewhere it does nothing:

    >>> from IPython.core.inputtransformer2 import TransformerManager
    >>> from unittest.mock import MagicMock
    >>> def run(shell: str) -> MagicMock:
    ...     "What the cell asks of a notebook's shell"
    ...     ipython = MagicMock(__str__=lambda self: shell)
    ...     code = TransformerManager().transform_cell(once.cells[3].source)
    ...     exec(code, {"get_ipython": lambda: ipython})
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
    markdown = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "markdown"]
    if not markdown or not nb.cells[markdown[0]].source.startswith("# "):
        raise ValueError(f"{name} has no title: its first Markdown cell has to begin with '# '")
    address = published(about)
    if name == "index.ipynb":
        first = next((nb.cells[i] for i in markdown if FIRST.search(nb.cells[i].source)), None)
        if first is None: raise ValueError(f"{name} has no fenced sh block")
        first.source = CLONED.sub("", first.source)
        clone = CLONE.format(**about) if address else ""
        first.source = FIRST.sub(lambda found: found[0] + clone, first.source, count=1)
    if not address: return nb
    page = f"{about['user']}/{about['repo']}/blob/{about['branch']}/nbs/{name}"
    link = f"[![Open in Colab]({PICTURE})](https://colab.research.google.com/github/{page})"
    install = new_code_cell(INSTALL_SOURCE.format(**about), id=INSTALL)
    cells = [new_markdown_cell(link, id=BADGE), install]
    nb.cells[markdown[0] + 1:markdown[0] + 1] = cells
    return nb


def main() -> int:  # exit status
    "The command"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true",
                        help="change nothing, exit 1 if a notebook would change")
    check, about, stale = parser.parse_args().check, settings(), []
    for path in sorted(NBS.glob("[!_.]*.ipynb")):
        there = path.read_text(encoding="utf-8")
        try: made = with_colab(nbformat.reads(there, as_version=4), path.name, about)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        made = nbformat.writes(made) + "\n"
        if made == there: continue
        stale.append(path.name)
        if not check: path.write_text(made, encoding="utf-8", newline="\n")
    state = "set" if published(about) else "a placeholder"
    if check and stale:
        print(f"the repository's address is {state}, which {', '.join(stale)} do not show: "
              "run `python .ci/colab.py` and `python .ci/make_readme.py`", file=sys.stderr)
    count = f"{len(stale)} notebooks {'to be changed' if check else 'changed'}"
    print(f"the address is {state}; {count}")
    return 1 if check and stale else 0


if __name__ == "__main__": sys.exit(main())
