"""Drawing a face from its factors: `factors` names them, `draw_portrait` draws them."""

from facette.data.portrait.drawing import draw_portrait
from facette.data.portrait.factors import FACTORS, FaceFactors, Factor

__all__ = ["FACTORS", "FaceFactors", "Factor", "draw_portrait"]
