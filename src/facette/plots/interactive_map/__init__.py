"""A map of the latent space to walk in: one page that works without a network."""

from facette.plots.interactive_map.page import map_page, save_map_page

__all__ = ["map_page", "save_map_page"]
