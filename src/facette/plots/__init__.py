"""Pictures of numbers: training curves, rate per latent, latent maps. Arrays come in, never models."""

from facette.plots.curves import plot_rate_per_latent, plot_training
from facette.plots.maps import plot_latent_map
from facette.plots.style import save_figure

__all__ = ["plot_latent_map", "plot_rate_per_latent", "plot_training", "save_figure"]
