from __future__ import annotations
from copy import deepcopy
from functools import partial
from math import ceil, isqrt, prod
from collections.abc import Callable, Iterator
from typing import Any
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from .core import Config, recipe, with_changes
from .data import TensorImages, to_model
from .infomax import train
from .model import CHUNK, InfoAE, evaluating
from .networks import LEAK


class Dense(nn.Sequential):
    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False): return super().forward(x.to(next(self.parameters()).dtype))

class RowCritic(Dense):
    def forward(self, x, latent):
        return super().forward(torch.cat([x.flatten(1), latent.to(x.dtype)], dim=1))

def dense(*sizes, norm=False):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), nn.LeakyReLU(LEAK)]
    return nn.Sequential(*layers)

class RowInfoAE(InfoAE):
    noise = 0.1
    def __init__(self, config, n_columns, critics=True):
        super().__init__(with_changes(config, image_size=8, channels=1, width=1), critics)
        self.config, d, z = config, n_columns, config.latent_dim
        self.n_columns = d
        h, e = 4 * config.width, 4 * config.width * config.encoder_factor
        self.E = Dense(nn.Flatten(), dense(d, e, e), nn.Linear(e, z))
        if self.D: self.D = Dense(dense(z, h, h, norm=True), nn.Linear(h, d), nn.Tanh(), nn.Unflatten(1, (1, 1, d)))
        if self.Di: self.Di = Dense(nn.Flatten(), dense(d, h, h), nn.Linear(h, 1), nn.Flatten(0))
        if self.S:
            self.S = RowCritic(dense(d + z, h, h, norm=config.s_norm == "batch"), nn.Linear(h, 1), nn.Flatten(0))
            if config.s_norm == "spectral":
                for layer in [m for m in self.S.modules() if isinstance(m, nn.Linear)]: spectral_norm(layer)
        if self.Di and config.reader == "Di": self.E[1] = self.Di[1]
    @property
    def shape(self): return 1, 1, self.n_columns
    def T(self, x, generator=None, strength=1.0, rand=None):
        return x + self.noise * strength * (2 * (rand or torch.rand)(*x.shape, generator=generator, device=x.device) - 1)
    def _images(self, rows): return rows
    def _apply_to(self, network, inputs):
        with evaluating(self): return torch.cat([network(chunk.to(self.device)) for chunk in inputs.split(CHUNK)])

class Passes(TensorImages):
    def __init__(self, images, passes, device="cpu"):
        self.images, self.passes = images.to(device), passes
        self.n, self.shape = len(images), tuple(images.shape[1:])
    def len_batches(self, b): return self.passes * super().len_batches(b)
    def batches(self, *a, **k):
        for _ in range(self.passes): yield from super().batches(*a, **k)
