"""Measure the choices that the paper leaves open: short runs on MNIST, one row each in results/choices.jsonl.

    python nbs/choices.py --recipe paper     # or infomax; rows that are there already are not run again

Each run is scored once, at its end, on the labels of the last 10,000 training images. Seeds are 100 and up.
"""
import argparse
import json
import sys
from pathlib import Path

import torch

from infoae.core import recipe
from infoae.data import load
from infoae.evaluation import scores
from infoae.infomax import train
from infoae.training import TrainingFailed

ROWS = Path(__file__).parent / "results" / "choices.jsonl"
EPOCHS = 3
NO_INFORMATION = {"marginal": 0.0, "conditional": 0.0, "adversarial": 0.0, "agreement": 0.0}
GENTLE = {"marginal": 0.4, "conditional": 0.1, "adversarial": 1.0, "agreement": 1.0}   # a fifth of the recipe's weights
CHOICES: dict[str, list[tuple[int, dict]]] = {
    "paper": [(100, {}), (100, {"routing": "section 2.4"}), (100, {"s_norm": "spectral"}), (100, {"saturating": True}), (101, {}),
              (100, {"adam_beta1": 0.9}), (100, {"batch_size": 64}), (100, {"lr": 1e-3})],
    "infomax": [(100, {}), (101, {}), (100, NO_INFORMATION), (100, GENTLE), (101, GENTLE), (100, {"lr": 2e-4}),
                (100, {"s_norm": "batch"}), (101, {"s_norm": "batch"}), (102, {"s_norm": "batch"}), (100, {"encoder_factor": 1}),
                (100, {"agreement": 0.0}), (100, {"average": 0.0, "decay_from": 1.0})],
}


def measure(name: str, seed: int, changes: dict) -> dict:
    """One short run and its row."""
    config = recipe(name, epochs=EPOCHS, seed=seed, **changes)
    images, labels = load("mnist", "dev")
    row = {"changes": changes, "config": json.loads(config.to_json()), "digest": config.digest()}
    try: trainer = train(load("mnist", "train")[0], config, device="cpu", show=False)
    except TrainingFailed as e: return {**row, "status": str(e), "scores": None}
    last = trainer.history["epochs"][-1]
    found = scores(trainer.final.predict(images), labels)
    return {**row, "status": "finished", "scores": found, "split": "dev", "environment": trainer.history["environment"],
            "seconds": sum(e["seconds"] for e in trainer.history["epochs"]),
            **{key: last[key] for key in ("losses", "critics", "usage", "usage_entropy", "dead", "confidence", "agreement")}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=sorted(CHOICES), required=True)
    parser.add_argument("--rows", type=Path, default=ROWS, help="the file that rows are appended to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for seed, changes in CHOICES[args.recipe]:
        done = [json.loads(line)["digest"] for line in args.rows.read_text().splitlines()] if args.rows.exists() else []
        if recipe(args.recipe, epochs=EPOCHS, seed=seed, **changes).digest() in done: continue
        row = measure(args.recipe, seed, changes)
        with args.rows.open("a") as f: f.write(json.dumps(row) + "\n")
        print(args.recipe, seed, changes, row["scores"], file=sys.stderr, flush=True)
