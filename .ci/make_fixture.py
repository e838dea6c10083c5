#!/usr/bin/env python
"""Record what one step, and twenty, compute, so that a rewrite can be held against it.

Made with the package at commit 521be8d, and to be run with that package alone:

    git worktree add ../before 521be8d
    PYTHONPATH=../before python .ci/make_fixture.py

writes nbs/results/step_fixture.safetensors. A change that moves numbers on purpose renews that
file in the same commit and says why. The random numbers of a step are not drawn: they are stored,
small and exact, and handed to the package in place of torch's. What each tensor means, and what
stands in the metadata, is said at `tensors_of` and `about`.
"""

import json
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import save_file
from torch import Tensor

from infoae import networks, training
from infoae.core import Config, code_version, recipe
from infoae.data import load
from infoae.infomax import Information, near_distance
from infoae.training import Trainer

COMMIT = "521be8d"
FILE = Path(__file__).parents[1] / "nbs" / "results" / "step_fixture.safetensors"
NAMES = ("paper", "infomax", "information-only")
STEPS, BATCH, SEED = 20, 16, 100
SMALL = {"width": 4, "hidden": 32, "latent_dim": 16, "seed": SEED, "batch_size": BATCH, "epochs": 1}
ORDERS = 8  # other orders of the rows of each batch that are tried
LIMIT = 2 * 10**6  # bytes of the file


def shared_inputs() -> dict[str, Tensor]:
    """Give the images and random numbers of all steps, alike for every recipe, as stored."""
    generator = torch.Generator().manual_seed(SEED)
    images = load("digits", "train")[0][: STEPS * BATCH]
    near = (near_distance(images, Config().radius_neighbour) * 256).round() / 256
    side, K = images.shape[2:], Config().n_categories

    def whole(top: int, *shape: int) -> Tensor:
        """Draw whole numbers below `top`, as bytes."""
        return torch.randint(top, (STEPS, BATCH, *shape), generator=generator, dtype=torch.uint8)

    normal = torch.randn(STEPS, BATCH, 1, *side, generator=generator)
    return {
        "images": images.view(STEPS, BATCH, 1, *side),
        "near": near.view(STEPS, BATCH),
        "z": whole(256, Config().z_dim),
        "c": whole(K),
        "normal": (normal * 32).round().clamp(-127, 127).to(torch.int8),
        "maps": whole(256, 5),
    }


def as_drawn(inputs: dict[str, Tensor], name: str, step: int) -> Tensor:
    """Give stored numbers of one step (0 to 19) as torch.rand, randn or randint would give them."""
    numbers = inputs[name][step]
    of: dict[str, Callable[[Tensor], Tensor]] = {
        "z": lambda k: k.float() / 256,  # uniform in [0, 1)
        "maps": lambda k: k.float() / 256,  # uniform in [0, 1)
        "normal": lambda k: k.float() / 32,
        "c": Tensor.long,
    }
    return of[name](numbers)


class Recorded:
    """Stand in for torch's random numbers while steps run, and note what was asked for."""

    def __init__(self, inputs: dict[str, Tensor], noise: torch.Generator) -> None:
        """Hand out `inputs`; only to who would draw with the generator `noise`."""
        self.inputs, self.noise = inputs, noise
        self.asked: list[list[str]] = []  # for each step, the names in the order of asking

    def next_step(self) -> None:
        """Begin with the numbers of the next step."""
        self.asked.append([])

    def _give(self, name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Give the numbers of that name, once a step."""
        numbers = as_drawn(self.inputs, name, len(self.asked) - 1)
        assert generator is self.noise and numbers.shape == shape and name not in self.asked[-1]
        self.asked[-1].append(name)
        return numbers

    def rand(self, *shape: int, generator: torch.Generator, device: Any) -> Tensor:
        """Stand in for `torch.rand`: five numbers an image are those of a map, others are z."""
        return self._give("maps" if shape[1] == 5 else "z", shape, generator)

    def randn(self, *shape: int, generator: torch.Generator, device: Any) -> Tensor:
        """Stand in for `torch.randn`: where the search for the worst change begins."""
        return self._give("normal", shape, generator)

    def randint(
        self, top: int, shape: tuple[int, ...], *, generator: torch.Generator, device: Any
    ) -> Tensor:
        """Stand in for `torch.randint`: the categories."""
        assert top == Config().n_categories
        return self._give("c", shape, generator)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, torch gives the stored numbers; its own generators must not have moved."""
        before = self.noise.get_state(), torch.get_rng_state()
        with mock.patch.multiple(torch, rand=self.rand, randn=self.randn, randint=self.randint):
            yield
        assert all(map(torch.equal, before, (self.noise.get_state(), torch.get_rng_state())))


@dataclass
class Run:
    """What twenty steps computed."""

    config: Config
    initial: dict[str, Tensor]  # state_dict before the first step
    losses: list[dict[str, float]] = field(default_factory=list)  # of each step, unweighted
    shares: list[dict[str, float]] = field(default_factory=list)  # what the critics got right
    totals: list[dict[str, float]] = field(default_factory=list)  # what each optimizer minimised
    gradients: dict[str, dict[str, Tensor]] = field(default_factory=dict)  # of step 1, by optimizer
    asked: list[list[str]] = field(default_factory=list)  # random numbers, in order
    norms: dict[str, float] = field(default_factory=dict)  # of each network's weights at the end


class Watched(Trainer):
    """The trainer of the package; it keeps what its optimizers minimise, and their gradients."""

    kept: Run

    def _minimise(self, who: str, loss: Tensor) -> None:
        """Minimise as ever, and keep the total and, in the first step, the gradients."""
        super()._minimise(who, loss)
        self.kept.totals[-1][who] = loss.item()
        if self.steps == 0:
            own = {id(q) for group in self.optimizers[who].param_groups for q in group["params"]}
            self.kept.gradients[who] = {
                name: plain(q.grad)
                for name, q in self.model.named_parameters()
                if id(q) in own and q.grad is not None
            }


def plain(t: Tensor) -> Tensor:
    """Copy a tensor into the usual order in memory."""
    return t.detach().clone(memory_format=torch.contiguous_format)


def norms(t: Trainer) -> dict[str, float]:
    """Give the length of each network's weights as one vector, and of the averaged ones."""

    def length(module: torch.nn.Module) -> float:
        """Give the length of all weights of a module."""
        return sum(q.double().square().sum().item() for q in module.parameters()) ** 0.5

    found = {name: length(network) for name, network in t.model.named_children()}
    averaged = t.average.named_children() if t.average else ()
    return found | {f"average.{name}": length(network) for name, network in averaged}


@contextmanager
def conditions(threads: int, fold: bool) -> Iterator[None]:
    """Inside: float32 without autocast, that many threads, convolutions folded or as torch's."""
    folded = networks.FoldedConv2d, networks.FoldedConvTranspose2d
    former = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with (
            mock.patch.object(training, "autocast", lambda device: nullcontext()),
            mock.patch.object(folded[0], "fold", fold),
            mock.patch.object(folded[1], "fold", fold),
        ):
            yield
    finally:
        torch.set_num_threads(former)


def run(
    name: str,
    inputs: dict[str, Tensor],
    steps: int = STEPS,
    threads: int = 1,
    fold: bool = True,
    **changes: Any,
) -> Run:
    """Make the first `steps` of the twenty steps of a recipe; `changes` are settings."""
    config = recipe(name, **{**SMALL, **changes})
    images, near = inputs["images"].flatten(0, 1), inputs["near"].flatten()
    informed = config.marginal or config.conditional or config.adversarial or config.agreement
    with conditions(threads, fold):
        t = Watched(config, images, "cpu", terms=Information(config, near) if informed else None)
        assert t.total_steps == STEPS
        t.kept = Run(config, {key: plain(q) for key, q in t.model.state_dict().items()})
        draws = Recorded(inputs, t.noise)
        with draws.in_place():
            for index in torch.arange(steps * BATCH).split(BATCH):
                draws.next_step()
                t.kept.totals.append({})
                values = {key: value.item() for key, value in t.step(index, images[index]).items()}
                shares = {key for key in values if key.endswith(("_true", "_false"))}
                t.kept.losses.append({k: v for k, v in values.items() if k not in shares})
                t.kept.shares.append({k: v for k, v in values.items() if k in shares})
        t.kept.asked, t.kept.norms = draws.asked, norms(t)
    check_asked(t.kept)
    return t.kept


def check_asked(kept: Run) -> None:
    """Assert that every step took the numbers that its recipe needs, and no others."""
    config = kept.config
    for step, asked in enumerate(kept.asked):
        late = config.agreement and step / STEPS >= config.agreement_from
        want = ["z", "c"] + ["normal"] * bool(config.adversarial) + ["maps"] * bool(late)
        assert asked == want, (config.recipe, step, asked)


def check_phases(kept: Run) -> None:
    """Assert that the twenty steps go through every phase of the recipe."""
    config = kept.config
    for edge in (config.agreement_from, config.boost_until, config.decay_from):
        assert edge >= 1 or 0 < sum(step / STEPS < edge for step in range(STEPS)) < STEPS
    if config.agreement:
        assert "agreement" not in kept.losses[0] and "agreement" in kept.losses[-1]


def apart(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Give the relative difference of each number of `one` to that of `other`."""
    return {key: abs(value - other[key]) / max(abs(value), 1e-12) for key, value in one.items()}


def gradients_apart(one: Run, other: Run) -> dict[str, float]:
    """Give for each weight the length of the difference between two runs' gradients in step 1."""
    return {
        f"{who}/{key}": (g - other.gradients[who][key]).norm().item()
        for who, of in one.gradients.items()
        for key, g in of.items()
    }


def largest(differences: list[dict[str, float]]) -> dict[str, float]:
    """Give the largest number under each name."""
    return {key: max(d[key] for d in differences) for key in differences[0]}


def reordered(inputs: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Give the same batches with their rows in another order, which changes only the rounding."""
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(BATCH, generator=generator) for _ in range(STEPS)]
    return {
        key: torch.stack([rows[order] for rows, order in zip(q, orders, strict=True)])
        for key, q in inputs.items()
    }


@dataclass
class Measured:
    """One recipe, under all conditions."""

    one: Run  # one thread: what the rewrite is held against
    others: dict[str, Run]  # the same on two threads, with plain convolutions, and with both
    orders: list[Run]  # the same on one thread, with the rows of each batch in other orders
    early: Run | None  # step 1 alone, with `agreement` in it from the beginning


def measure(name: str, inputs: dict[str, Tensor]) -> Measured:
    """Run a recipe under all conditions."""
    one = run(name, inputs)
    check_phases(one)
    others = {
        "two threads": run(name, inputs, threads=2),
        "plain convolutions": run(name, inputs, fold=False),
        "plain convolutions, two threads": run(name, inputs, threads=2, fold=False),
    }
    orders = [run(name, reordered(inputs, seed)) for seed in range(ORDERS)]
    early = run(name, inputs, steps=1, agreement_from=0.0) if one.config.agreement else None
    return Measured(one, others, orders, early)


def tensors_of(name: str, m: Measured) -> dict[str, Tensor]:
    """Give the tensors of one recipe, all float32 but for `num_batches_tracked` (int64).

    <recipe>/initial/<key>: the model's state_dict before the first step.
    <recipe>/gradient/<critics or makers>/<key>: of step 1, what that half's optimizer was given.
    <recipe>/gradient with agreement/makers/<key>: the same where agreement counts from step 1 on;
    only of E and C, as those of D and G do not depend on it.
    """
    found = {f"{name}/initial/{key}": q for key, q in m.one.initial.items()}
    for who, of in m.one.gradients.items():
        found |= {f"{name}/gradient/{who}/{key}": q for key, q in of.items()}
    for key, q in m.early.gradients["makers"].items() if m.early else ():
        if key.startswith(("E.", "C.")):
            found[f"{name}/gradient with agreement/makers/{key}"] = q
        else:
            assert torch.equal(q, m.one.gradients["makers"][key])
    return found


def about(m: Measured) -> dict[str, Any]:
    """Give the numbers of one recipe, for the metadata.

    losses, shares, totals: of each step, unweighted losses, what the critics got right, and what
    each optimizer minimised. draws: the random numbers of each step, in the order of drawing.
    with agreement: losses and totals of step 1 where agreement counts from the beginning.
    step 20: the losses under each other condition. apart: how far each loss of steps 1 and 20 then
    is from that on one thread, relative; "orders" is the largest over several orders of the rows.
    gradients apart: the same for the gradients of step 1, as lengths of differences. norms: the
    length of each network's weights at the end, under each condition.
    """
    one = m.one
    return {
        "config": asdict(one.config),
        "draws": one.asked,
        "losses": one.losses,
        "shares": one.shares,
        "totals": one.totals,
        "with agreement": m.early and {"losses": m.early.losses[0], "totals": m.early.totals[0]},
        "step 20": {key: run.losses[-1] for key, run in m.others.items()},
        "apart": {
            f"step {step + 1}": {
                **{key: apart(one.losses[step], run.losses[step]) for key, run in m.others.items()},
                "orders": largest([apart(one.losses[step], run.losses[step]) for run in m.orders]),
            }
            for step in (0, STEPS - 1)
        },
        "gradients apart": {
            **{key: gradients_apart(one, run) for key, run in m.others.items()},
            "orders": largest([gradients_apart(one, run) for run in m.orders]),
        },
        "norms": {key: run.norms for key, run in {"one thread": one, **m.others}.items()},
    }


def short(value: Any) -> Any:
    """Round floats to nine digits, which tell any two float32 apart, everywhere in a structure."""
    if isinstance(value, dict):
        return {key: short(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [short(v) for v in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def main(path: Path) -> None:
    """Measure all recipes and write the file."""
    commit = code_version() or "unknown"
    if not commit.startswith(COMMIT) or commit.endswith("+"):
        sys.exit(f"make_fixture: the package is at commit {commit}; run it with {COMMIT}.")
    inputs = shared_inputs()
    measured = {name: measure(name, inputs) for name in NAMES}
    tensors = {f"inputs/{key}": q.contiguous() for key, q in inputs.items()}
    for name, m in measured.items():
        tensors |= tensors_of(name, m)
    notes = {
        "made with": {
            "infoae": COMMIT,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
        },
        "steps": STEPS,
        "batch": BATCH,
        "recipes": {name: about(m) for name, m in measured.items()},
    }
    save_file(tensors, path, {"about": json.dumps(short(notes))})
    size = path.stat().st_size
    assert size <= LIMIT, size
    print(f"{path.name}: {size} bytes, {len(tensors)} tensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
