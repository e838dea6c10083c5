"""One run on several processes: each takes its part of every batch, and the run stays the one that a single process would make."""
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from infoae.data import Noise
from infoae.devices import pick_device

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)

# --- cell
def world_size() -> int:
    "How many processes train together; 1 where none were joined."
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    "Which of them this one is, from 0."
    return dist.get_rank() if world_size() > 1 else 0


@contextmanager
def joined(device: str | None=None     # as in `pick_device`; "cuda" is the GPU that torchrun gives this process
           ) -> Iterator[torch.device]: # the device of this process
    "Inside, the processes that torchrun started train as one; a single process where it started none. Only the first says what stopped all."
    if world_size() > 1 or not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= set(os.environ):
        yield pick_device(device)
        return
    chosen = pick_device(device)
    if chosen.type == "cuda":
        if chosen.index is None: chosen = pick_device(f"cuda:{os.environ.get('LOCAL_RANK', 0)}")
        torch.cuda.set_device(chosen)
    dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo", timeout=timedelta(hours=1))
    try: yield chosen
    except BaseException as error:
        if rank() and (status := _told_by_first(error)): raise SystemExit(status) from None
        raise
    finally: dist.destroy_process_group()


def _told_by_first(error: BaseException) -> int:
    "The status of a rank whose error the first one tells of; 0: this one has to tell itself."
    if isinstance(error, KeyboardInterrupt): return 130
    known = 2 if getattr(error, "of_first_rank", False) else 0
    return getattr(error, "on_every_rank", known)       # such as `TrainingFailed`


def from_first(work: Callable[[], T]) -> T:
    "What `work` gives on the first rank, on all of them; an exception there is raised on all."
    if world_size() == 1: return work()
    sent: list[Any] = [None, None]
    if rank() == 0:
        try: sent[0] = work()
        except Exception as error: sent[1] = error
    dist.broadcast_object_list(sent)
    if sent[1] is None: return sent[0]
    sent[1].of_first_rank = True
    raise sent[1]


def any_rank(flag: bool, device: torch.device) -> bool:
    "Whether the flag is set on any rank: all ranks get the same answer, and so stop after the same step."
    if world_size() == 1: return flag
    count = torch.tensor(float(flag), device=device)
    dist.all_reduce(count)
    return bool(count > 0)

# --- cell
def own_part(batch_size: int  # of all ranks together
             ) -> slice:      # of each batch
    "Which images of each batch are this rank's; ValueError where they cannot be shared out evenly."
    if batch_size % world_size(): raise ValueError(f"batch_size is {batch_size}; it has to be a multiple of the {world_size()} processes that share it.")
    share = batch_size // world_size()
    return slice(rank() * share, (rank() + 1) * share)


def own_noise(generator: torch.Generator, device: torch.device) -> Noise:
    "Random numbers of which this rank takes its rows."
    return Noise(generator, device, rank(), world_size())


# --- cell
class _Sum(torch.autograd.Function):
    "The sum over the ranks, and in the backward pass the sum of their gradients."

    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        "The sum itself."
        total = t.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        "The gradient of every rank's sum."
        return _Sum.forward(ctx, gradient)


def mean_of_ranks(t: Tensor) -> Tensor:
    "The mean over the ranks; gradients flow back to all of them."
    return t if world_size() == 1 else _Sum.apply(t) / world_size()


def log_mean_of_ranks(t: Tensor) -> Tensor:
    "log of the mean over the ranks of exp(t), safe where exp(t) is zero; gradients flow back to all of them."
    if world_size() == 1: return t
    top = t.detach().clone()
    dist.all_reduce(top, dist.ReduceOp.MAX)
    return top + mean_of_ranks((t - top).exp()).log()


def means_of_ranks(values: dict[str, Tensor]) -> dict[str, Tensor]:  # scalars by their names
    "Each value's mean over the ranks, in one message."
    return values if world_size() == 1 else dict(zip(values, mean_of_ranks(torch.stack([v.float() for v in values.values()])).unbind()))


@torch.no_grad()
def average_gradients(parameters: Iterable[Tensor]) -> None:
    "Replace each gradient by its mean over the ranks, all in one message."
    if world_size() == 1: return
    gradients = [q.grad for q in parameters if q.grad is not None]
    mean = mean_of_ranks(torch.cat([g.flatten() for g in gradients]))
    for g, part in zip(gradients, mean.split([g.numel() for g in gradients])): g.copy_(part.view(g.shape))

# --- cell
class GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    "Batch normalisation by mean and variance over the batches of all ranks; as torch's where there is one rank, and in evaluation mode."

    def _check_input_dim(self, input: Tensor) -> None:
        "Any number of dimensions will do."

    def forward(self, input: Tensor  # (B,channels) or (B,channels,H,W), B alike on all ranks
                ) -> Tensor:
        if not self.training or world_size() == 1: return super().forward(input)
        dims, shape = [0, *range(2, input.dim())], [1, -1, *[1] * (input.dim() - 2)]
        n = input.numel() // input.shape[1] * world_size()
        if n == 1: raise ValueError("Batch normalisation needs more than one value for each channel.")
        origin = self.running_mean.clone()
        x = input.float() - origin.view(shape)
        mean, square = mean_of_ranks(torch.stack([x.mean(dims), x.square().mean(dims)]))
        variance = (square - mean.square()).clamp_min(0)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(origin + mean, self.momentum)
            self.running_var.lerp_(variance * (n / (n - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (x * scale.view(shape) + (self.bias - mean * scale).view(shape)).to(input.dtype)


def over_ranks(model: M,            # the same on all ranks but for the last bits
               device: torch.device # where it will run
               ) -> M:              # the same, with its batch normalisation replaced
    "Make a model ready for several ranks: the first rank's weights, and batch normalisation over all of them."
    if world_size() == 1: return model
    model.load_state_dict(from_first(model.state_dict))
    if device.type == "cuda": return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if not isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)): continue
            other = GlobalBatchNorm(layer.num_features, layer.eps, layer.momentum).train(layer.training)
            other.load_state_dict(layer.state_dict())
            setattr(parent, name, other)
    return model
