"""Other people's checkpoints: pickled modules, state dicts, Lightning files, safetensors; none of it is run.

source → archive → container      a file becomes an inert tree (machine, names, inert), within limits
weights → candidates → families   the tree becomes named tensors of a recognised network
importing, inspecting             which become a model of ours, or a description
"""

from facette.checkpoint.legacy.importing import import_checkpoint
from facette.checkpoint.legacy.inspecting import Inspection, inspect_checkpoint

__all__ = ["Inspection", "import_checkpoint", "inspect_checkpoint"]
