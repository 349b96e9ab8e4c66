"""Pictures of numbers: training curves, rate per latent, maps, measures. Arrays come in, never models."""

from facette.plots.curves import plot_rate_per_latent, plot_training
from facette.plots.style import save_figure

__all__ = ["plot_rate_per_latent", "plot_training", "save_figure"]
