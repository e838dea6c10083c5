"""InfoAE: Information Maximizing Autoencoder. Six networks, no labels. What is listed in `__all__` is loaded when it is first used."""
from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infoae.core import RECIPES, Config, pick_device, recipe
    from infoae.data import as_images, load
    from infoae.estimator import EXPECTED_FAILED_CHECKS, InfoAEClusterer, name_clusters
    from infoae.evaluation import evaluate, match, scores
    from infoae.infomax import train
    from infoae.model import InfoAE
    from infoae.training import Trainer, TrainingFailed

    __version__: str

_HOME = {
    "Config": "settings", "RECIPES": "settings", "recipe": "settings", "pick_device": "devices",
    "load": "data", "as_images": "data",
    "InfoAE": "api",
    "Trainer": "trainer", "TrainingFailed": "trainer",
    "train": "api",
    "InfoAEClusterer": "estimator", "name_clusters": "estimator", "EXPECTED_FAILED_CHECKS": "estimator",
    "evaluate": "evaluation", "match": "evaluation", "scores": "evaluation",
}
__all__ = ["EXPECTED_FAILED_CHECKS", "RECIPES", "Config", "InfoAE", "InfoAEClusterer", "Trainer", "TrainingFailed", "as_images", "evaluate", "load", "match", "name_clusters", "pick_device", "recipe", "scores", "train"]


def __getattr__(name: str) -> Any:
    if name == "__version__": return _version("infoae")
    if name in _HOME: return getattr(import_module(f"infoae.{_HOME[name]}"), name)
    raise AttributeError(f"module 'infoae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
