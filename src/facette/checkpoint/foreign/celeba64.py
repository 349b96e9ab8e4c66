"""The 64×64 CelebA network with a softplus variance, at any latent size: its tensors as one of our recipes.

Enters: shapes. Leaves: a `ImportPlan`. Its layers leave nothing to ask: 64×64 pixels, [-1, 1], tanh.
"""

from facette.checkpoint.foreign.plan import Answers, ImportPlan, Shapes, convolutions, only, same, shape_of
from facette.errors import CheckpointError
from facette.recipe import load_recipe


def plan_celeba64(shapes: Shapes, answers: Answers) -> ImportPlan:
    only("64×64 network with a softplus variance", answers, size=64, range_="symmetric", output="tanh")
    downs = [shape_of(shapes, f"encoder.conv{i}.weight", 4) for i in range(1, 6)]
    ups = [shape_of(shapes, f"decoder.tconv{i}.weight", 4) for i in range(1, 6)]
    rows, features = shape_of(shapes, "encoder.linear.weight", 2)
    if rows % 2 or features != downs[-1][0]:
        raise CheckpointError(
            f"its encoder.linear of {rows}×{features} is not two rows a latent over a 1×1 map"
        )
    latent = rows // 2
    recipe = load_recipe("celeba64-z50").model_dump(mode="json", exclude_none=True)
    recipe["name"] = f"celeba64-z{latent}"
    recipe["summary"] = f"The 64×64 VAE with {latent} latents and a softplus variance, imported."
    recipe["model"]["latent"] = latent
    for part, widths, channel in (("encoder", downs, 0), ("decoder", ups, 1)):
        for layer, shape in zip(recipe["model"][part]["layers"], widths, strict=True):
            layer["channels"] = shape[channel]
    recipe["model"]["decoder"]["start_channels"] = features
    mapping = same("encoder.linear", "encoder.linear") | same("decoder.linear", "decoder.linear")
    for i in range(5):
        mapping |= same(f"encoder.layers.{i}.0", f"encoder.conv{i + 1}")
        mapping |= same(f"decoder.layers.{i}.0" if i < 4 else "decoder.layers.4", f"decoder.tconv{i + 1}")
    strided = [f"encoder.conv{i}" for i in range(1, 5)] + [f"decoder.tconv{i}" for i in range(2, 6)]
    settings = convolutions(strided, stride=2, padding=1)
    settings |= convolutions(["encoder.conv5", "decoder.tconv1"], stride=1, padding=0)
    notes = (
        "Its encoder gives the mean first, then a raw value whose half goes through softplus to be the "
        "variance.",
        "Its value range is taken as [-1, 1], as its tanh output and its recipe have it.",
    )
    return ImportPlan("the 64×64 network with a softplus variance", recipe, mapping, settings, (), notes)
