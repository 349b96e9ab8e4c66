"""From a recipe and a data set to a run: a folder that can be stopped, resumed, watched, and loaded as a model."""

from facette.training.run import sharpen, train
from facette.training.watch import Finished

__all__ = ["Finished", "sharpen", "train"]
