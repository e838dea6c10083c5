"""Try the installed package as its users do, with nothing but its own requirements.

Usage: python .ci/try_wheel.py FOLDER    FOLDER is outside the checkout, and is made

The command trains, sorts, draws and tells its version, also in a folder full of files with the
names of modules, none of which it may run. Then the same from Python: weights of the package on
arrays, and the estimator.
"""
import os
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

SCRIPT = Path(sysconfig.get_path("scripts"))/("infoae.exe" if os.name == "nt" else "infoae")
TRAP = "import os\nos.write(2, b'a file of the current folder was run: {}')\nos._exit(77)\n"
NAMES = {*sys.stdlib_module_names, "infoae", "torch", "torchvision", "numpy", "scipy", "sklearn",
         "PIL", "matplotlib", "seaborn", "safetensors", "tqdm", "pandas", "threadpoolctl",
         "sitecustomize", "usercustomize"}
FROM_PYTHON = """
import numpy as np
from infoae import InfoAE, InfoAEClusterer, load

digits, labels = load("digits", "test")
model = InfoAE.from_pretrained("mnist")
asked = digits.numpy()[:50]
categories = model.predict(asked)
assert categories.shape == (50,) and model.generate(np.arange(10)).shape == (10, 1, 28, 28)
assert (model.predict(list(asked)) == categories).all()

rows = np.concatenate([np.random.default_rng(0).normal(3 * k, 1, (60, 5)) for k in range(3)])
clusters = InfoAEClusterer(3, epochs=2, min_steps=20, random_state=0).fit(rows)
assert clusters.labels_.shape == (180,) and clusters.predict(rows[:4]).shape == (4,)
"""


def run(*words: str | Path,  # a program and its words
        where: Path) -> str: # what it prints
    "Run a program, and stop with what it said where it fails"
    done = subprocess.run([str(word) for word in words], cwd=where, capture_output=True, text=True)
    if done.returncode == 0: return done.stdout
    sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout[-2000:]}"
             f"\n{done.stderr[-4000:]}")


def try_all(folder: Path) -> None:
    "All that is told above; SystemExit with what failed"
    trap, own = folder/"trap", folder/"own"
    for place in (trap, own): place.mkdir(parents=True)
    for name in NAMES: (trap/f"{name}.py").write_text(TRAP.format(name))
    for place in (trap, own): assert version("infoae") in run(SCRIPT, "--version", where=place)
    assert version("infoae") in run(sys.executable, "-m", "infoae", "--version", where=own)
    run(SCRIPT, "train", "--data", "digits", "--epochs", "1", "--out", own/"run", where=trap)
    run(SCRIPT, "evaluate", own/"run", "--json", where=trap)
    run(SCRIPT, "generate", "mnist", "--out", own/"samples.jpg", where=trap)
    run(SCRIPT, "sort", own/"run", "--data", "digits", "--out", own/"sorted", where=trap)
    for name in ("run/report.md", "run/weights.safetensors", "samples.jpg", "sorted/index.html",
                 "sorted/sorted.csv"):
        assert (own/name).stat().st_size > 0, name
    run(sys.executable, "-c", FROM_PYTHON, where=own)


if __name__ == "__main__":
    here = Path(__file__).resolve().parents[1]
    home = Path(find_spec("infoae").origin).resolve().parent
    if here in home.parents: sys.exit(f"infoae is that of the checkout, {home}")
    if find_spec("nbdev"): sys.exit("this environment has more than the package's requirements")
    try_all(Path(sys.argv[1]))
    print("tried: version, train, evaluate, sort, generate, a folder of traps, weights on arrays, "
          f"the estimator; torch {version('torch')}, numpy {version('numpy')}")
