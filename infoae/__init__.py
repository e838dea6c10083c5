"""InfoAE: Information Maximizing Autoencoder. Six networks, no labels.

What is listed in `__all__` is loaded when it is first used.
"""
from importlib import import_module

TYPE_CHECKING = False  # nothing is loaded here but what Python has loaded already
if TYPE_CHECKING:
    from typing import Any

    from infoae.api import InfoAE, train
    from infoae.data import as_images, load
    from infoae.devices import pick_device
    from infoae.estimator import InfoAEClusterer
    from infoae.evaluation import evaluate, match, scores
    from infoae.names import name_clusters
    from infoae.settings import RECIPES, Config, recipe
    from infoae.sorting import contact_sheet, sort, write_page, write_sorted
    from infoae.trainer import Method, Player, Trainer, TrainingFailed

    __version__: str

_HOME = {  # name: its module
    "Config": "settings", "RECIPES": "settings", "recipe": "settings",
    "pick_device": "devices",
    "load": "data", "as_images": "data",
    "InfoAE": "api", "train": "api",
    "Trainer": "trainer", "TrainingFailed": "trainer", "Player": "trainer", "Method": "trainer",
    "InfoAEClusterer": "estimator",
    "name_clusters": "names",
    "sort": "sorting", "contact_sheet": "sorting", "write_page": "sorting",
    "write_sorted": "sorting",
    "evaluate": "evaluation", "match": "evaluation", "scores": "evaluation",
}
__all__ = [
    "RECIPES", "Config", "InfoAE", "InfoAEClusterer", "Method", "Player", "Trainer",
    "TrainingFailed", "as_images", "contact_sheet", "evaluate", "load", "match", "name_clusters",
    "pick_device", "recipe", "scores", "sort", "train", "write_page", "write_sorted",
]


def __getattr__(name: str) -> "Any":
    "A name of `__all__`, whose module is imported now, or the version."
    if name == "__version__": return import_module("importlib.metadata").version("infoae")
    if name in _HOME: return getattr(import_module(f"infoae.{_HOME[name]}"), name)
    raise AttributeError(f"module 'infoae' has no attribute {name!r}")


def __dir__() -> list[str]:
    "What there is, loaded or not."
    return sorted({*globals(), *__all__, "__version__"})
