"""The measurements behind the choices: runs on MNIST, one row each in results/STUDY.jsonl.

    python nbs/studies.py search --jobs 2    # or choices, first_epochs, ablation; rows that are there already are not run again

Runs are scored on the labels of the last 10,000 training images. Seeds are 100 and up.
"""
import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from infoae.core import Config, environment, pick_device, recipe, with_changes
from infoae.data import load
from infoae.evaluation import scores
from infoae.infomax import train
from infoae.ledger import read_ledger
from infoae.training import TrainingFailed

RESULTS = Path(__file__).parent / "results"
EVEN = {"boost": 1.0, "marginal_boost": 1.0}                                           # infomax before the first part of a run weighed more
NO_INFORMATION = {"marginal": 0.0, "conditional": 0.0, "adversarial": 0.0, "agreement": 0.0}
GENTLE = {"marginal": 0.4, "conditional": 0.1, "adversarial": 1.0, "agreement": 1.0}   # a fifth of the recipe's weights
DOUBLE = {"marginal": 4.0, "conditional": 1.0, "adversarial": 10.0, "agreement": 10.0}
Run = tuple[str, int, dict, int | None]                                                # recipe, seed, changes, and after which epoch it is stopped


def each(name: str, seeds: Iterable[int], *changes: dict, stop_after: int | None = None, **common: Any) -> list[Run]:
    """Every change on every seed."""
    return [(name, seed, {**common, **change}, stop_after) for change in changes for seed in seeds]


STUDIES: dict[str, list[Run]] = {
    "choices": each("paper", [100], {"routing": "section 2.4"}, {"s_norm": "spectral"}, {"saturating": True}, {"adam_beta1": 0.9}, {"batch_size": 64}, {"lr": 1e-3}, epochs=3)
             + each("paper", [100, 101], {}, epochs=3)
             + each("infomax", [100, 101], {}, GENTLE, **EVEN, epochs=3)
             + each("infomax", [100, 101, 102], {"s_norm": "batch"}, **EVEN, epochs=3)
             + each("infomax", [100], NO_INFORMATION, {"lr": 2e-4}, {"encoder_factor": 1}, {"agreement": 0.0}, {"average": 0.0, "decay_from": 1.0}, **EVEN, epochs=3),
    "search": each("infomax", [100, 101, 102], {"s_norm": "batch"}, **EVEN, epochs=16)
            + each("infomax", [101, 102], {**EVEN, "epochs": 16}, {"marginal_boost": 1.0}, {**DOUBLE, "boost": 2.0, "marginal_boost": 1.0, "epochs": 10})
            + each("infomax", [115, 116], {}),
    "first_epochs": each("infomax", [111, 115], {"boost": 16.0, "marginal_boost": 1.0}, stop_after=3)
                  + each("infomax", [115], {"marginal_boost": 1.0}, {"marginal": 8.0, "marginal_boost": 1.0}, stop_after=5)
                  + each("infomax", [110, 111], {}, stop_after=2)
                  + each("information-only", range(110, 116), {}, **EVEN, epochs=3, decay_from=1.0, agreement_from=1.0),
    "ablation": each("infomax", range(120, 123), {}, {"marginal": 0.0}, {"adversarial": 0.0}, {"agreement": 0.0}, {"leave_out": "Dil D_lg D_le"},
                     {"leave_out": "S_l E_l"}, {"gamma": 0.0}, {"leave_out": "C_le"}, epochs=6)
              + each("paper", range(120, 123), {}, {"routing": "section 2.4"}, {"s_norm": "spectral"}, {"lr": 1e-3}, {"agreement": 1.0}, epochs=6)
              + each("paper", range(120, 123), *({name: value} for name in ("alpha", "beta") for value in (0.5, 2.0)), {"gamma": 0.2}, {"gamma": 0.8}, epochs=6),
}


def planned(study: str) -> list[Config]:
    """The configurations of a study's runs."""
    return [recipe(name, seed=seed, **changes) for name, seed, changes, _ in STUDIES[study]]


def rows_of(study: str, path: Path | None = None) -> dict[Config, dict]:
    """The rows that there are, by configuration; a setting that came later than a row has its default."""
    rows = read_ledger(path or RESULTS / f"{study}.jsonl")
    return {with_changes(Config(), **row["config"]): row for row in rows}


class Enough(Exception):
    """A run has made the epochs that were asked for."""


def measure(name: str, seed: int, changes: dict, stop_after: int | None) -> dict:
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
    parser.add_argument("--rows", type=Path, help="the file that rows are appended to (default: results/STUDY.jsonl)")
    args = parser.parse_args()
    rows = args.rows or RESULTS / f"{args.study}.jsonl"
    there = rows_of(args.study, rows)
    left = [run for run, config in zip(STUDIES[args.study], planned(args.study)) if config not in there]
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        for row in pool.imap_unordered(one_core, left):
            with rows.open("a") as f: f.write(json.dumps(row) + "\n")
            print(row["config"]["recipe"], row["config"]["seed"], row["changes"], row["status"], row["scores"], file=sys.stderr, flush=True)
