"""pythae's convolutional VAE for CelebA, at any latent size: its tensors as one of our recipes.

Enters: shapes. Leaves: a `ImportPlan`. Source of the layers: benchmark_VAE, nn/benchmarks/celeba/convnets.py. Its
layers leave nothing to ask: 64×64 pixels, [0, 1], sigmoid.
"""

from facette.checkpoint.foreign.plan import (
    BATCH_NORM,
    Answers,
    ImportPlan,
    Shapes,
    batch_norm,
    batch_norm_note,
    convolutions,
    joined,
    only,
    same,
    shape_of,
)
from facette.recipe import load_recipe

_UPS = (
    {"kernel": 5, "stride": 2, "padding": 2},
    {"kernel": 5, "stride": 2, "padding": 1},
    {"kernel": 5, "stride": 2, "padding": 2, "output_padding": 1},
    {"kernel": 5, "stride": 1, "padding": 1},
)


def plan_pythae(shapes: Shapes, answers: Answers) -> ImportPlan:
    only("pythae CelebA network", answers, size=64, range_="unit", output="sigmoid")
    widths = [shape_of(shapes, f"encoder.layers.{i}.0.weight", 4)[0] for i in range(4)]
    ups = [shape_of(shapes, f"decoder.layers.{i}.0.weight", 4) for i in range(1, 5)]
    latent = shape_of(shapes, "encoder.embedding.weight", 2)[0]
    down = {"kernel": 4, "stride": 2, "padding": 1}
    recipe = load_recipe("celeba150").model_dump(mode="json", exclude_none=True)
    recipe["name"] = f"pythae-celeba-z{latent}"
    recipe["summary"] = f"pythae's convolutional VAE for CelebA, 64×64, latent {latent}, imported."
    recipe["input"] |= {"size": 64, "range": "unit"}
    recipe["model"] = {
        "latent": latent,
        "encoder": {
            **{"kind": "conv", "norm": "batch", "activation": "relu"},
            "layers": [{"channels": c, **down} for c in widths],
        },
        "decoder": {
            **{"kind": "conv", "norm": "batch", "activation": "relu", "output": "sigmoid"},
            **{"start_channels": ups[0][0], "start_size": 8},
            "layers": [{"channels": shape[1], **layer} for shape, layer in zip(ups, _UPS, strict=True)],
        },
        "likelihood": {"kind": "gaussian", "sigma": 1.0},
    }
    mapping = joined("encoder.linear", "encoder.embedding", "encoder.log_var")
    mapping |= same("decoder.linear", "decoder.layers.0.0") | same("decoder.layers.3", "decoder.layers.4.0")
    names = {f"encoder.layers.{i}": f"encoder.layers.{i}" for i in range(4)}
    names |= {f"decoder.layers.{i}": f"decoder.layers.{i + 1}" for i in range(3)}
    for ours, theirs in names.items():
        mapping |= same(f"{ours}.0", f"{theirs}.0") | batch_norm(f"{ours}.1", f"{theirs}.1")
    settings = convolutions([f"encoder.layers.{i}.0" for i in range(4)], stride=2, padding=1)
    for i, layer in enumerate(_UPS):
        settings |= convolutions([f"decoder.layers.{i + 1}.0"], layer["stride"], layer["padding"])
    settings |= {f"{name}.1": BATCH_NORM for name in names.values()}
    notes = (
        batch_norm_note(),
        "Its file does not say how CelebA was cropped: pictures of 178×218 are cut to the square from 20 to "
        "198.",
        "Its likelihood is taken as a Gaussian of σ = 1, which is pythae's squared error.",
    )
    return ImportPlan("pythae's CelebA network", recipe, mapping, settings, (), notes)
