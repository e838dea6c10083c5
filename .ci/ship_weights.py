"""Put the weights of each recipe's first seed into the package, each with its line of the ledger.

    python .ci/ship_weights.py RUNS     # the folder that `infoae reproduce --out RUNS` filled

The lines of RUNS/ledger.jsonl that nbs/results/ledger.jsonl has not yet are added to it. Of seed 0
of each recipe the weights go to infoae/assets/NAME/, and what training wrote about itself to
nbs/results/mnist-RECIPE-0/. Nothing is chosen: it is always seed 0, and weights that are not the
line's are refused. README's picture, nbs/results/generated-digits.png, is drawn anew from the
weights `mnist` of the package; `python .ci/ship_weights.py --picture` does only that.
"""
import argparse
import json
import shutil
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from infoae.evaluation import samples
from infoae.files import load_weights, write_file
from infoae.ledger import SHIPPED, add_row, read_ledger, settings_of, weights_sha256
from infoae.model import Model
from infoae.plots import mosaic

ROOT = Path(__file__).resolve().parents[1]
ASSETS, RESULTS = ROOT/"infoae"/"assets", ROOT/"nbs"/"results"
LEDGER, PICTURE = RESULTS/"ledger.jsonl", RESULTS/"generated-digits.png"
ZOOM, HEAD = 2, 30  # screen pixels for a pixel of an image; height of the names above the columns


def generated_digits(model: Model, mapping: Mapping[str, int]) -> bytes:
    """A PNG of D(G(z, c)): one z a row, one category a column, in the order of their digits."""
    order = sorted(mapping, key=lambda category: mapping[category])
    table = mosaic(samples(model, rows=10, seed=0)[:, [int(k) for k in order]])
    pixels = np.kron((table * 255).round().astype(np.uint8), np.ones((ZOOM, ZOOM), np.uint8))
    picture, data = Image.new("L", (pixels.shape[1], pixels.shape[0] + HEAD), 255), BytesIO()
    picture.paste(Image.fromarray(pixels), (0, HEAD))
    draw, font = ImageDraw.Draw(picture), ImageFont.truetype(findfont("DejaVu Sans"), 20)
    for column, category in enumerate(order):
        middle = ZOOM * (model.config.image_size / 2 + column * (model.config.image_size + 1))
        draw.text((middle, HEAD / 2), str(mapping[category]), fill=0, font=font, anchor="mm")
    picture.save(data, "png", optimize=True)
    return data.getvalue()


def draw_picture() -> None:
    """Renew README's picture from the weights `mnist` of the package and their line."""
    mapping = json.loads((ASSETS/"mnist"/"ledger.json").read_text())["mapping"]
    picture = generated_digits(load_weights(ASSETS/"mnist"/"weights.safetensors"), mapping)
    write_file(PICTURE, picture)
    print(f"{PICTURE.name}: {len(picture) / 1000:.0f} kB")


def ship(name: str, row: dict, run: Path) -> None:
    """Copy one run's weights and its line; refuse weights of another run."""
    if weights_sha256(load_weights(run/"weights.safetensors")) != row["weights_sha256"]:
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
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("runs", type=Path, nargs="?")
    what.add_argument("--picture", action="store_true", help="only draw README's picture")
    runs = parser.parse_args().runs
    known = [settings_of(row) for row in read_ledger(LEDGER)] if runs else []
    for row in read_ledger(runs/"ledger.jsonl") if runs else []:
        if settings_of(row) not in known: add_row(LEDGER, row)
    rows = {(row["recipe"], row["seed"]): row for row in read_ledger(LEDGER)}
    for name, recipe in SHIPPED.items() if runs else ():
        row, run = rows.get((recipe, 0)), runs/recipe/"seed-0"
        if row and (run/"weights.safetensors").exists(): ship(name, row, run)
    draw_picture()
