"""The measurements behind the choices: runs on MNIST, one row each in results/STUDY.jsonl.

    python nbs/studies.py search --jobs 2    # or choices, ablation; rows that are there already are not run again

Runs are scored on the labels of the last 10,000 training images. Seeds are 100 and up.
"""
import argparse
import json
import multiprocessing
import sys
from pathlib import Path

import torch

from infoae.core import environment, pick_device, recipe
from infoae.data import load
from infoae.evaluation import scores
from infoae.infomax import train
from infoae.training import TrainingFailed

RESULTS = Path(__file__).parent / "results"
NO_INFORMATION = {"marginal": 0.0, "conditional": 0.0, "adversarial": 0.0, "agreement": 0.0}
GENTLE = {"marginal": 0.4, "conditional": 0.1, "adversarial": 1.0, "agreement": 1.0}   # a fifth of the recipe's weights
SHORT = {"epochs": 6}
Runs = list[tuple[str, int, dict]]                                                     # recipe, seed, changes


def each(name: str, seeds: range, *changes: dict, **common: int) -> Runs:
    """Every change on every seed."""
    return [(name, seed, {**common, **change}) for change in changes for seed in seeds]


STUDIES: dict[str, Runs] = {
    "choices": [("paper", seed, {"epochs": 3, **changes}) for seed, changes in
                [(100, {}), (100, {"routing": "section 2.4"}), (100, {"s_norm": "spectral"}), (100, {"saturating": True}), (101, {}),
                 (100, {"adam_beta1": 0.9}), (100, {"batch_size": 64}), (100, {"lr": 1e-3})]]
             + [("infomax", seed, {"epochs": 3, **changes}) for seed, changes in
                [(100, {}), (101, {}), (100, NO_INFORMATION), (100, GENTLE), (101, GENTLE), (100, {"lr": 2e-4}),
                 (100, {"s_norm": "batch"}), (101, {"s_norm": "batch"}), (102, {"s_norm": "batch"}), (100, {"encoder_factor": 1}),
                 (100, {"agreement": 0.0}), (100, {"average": 0.0, "decay_from": 1.0})]],
    "search": each("infomax", range(115, 119), {}),
    "ablation": each("infomax", range(120, 123), {}, {"marginal": 0.0}, {"adversarial": 0.0}, {"agreement": 0.0}, {"leave_out": "Dil D_lg D_le"},
                     {"leave_out": "S_l E_l"}, {"gamma": 0.0}, {"leave_out": "C_le"}, **SHORT)
              + each("paper", range(120, 123), {}, {"routing": "section 2.4"}, {"s_norm": "spectral"}, {"lr": 1e-3}, {"agreement": 1.0}, **SHORT)
              + each("paper", range(120, 123), *({name: value} for name in ("alpha", "beta") for value in (0.5, 2.0)), {"gamma": 0.2}, {"gamma": 0.8}, **SHORT),
}


class Enough(Exception):
    """A run has made the epochs that were asked for."""


def measure(name: str, seed: int, changes: dict, stop_after: int | None = None) -> dict:
    """One run and its row; with `stop_after`, only its first epochs."""
    config = recipe(name, seed=seed, **changes)
    images, labels = load("mnist", "dev")
    records: list[dict] = []

    def look(model, record: dict) -> None:
        records.append({**record, "scores": scores(model.predict(images), labels)})
        if len(records) == stop_after: raise Enough

    try: status = train(load("mnist", "train")[0], config, device="cpu", show=False, on_epoch=look).history["status"]
    except Enough: status = "stopped early"
    except TrainingFailed as e: status = str(e)
    history = [{"epoch": r["epoch"], "accuracy": r["scores"]["accuracy"], "R_l": r["losses"].get("R_l"), "usage_entropy": r["usage_entropy"],
                "largest": max(r["usage"]), "smallest": min(r["usage"]), "agreement": r["agreement"], "seconds": r["seconds"]} for r in records]
    last = records[-1] if records else {}
    return {"changes": changes, "config": json.loads(config.to_json()), "digest": config.digest(), "status": status, "split": "dev", "history": history,
            "environment": environment(pick_device("cpu")), "seconds": sum(r["seconds"] for r in records),
            **{key: last.get(key) for key in ("scores", "losses", "critics", "usage", "usage_entropy", "dead", "confidence", "agreement")}}


def one_core(run: tuple) -> dict:
    """`measure` in a process of its own."""
    torch.set_num_threads(1)
    return measure(*run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=sorted(STUDIES))
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, one core each (default: 1)")
    parser.add_argument("--stop-after", type=int, help="make only this many epochs of each run")
    parser.add_argument("--rows", type=Path, help="the file that rows are appended to (default: results/STUDY.jsonl)")
    args = parser.parse_args()
    rows = args.rows or RESULTS / f"{args.study}.jsonl"
    done = {json.loads(line)["digest"] for line in rows.read_text().splitlines()} if rows.exists() else set()
    left = [(name, seed, changes, args.stop_after) for name, seed, changes in STUDIES[args.study] if recipe(name, seed=seed, **changes).digest() not in done]
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        for row in pool.imap_unordered(one_core, left):
            with rows.open("a") as f: f.write(json.dumps(row) + "\n")
            print(row["config"]["recipe"], row["config"]["seed"], row["changes"], row["status"], row["scores"], file=sys.stderr, flush=True)
