"""Walking the latent space of a trained model: variations, paths, reconstructions, samples."""

from facette.latent.interpolate import Interpolation, interpolate
from facette.latent.reconstruct import Reconstructions, Samples, reconstruct, sample
from facette.latent.vary import Sweep, Variations, sweep, vary

__all__ = [
    "Interpolation",
    "Reconstructions",
    "Samples",
    "Sweep",
    "Variations",
    "interpolate",
    "reconstruct",
    "sample",
    "sweep",
    "vary",
]
