"""Where a run computes, in which number format, with which versions; and what an extra brings."""
import platform
import subprocess
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch


# --- cell
def pick_device(name: str | None = None  # "cuda", "cuda:1", "mps", "cpu"; None, "auto": the fastest
                ) -> torch.device:       # the device
    "The device to run on; ValueError for one that is unknown or not there."
    has_mps = torch.backends.mps.is_available()
    if name is None or name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try: device = torch.device(name)
    except (RuntimeError, TypeError): device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"There is no device {name!r}; it has to be auto, cpu, cuda, cuda:N "
                         "or mps.")
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(has_mps)}[device.type]
    if (device.index or 0) >= count:
        raise ValueError(f"The device {name!r} is not there: this machine has {count} of that "
                         "kind; try --device cpu.")
    return device


# --- cell
def has_bf16(device: torch.device) -> bool:
    "Whether the device computes in bfloat16 itself, rather than emulating it."
    if device.type == "cuda": return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        asks = [getattr(torch.cpu, f"_is_{what}_supported", None)
                for what in ("avx512_bf16", "amx_tile")]
        return any(ask() for ask in asks if ask)
    return False


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    "The context in which networks run: bfloat16 where the device has it, otherwise as they are."
    if has_bf16(device): return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


# --- cell
def device_name(device: torch.device) -> str:
    "The device in words, such as `NVIDIA H100 80GB HBM3` or the processor's model."
    if device.type == "cuda": return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def code_version() -> str | None:
    "The git commit of the package's source, with a + where it was changed; None: no checkout."
    spec = find_spec("infoae")
    if spec is None or spec.origin is None: return None
    def ask(*words: str) -> str:
        "What git says of the package's folder."
        return subprocess.run(["git", "-C", str(Path(spec.origin).parent), *words],
                              capture_output=True, text=True, check=True).stdout.strip()
    try:
        ask("ls-files", "--error-unmatch", "settings.py")  # of this project, not of one around it
        changed = ask("status", "--porcelain", "--untracked-files=no", "--", ".")
        return ask("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError): return None


def environment(device: torch.device) -> dict[str, Any]:
    "Versions, commit, device, threads and number format: what a run has to be quoted with."
    names = ("infoae", "torch", "torchvision", "numpy", "scikit-learn")
    return {**{name: version(name) for name in names}, "commit": code_version(),
            "python": platform.python_version(), "device": device_name(device),
            "device_type": device.type, "threads": torch.get_num_threads(),
            "bf16": has_bf16(device)}


# --- cell
def needs(module: str,  # what is imported, such as "wandb"
          extra: str,   # the extra of this package that installs it
          what: str     # what needs it, the beginning of the sentence
          ) -> Any:     # the module
    "A module that only an extra installs; ImportError that names the extra where it is missing."
    try: return import_module(module)
    except ImportError:
        raise ImportError(f"{what} needs the package {module.split('.')[0]}, which is not "
                          f"installed or not whole; install it: pip install 'infoae[{extra}]'"
                          ) from None
