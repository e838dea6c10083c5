"""Make the map of latents that `infoae demo` shows, for the weights that come with the package.

    python .ci/make_map.py     # after every change of infoae/assets/mnist/weights.safetensors

Writes infoae/assets/mnist/map.safetensors: of the first 1,000 test images of MNIST the latents
E(x), where t-SNE puts them, their categories C(E(x)) and their labels. No image is in it. The
`weights_sha256` is kept beside the numbers, and nbs/27_demo.ipynb and `infoae demo` refuse a
map that other weights made.
"""
from pathlib import Path

import torch
from sklearn.manifold import TSNE

from infoae.api import InfoAE
from infoae.data import load
from infoae.files import weights_sha256, write_tensors

POINTS = 1000
MAP = Path(__file__).parents[1]/"infoae"/"assets"/"mnist"/"map.safetensors"

if __name__ == "__main__":
    model = InfoAE.from_pretrained("mnist")
    images, labels = (t[:POINTS] for t in load("mnist", "test"))
    latents = model.encode(images)
    # figure 2(b), as infoae.plots.latent_map has it, moved into the unit square without stretching
    at = torch.as_tensor(TSNE(random_state=0).fit_transform(latents.numpy()))
    at = (at - at.amin(0)) / (at.amax(0) - at.amin(0)).max()
    tensors = {
        "latents": latents.half(),
        "at": at.half(),
        "categories": model.classify(latents).argmax(dim=1).to(torch.uint8),
        "labels": torch.as_tensor(labels).to(torch.uint8),
    }
    notes = {
        "weights_sha256": weights_sha256(model),
        "images": f"the first {POINTS} test images of MNIST",
    }
    write_tensors(MAP, tensors, notes)
    print(f"{MAP.name}: {POINTS} points, {MAP.stat().st_size / 1000:.0f} kB")
