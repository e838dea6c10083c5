"""Put the weights of each recipe's first seed into the package, each with its line of the ledger.

    python .ci/ship_weights.py RUNS     # the folder that `infoae reproduce --out RUNS` filled

The lines of RUNS/ledger.jsonl that nbs/results/ledger.jsonl has not yet are added to it. Of seed 0
of each recipe the weights go to infoae/assets/NAME/, and what training wrote about itself to
nbs/results/mnist-RECIPE-0/. Nothing is chosen: it is always seed 0, and weights that are not the
line's are refused. README's picture, nbs/results/generated-digits.png, is drawn anew from the
weights `mnist` of the package; `python .ci/ship_weights.py --picture` does only that.

    python .ci/ship_weights.py --renew  # after a change of the format or of the settings' names

writes the weights, the map and the rows that name them anew in the format of now. No number
changes: the tensors are compared bit by bit. What a line of version 0.1 called `weights_sha256` was
another hash, and is kept there as `numbers_sha256_v1`.
"""
import argparse
import json
import shutil
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from infoae.evaluation import samples
from infoae.files import (
    load_weights,
    read_json,
    read_lines,
    read_tensors,
    save_weights,
    weights_sha256,
    write_file,
    write_tensors,
)
from infoae.ledger import SHIPPED, add_row, numbers_sha256_v1, read_ledger, settings_of
from infoae.model import Model
from infoae.plots import mosaic

ROOT = Path(__file__).resolve().parents[1]
ASSETS, RESULTS = ROOT/"infoae"/"assets", ROOT/"nbs"/"results"
LEDGER, PICTURE = RESULTS/"ledger.jsonl", RESULTS/"generated-digits.png"
MAP = ASSETS/"mnist"/"map.safetensors"
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


def renewed_row(row: dict, names: Mapping[str, str]) -> dict:
    """A line or row whose hash of weights is that of now, where one is known."""
    row, sha = dict(row), row.get("weights_sha256")
    if row["environment"]["infoae"] == "0.1.0" and "numbers_sha256_v1" not in row:
        row["numbers_sha256_v1"] = row.pop("weights_sha256")
    now = names.get(sha) or names.get(row.get("numbers_sha256_v1"))
    return {**row, "weights_sha256": now} if now else row


def renew() -> None:
    """Write the package's weights, its map and all rows about them in the format of now."""
    names = {}  # the hash of now by that of before, and by that of version 0.1
    for name in SHIPPED:
        path = ASSETS/name/"weights.safetensors"
        before, notes = read_tensors(path)
        model = load_weights(path)
        now = weights_sha256(model)
        names |= {numbers_sha256_v1(model): now, notes.get("sha256", now): now}
        if notes.get("sha256") != now: save_weights(model, path)
        after, _ = read_tensors(path)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key].view(-1).view(torch.uint8),
                               after[key].view(-1).view(torch.uint8)) for key in before)
    for path in sorted(ASSETS.glob("*/ledger.json")):
        write_file(path, json.dumps(renewed_row(read_json(path), names)).encode())
    for path in LEDGER, RESULTS/"ledger-first.jsonl":
        rows = [renewed_row(row, names) for row in read_lines(path)]
        write_file(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
    reuse = RESULTS/"reuse.jsonl"  # its rows name the weights that they are of, or none
    rows = [{**row, "weights_sha256": names.get(row["weights_sha256"], row["weights_sha256"])}
            for row in read_lines(reuse)]
    write_file(reuse, "".join(json.dumps(row) + "\n" for row in rows).encode())
    tensors, notes = read_tensors(MAP)
    of = names.get(notes["weights_sha256"], notes["weights_sha256"])
    if notes["weights_sha256"] != of:
        write_tensors(MAP, tensors, {"images": notes["images"], "weights_sha256": of})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("runs", type=Path, nargs="?")
    what.add_argument("--picture", action="store_true", help="only draw README's picture")
    what.add_argument("--renew", action="store_true", help="only write all in the format of now")
    args = parser.parse_args()
    runs = args.runs
    if args.renew:
        warnings.simplefilter("ignore", UserWarning)  # that the format is an old one
        renew()
    known = [settings_of(row) for row in read_ledger(LEDGER)] if runs else []
    for row in read_ledger(runs/"ledger.jsonl") if runs else []:
        if settings_of(row) not in known: add_row(LEDGER, row)
    rows = {(row["recipe"], row["seed"]): row for row in read_ledger(LEDGER)}
    for name, recipe in SHIPPED.items() if runs else ():
        row, run = rows.get((recipe, 0)), runs/recipe/"seed-0"
        if row and (run/"weights.safetensors").exists(): ship(name, row, run)
    if not args.renew: draw_picture()
