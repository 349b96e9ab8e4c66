"""From a recipe and a data set to a run: a folder that can be stopped, resumed, watched, and loaded as a model."""

from facette.training.loop import Finished, train

__all__ = ["Finished", "train"]
