"""The networks Facette recognises in other people's weights.

Enters: named tensors (shapes only). Leaves: which family they belong to, under which prefix, and the `ImportPlan`
that turns them into a model of ours. No tensor is loaded here.

    celeba       vae-torch-celeba at any image size, channel list and latent size; PyTorch-VAE's VanillaVAE
                 has the same tensors and another last activation
    celeba64     the 64×64 network with a softplus variance, any latent size
    pythae       pythae's convolutional VAE for CelebA, 64×64, any latent size
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from facette.checkpoint.foreign.celeba import plan_celeba
from facette.checkpoint.foreign.celeba64 import plan_celeba64
from facette.checkpoint.foreign.plan import Answers, Evidence, ImportPlan, Shapes
from facette.checkpoint.foreign.pythae import plan_pythae

FamilyName = Literal["celeba", "celeba64", "pythae"]

# At least two of these end the names of a network of the family; what stands before them is its prefix.
_ANCHORS: dict[FamilyName, tuple[str, ...]] = {
    "celeba": ("fc_mu.weight", "fc_var.weight", "decoder_input.weight", "final_layer.3.weight"),
    "celeba64": (
        *("encoder.conv1.weight", "encoder.linear.weight"),
        *("decoder.tconv1.weight", "decoder.tconv5.weight"),
    ),
    "pythae": ("encoder.embedding.weight", "encoder.log_var.weight", "decoder.layers.1.0.weight"),
}


def families_in(names: Iterable[str]) -> list[tuple[FamilyName, str]]:
    """Each (family, prefix) for which at least two of the family's telling tensors are there."""
    anchored: dict[tuple[FamilyName, str], int] = {}
    for name in names:
        for family, anchors in _ANCHORS.items():
            for anchor in anchors:
                if name == anchor or name.endswith(f".{anchor}"):
                    key = (family, name[: -len(anchor)])
                    anchored[key] = anchored.get(key, 0) + 1
    return [key for key, count in anchored.items() if count >= 2]


def plan(family: FamilyName, shapes: Shapes, answers: Answers, evidence: Evidence) -> ImportPlan:
    """The plan for weights of a family; raises CheckpointError when the shapes fit no network of it."""
    match family:
        case "celeba":
            network = plan_celeba(shapes, answers, evidence)
        case "celeba64":
            network = plan_celeba64(shapes, answers)
        case "pythae":
            network = plan_pythae(shapes, answers)
    names = {name for group in network.mapping.values() for name in group}
    return replace(network, optional=frozenset(n for n in names if n.endswith("num_batches_tracked")))
