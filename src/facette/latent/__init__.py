"""Walking the latent space of a trained model: variations, edits, paths, blends, reconstructions, samples."""

from facette.latent.attributes import fit_attributes
from facette.latent.blend import Blend, blend
from facette.latent.edit import Edit, Strip, edit, strip
from facette.latent.interpolate import Field, Interpolation, field, interpolate
from facette.latent.reconstruct import Reconstructions, Samples, reconstruct, sample
from facette.latent.traverse import Traversal, traverse
from facette.latent.vary import Sweep, Variations, sweep, vary

__all__ = [
    "Blend",
    "Edit",
    "Field",
    "Interpolation",
    "Reconstructions",
    "Samples",
    "Strip",
    "Sweep",
    "Traversal",
    "Variations",
    "blend",
    "edit",
    "field",
    "fit_attributes",
    "interpolate",
    "reconstruct",
    "sample",
    "strip",
    "sweep",
    "traverse",
    "vary",
]
