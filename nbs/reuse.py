"""What the representation is worth where few labels are known: probes on E(x), and interpolation as augmentation; one row each in results/reuse.jsonl.

    python nbs/reuse.py                        # rows that are there already are not made again
    python nbs/reuse.py --only logistic names  # some of the methods

Learned from the labels of the first 50,000 training images, scored on those of the last 10,000. Seeds are 100 and up.
"""
import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from infoae import InfoAE, load
from infoae.core import Config, autocast, environment, pick_device
from infoae.data import as_images, random_affine, to_model
from infoae.evaluation import confusion
from infoae.ledger import read_ledger, weights_sha256
from infoae.model import CHUNK, evaluating
from infoae.networks import Encoder
from infoae.training import rate_factor

RESULTS = Path(__file__).parent / "results"
SPACES = ("E(x)", "PCA", "pixels")                 # what the probes read
PROBES = ("logistic", "k-NN")
NETS = ("cnn", "interpolation", "maps", "both")    # the same network from scratch: alone, with images on paths, with small affine maps, with both
CNN = {"batch": 128, "lr": 1e-3, "decay_from": 0.3, "steps": 300, "steps_all": 1200}
PATHS = {"paths": 300, "path_steps": 10, "share": 0.5}
MAPS = {"strength": 1.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "logistic": {"C": 1.0, "max_iter": 1000}, "k-NN": {"n_neighbors": 5}, "names": {},
    "cnn": CNN, "interpolation": {**CNN, **PATHS}, "maps": {**CNN, **MAPS}, "both": {**CNN, **PATHS, **MAPS},
}


class Fit(NamedTuple):
    "One row's question."
    method: str              # one of SETTINGS
    space: str               # what it reads: one of SPACES, or "categories"
    per_label: int | None    # labelled images of each label; None: all of them
    seed: int                # of the choice of labelled images, and of the network and its batches


def plan() -> list[Fit]:
    "Every row that there is to be. All labels leave nothing to choose, so that probes have one row there and networks three."
    few = [(n, seed) for n in (1, 5, 10, 100) for seed in range(100, 105)]
    probes = [Fit(method, space, n, seed) for method in PROBES for space in SPACES for n, seed in [*few, (None, 100)]]
    names = [Fit("names", "categories", n, seed) for n, seed in [*few, (None, 100)]]
    nets = [Fit(method, "pixels", n, seed) for method in NETS for n, seed in [*few, *((None, seed) for seed in range(100, 103))]
            if not ("paths" in SETTINGS[method] and n == 1)]                       # a path takes two images of a label
    return probes + names + nets


def needs_weights(fit: Fit) -> bool:
    "Whether a row says something about the model's weights; the others hold for any."
    return fit.space in ("E(x)", "categories") or "paths" in SETTINGS[fit.method]


def missing(rows: Sequence[dict], sha: str) -> list[Fit]:
    "What of the plan has no row yet for these weights and settings."
    there = {(row["method"], row["space"], row["per_label"], row["seed"], row["weights_sha256"], json.dumps(row["settings"])) for row in rows}
    return [fit for fit in plan() if (*fit, sha if needs_weights(fit) else None, json.dumps(SETTINGS[fit.method])) not in there]


class Material:
    "The images of a data set, all known to a model without labels; those at the end are scored on."

    def __init__(self, model: InfoAE, data: str="mnist"):
        self.model, (self.images, self.labels) = model, load(data, "train")
        self.n = len(self.images) - len(load(data, "dev")[1])                    # how many there are to learn from

    @cached_property
    def spaces(self) -> dict[str, np.ndarray]:
        "(N,dimensions) float32 by name; each centred, and divided by one number so that the mean variance is 1. No label has a part in it."
        pixels = self.images.flatten(1).numpy() / np.float32(255)
        found = {"E(x)": self.model.encode(self.images).cpu().numpy(), "PCA": PCA(self.model.config.latent_dim, random_state=0).fit_transform(pixels), "pixels": pixels}
        centred = {name: x - x.mean(axis=0) for name, x in found.items()}
        return {name: x / np.sqrt((x ** 2).mean()) for name, x in centred.items()}

    @cached_property
    def categories(self) -> Tensor:
        "(N,) categories of C(E(x))."
        return self.model.predict(self.images).cpu()


def labelled(labels: Tensor, per_label: int | None, seed: int) -> Tensor:
    "Indices of `per_label` random images of each label, of all images for None; five of a seed begin with its one."
    if per_label is None: return torch.arange(len(labels))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return torch.stack([order[labels[order] == label][:per_label] for label in labels.unique()], dim=1).flatten()


def probe(method: str, known: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    "(N,) labels of what is asked, by scikit-learn's logistic regression or nearest neighbours (one, where a label has fewer images than neighbours)."
    if method == "logistic": return LogisticRegression(**SETTINGS[method]).fit(known, labels).predict(asked)
    k = SETTINGS[method]["n_neighbors"]
    return KNeighborsClassifier(k if np.bincount(labels).min() >= k else 1, algorithm="brute").fit(known, labels).predict(asked)


def names(categories: Tensor, labels: Tensor, n_categories: int) -> Tensor:
    "(K,) the most frequent label of each category's labelled images; -1 for a category that has none."
    counts = torch.from_numpy(confusion(categories, labels, n_categories))
    return torch.where(counts.any(dim=1), counts.argmax(dim=1), -1)


def interpolated(model: InfoAE, images: Tensor, labels: Tensor, seed: int, paths: int, path_steps: int) -> tuple[Tensor, Tensor]:
    "Images D(z1 + (s/n) (z2 - z1)) between two of one label, as bytes, and their labels; at most `paths` pairs a label. ValueError for a label with one image."
    generator, pairs = torch.Generator().manual_seed(seed), []
    for label in labels.unique():
        own = (labels == label).nonzero().flatten()
        if len(own) < 2: raise ValueError(f"Label {label} has one image; a path takes two.")
        first = torch.randint(len(own), (min(paths, len(own) * (len(own) - 1)),), generator=generator)
        other = (first + torch.randint(1, len(own), first.shape, generator=generator)) % len(own)        # never the same image
        pairs.append(torch.stack([own[first], own[other]]))
    begin, end = torch.cat(pairs, dim=1)
    made = [as_images(model.interpolate(images[a], images[b], path_steps).clamp(0, 1).flatten(0, 1).cpu()) for a, b in zip(begin.split(100), end.split(100))]
    return torch.cat(made), labels[begin].repeat_interleave(path_steps)


def fit_cnn(config: Config, images: Tensor, labels: Tensor, seed: int, steps: int, more: tuple[Tensor, Tensor] | None=None, strength: float=0.0,
            share: float=0.5, device: torch.device=torch.device("cpu")) -> nn.Module:
    "E's architecture and a linear layer, from scratch: a fixed number of steps of Adam. `more` fills a share of each batch, `strength` maps all of it."
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(Encoder(config.width * config.encoder_factor, config.latent_dim, config.image_size, config.channels), nn.Linear(config.latent_dim, int(labels.max()) + 1))
    net.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(net.parameters(), CNN["lr"])
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step / steps, CNN["decay_from"]))
    order, noise = torch.Generator().manual_seed(seed), torch.Generator(device).manual_seed(seed)
    draw = lambda x, y, n: (lambda i: (x[i], y[i]))(torch.randint(len(x), (n,), generator=order))
    n_more = int(share * CNN["batch"]) if more else 0
    for _ in range(steps):
        batch = [draw(images, labels, CNN["batch"] - n_more)] + ([draw(*more, n_more)] if more else [])
        x, y = (torch.cat(part).to(device) for part in zip(*batch))
        x = to_model(x)
        if strength: x = random_affine(x, noise, strength)
        with autocast(device): logits = net(x.contiguous(memory_format=torch.channels_last))
        optimizer.zero_grad()
        F.cross_entropy(logits.float(), y).backward()
        optimizer.step()
        rate.step()
    return net.eval()


def net_labels(net: nn.Module, images: Tensor, device: torch.device=torch.device("cpu")) -> Tensor:
    "(N,) labels that a network gives."
    with evaluating(net): return torch.cat([net(to_model(chunk.to(device))).argmax(dim=1).cpu() for chunk in images.split(CHUNK)])


def answer(m: Material, fit: Fit, device: torch.device=torch.device("cpu")) -> Tensor:
    "(n_dev,) labels that a fit gives the images that are scored."
    method, space, per_label, seed = fit
    i, s = labelled(m.labels[:m.n], per_label, seed), SETTINGS[method]
    if method in PROBES: return torch.from_numpy(probe(method, m.spaces[space][i.numpy()], m.labels[i].numpy(), m.spaces[space][m.n:]))
    if method == "names": return names(m.categories[i], m.labels[i], m.model.config.n_categories)[m.categories[m.n:]]
    more = interpolated(m.model, m.images[i], m.labels[i], seed, s["paths"], s["path_steps"]) if "paths" in s else None
    net = fit_cnn(m.model.config, m.images[i], m.labels[i], seed, s["steps_all" if per_label is None else "steps"], more, s.get("strength", 0.0), s.get("share", 0.0), device)
    return net_labels(net, m.images[m.n:], device)


def measure(m: Material, fit: Fit, device: torch.device=torch.device("cpu")) -> dict[str, Any]:
    "One row."
    start = time.perf_counter()
    right = (answer(m, fit, device) == m.labels[m.n:]).float().mean().item()
    return {**fit._asdict(), "n": len(labelled(m.labels[:m.n], fit.per_label, fit.seed)), "accuracy": right, "split": "dev", "scored": len(m.labels) - m.n, "settings": SETTINGS[fit.method],
            "weights_sha256": weights_sha256(m.model) if needs_weights(fit) else None, "seconds": time.perf_counter() - start, "environment": environment(device)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted(SETTINGS), default=sorted(SETTINGS), help="the methods whose rows are made (default: all)")
    parser.add_argument("--device", default="cpu", help="where the networks are trained (default: cpu)")
    parser.add_argument("--rows", type=Path, default=RESULTS / "reuse.jsonl", help="the file that rows are appended to (default: results/reuse.jsonl)")
    args = parser.parse_args()
    device = pick_device(args.device)
    material = Material(InfoAE.from_pretrained("mnist", device))
    for fit in missing(read_ledger(args.rows), weights_sha256(material.model)):
        if fit.method not in args.only: continue
        row = measure(material, fit, device)
        with args.rows.open("a") as f: f.write(json.dumps(row) + "\n")
        print(*fit, f"{100 * row['accuracy']:.2f} %", f"{row['seconds']:.1f} s", file=sys.stderr, flush=True)
