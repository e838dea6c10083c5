"""Put the weights of each recipe's first seed into the package, each with its line of the ledger.

    python .ci/ship_weights.py RUNS     # the folder that `infoae reproduce --out RUNS` filled

The lines of RUNS/ledger.jsonl that nbs/results/ledger.jsonl has not yet are added to it. Of seed 0
of each recipe the weights go to infoae/assets/NAME/, and what training wrote about itself to
nbs/results/mnist-RECIPE-0/. Nothing is chosen: it is always seed 0, and weights that are not the
line's are refused.
"""
import argparse
import json
import shutil
from pathlib import Path

from infoae.ledger import SHIPPED, add_row, read_ledger, weights_sha256
from infoae.model import InfoAE, write_file

ROOT = Path(__file__).resolve().parents[1]
ASSETS, RESULTS = ROOT/"infoae"/"assets", ROOT/"nbs"/"results"
LEDGER = RESULTS/"ledger.jsonl"


def ship(name: str, row: dict, run: Path) -> None:
    """Copy one run's weights and its line; refuse weights of another run."""
    if weights_sha256(InfoAE.load(run/"weights.safetensors")) != row["weights_sha256"]:
        raise SystemExit(f"The weights in {run} are not those of the ledger's line; "
                         "nothing was copied.")
    told = RESULTS/f"mnist-{row['recipe']}-{row['seed']}"
    for folder in (ASSETS/name, told): folder.mkdir(parents=True, exist_ok=True)
    write_file(ASSETS/name/"weights.safetensors", (run/"weights.safetensors").read_bytes())
    write_file(ASSETS/name/"ledger.json", json.dumps(row).encode())
    for file in ("config.json", "history.json", "samples.png"):
        if (run/file).exists(): write_file(told/file, (run/file).read_bytes())
    if name == "mnist": shutil.copytree(run/"samples", told/"samples", dirs_exist_ok=True)
    print(f"{name}: {row['recipe']}, seed {row['seed']}, {100 * row['accuracy']:.2f} %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    runs = parser.parse_args().runs
    known = {row["digest"] for row in read_ledger(LEDGER)}
    for row in read_ledger(runs/"ledger.jsonl"):
        if row["digest"] not in known: add_row(LEDGER, row)
    rows = {(row["recipe"], row["seed"]): row for row in read_ledger(LEDGER)}
    for name, recipe in SHIPPED.items():
        row, run = rows.get((recipe, 0)), runs/recipe/"seed-0"
        if row and (run/"weights.safetensors").exists(): ship(name, row, run)
