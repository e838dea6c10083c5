"""Files that are whole or not there: how they are written, read, and found; weights among them."""
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from infoae.model import MAKERS, Model
from infoae.settings import Config


# --- cell: write
def write_file(path: Path | str,  # where the file shall stand; its folder exists
               data: bytes        # all of its content
               ) -> None:
    "Write a file whole or not at all; OSError where the disk refuses, with the old file untouched."
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    "What the process takes away from the rights of new files."
    mask = os.umask(0)
    os.umask(mask)
    return mask


# --- cell: read
def read_tensors(path: Path | str  # a safetensors file
                 ) -> tuple[dict[str, Tensor], dict[str, str]]:  # tensors by name, notes beside them
    "All of a safetensors file, which holds no code; ValueError for one that is missing or damaged."
    if not Path(path).is_file():
        raise ValueError(f"There is no file {path}; give the path of a safetensors file.")
    try:
        with safe_open(str(path), framework="pt") as f:
            return {name: f.get_tensor(name) for name in f.keys()}, f.metadata() or {}
    except SafetensorError as e:
        raise ValueError(f"{path} is damaged or no safetensors file ({str(e)[:200]}); get it "
                         "again.") from None


# --- cell: weights
FORMAT = "infoae-weights-1"
M = TypeVar("M", bound=Model)


def save_weights(model: Model, path: Path | str, **notes: str) -> None:
    "Write E, D, G and C with their settings to one safetensors file, whole or not at all."
    tensors = {name: t.contiguous().cpu() for name, t in model.state_dict().items()
               if name.split(".")[0] in MAKERS}
    head = {"format": FORMAT, "config": model.config.to_json(), **notes}
    write_file(path, to_safetensors(tensors, head))


def load_weights(path: Path | str,
                 device: str | torch.device = "cpu",
                 kind: type[M] = Model      # the class of the model
                 ) -> M:                    # without critics, in evaluation mode
    "The model that `save_weights` wrote; ValueError for a file that is not one."
    tensors, notes = read_tensors(path)
    if notes.get("format") != FORMAT or "config" not in notes:
        raise ValueError(f"{path} is no weights file of infoae; give a weights.safetensors that "
                         "`infoae train` wrote.")
    with torch.device("meta"):                     # no random weights on the way
        model = kind(Config.from_json(notes["config"]), critics=False)
    try: model.load_state_dict(tensors, assign=True)
    except RuntimeError as e:
        said = str(e).splitlines()[-1].strip()[:200]
        raise ValueError(f"The weights in {path} do not fit its own configuration ({said}); get "
                         "the file again.") from None
    return model.to(device).eval()


# --- cell: the package's own
ASSETS = Path(str(files("infoae")/"assets"))  # what comes with the package, by name


def pretrained() -> list[str]:
    "The names of the weights that come with the package."
    if not ASSETS.is_dir(): return []
    return sorted(folder.name for folder in ASSETS.iterdir()
                  if (folder/"weights.safetensors").is_file())


def weights_in(folder: Path | str  # what `save_pretrained` wrote, or the folder of a run
               ) -> Path | None:   # None: it holds no weights
    "Where a folder's weights are."
    names = ("model.safetensors", "weights.safetensors")
    return next((path for name in names if (path := Path(folder)/name).is_file()), None)


def find_weights(what: Path | str  # a folder of a run or of a model, a file, or a name of the package
                 ) -> Path:        # the weights file
    "The weights that `what` means; ValueError where there are none."
    path = Path(what)
    if path.is_file(): return path
    if not path.is_dir():
        if str(what) in pretrained(): return ASSETS/str(what)/"weights.safetensors"
        raise ValueError(f"There is no {what}; give the folder of a run, a weights.safetensors, or "
                         "the name of weights that come with the package "
                         f"({', '.join(pretrained())}).")
    if found := weights_in(path): return found
    if (path/"config.json").is_file():
        raise ValueError(f"The run in {what} is not finished; go on with infoae train --resume "
                         f"--out {what}.")
    raise ValueError(f"The folder {what} holds no run; give the folder that infoae train wrote, or "
                     "a weights.safetensors.")
