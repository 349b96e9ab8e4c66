"""Measuring: how well a model reconstructs, what it says about the data, how it uses its latents, what it draws."""

from facette.evaluation.evaluate import evaluate
from facette.evaluation.result import Evaluation

__all__ = ["Evaluation", "evaluate"]
