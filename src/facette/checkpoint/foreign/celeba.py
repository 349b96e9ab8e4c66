"""vae-torch-celeba's network at any image size, channel list and latent size, and PyTorch-VAE's VanillaVAE.

Enters: shapes, what a pickled module tells, and the user's answers. Leaves: a `ImportPlan`. The two networks have
the same tensors: they differ in the last activation, which no tensor shows, and in that the first resizes
what it draws to the size it takes. What cannot be inferred from evidence becomes a question.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from facette.checkpoint.foreign.plan import (
    BATCH_NORM,
    Answers,
    Evidence,
    ImportPlan,
    Shapes,
    batch_norm,
    batch_norm_note,
    convolutions,
    count,
    joined,
    same,
    shape_of,
)
from facette.errors import CheckpointError
from facette.recipe import load_recipe

# Both scripts weigh the KL term by this against a squared error averaged over all values of a picture.
_KL_WEIGHT = 0.00025
_CLASSIC_WIDTHS = (32, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class _Layers:
    """What the shapes tell."""

    widths: tuple[int, ...]  # channels after each encoder convolution
    ups: tuple[int, ...]  # channels after each decoder convolution, the final layer's among them
    drawn: int  # channels of the picture
    side: int  # of the smallest feature map
    latent: int

    @property
    def sizes(self) -> tuple[int, int]:
        """The least and the greatest image size: a stride-2 convolution halves and rounds up."""
        cell = 2 ** len(self.widths)
        return (self.side - 1) * cell + 1, self.side * cell

    @property
    def drawn_size(self) -> int:
        return self.side * 2 ** len(self.ups)

    @property
    def classic(self) -> bool:
        return (self.widths, self.latent, self.side) == (_CLASSIC_WIDTHS, 128, 5)


@dataclass(frozen=True, slots=True)
class _Talk:
    questions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan_celeba(shapes: Shapes, answers: Answers, evidence: Evidence) -> ImportPlan:
    layers, talk = _layers(shapes), _Talk()
    output = _output(layers, answers, evidence, talk)
    size = _size(layers, answers, evidence, output, talk)
    range_ = _range(output, answers, evidence, talk)
    if layers.drawn_size != size:
        talk.notes.append(
            f"Its decoder draws {layers.drawn_size}×{layers.drawn_size} and resizes that to {size}×{size} "
            "inside "
            "decode (bilinear, antialiased): kept as it is."
        )
    talk.notes.append(batch_norm_note())
    talk.notes.append(
        "Its decode turns non-numbers into zeros; here the weights are checked to be finite instead."
    )
    talk.notes.append(
        "Its log-variance is held between -10 and 10, as its training script does outside the network."
    )
    return ImportPlan(
        title="PyTorch-VAE's VanillaVAE" if output == "tanh" else "the vae-torch-celeba network",
        recipe=_recipe(layers, size, range_, output or "sigmoid"),
        mapping=_mapping(layers),
        settings=_settings(layers),
        questions=tuple(talk.questions),
        notes=tuple(talk.notes),
    )


def _layers(shapes: Shapes) -> _Layers:
    widths = tuple(
        shape_of(shapes, f"encoder.{i}.0.weight", 4)[0] for i in range(count(shapes, "encoder.{}.0.weight"))
    )
    ups = [
        shape_of(shapes, f"decoder.{i}.0.weight", 4)[1] for i in range(count(shapes, "decoder.{}.0.weight"))
    ]
    ups.append(shape_of(shapes, "final_layer.0.weight", 4)[1])
    latent, features = shape_of(shapes, "fc_mu.weight", 2)
    if not widths:
        raise CheckpointError("it lacks the tensor 'encoder.0.0.weight', which its network cannot do without")
    side = math.isqrt(features // widths[-1])
    if side == 0 or side * side * widths[-1] != features:
        raise CheckpointError(f"its fc_mu takes {features} features, no square map of {widths[-1]} channels")
    if len(widths) > 10 or side > 64 or len(ups) != len(widths):
        raise CheckpointError(
            f"its {len(widths)} encoder and {len(ups)} decoder layers over a {side}×{side} map are no such "
            "network"
        )
    return _Layers(widths, tuple(ups), shape_of(shapes, "final_layer.3.weight", 4)[0], side, latent)


def _output(
    layers: _Layers, answers: Answers, evidence: Evidence, talk: _Talk
) -> Literal["sigmoid", "tanh"] | None:
    """The last activation, from the strongest evidence there is; None and a question when there is none."""
    seen = _seen_output(evidence)
    if seen and answers.output not in (None, seen):
        raise CheckpointError(f"it ends in a {seen} layer, so `output='{answers.output}'` cannot be")
    # VanillaVAE's decode is written for a 2×2 map of 512 channels, and for no other
    vanilla_possible = layers.side == 2 and layers.widths[-1] == 512
    if seen:
        output, why = seen, "the pickled module says so"
    elif answers.output:
        output, why = answers.output, "given by `output`"
    elif evidence.kind and evidence.kind.endswith(".VanillaVAE"):
        output, why = "tanh", "its class is VanillaVAE"
    elif not vanilla_possible:
        output, why = "sigmoid", "inferred, since the network with the same tensors and a tanh has a 2×2 map"
    elif evidence.lightning:
        output, why = (
            "tanh",
            "inferred, since PyTorch-VAE trains with Lightning and vae-torch-celeba does not",
        )
    elif answers.range == "symmetric":
        output, why = "tanh", "inferred from `range='symmetric'`"
    else:
        talk.questions.append(
            "`output='sigmoid'` (vae-torch-celeba) or `output='tanh'` (PyTorch-VAE's VanillaVAE), whose tensors "
            "are "
            "alike at this size"
        )
        return None
    talk.notes.append(f"Its output is {output}: {why}.")
    return output


def _seen_output(evidence: Evidence) -> Literal["sigmoid", "tanh"] | None:
    last = evidence.layers.get("final_layer.4")
    if last is None:
        return None
    match last.kind.rpartition(".")[2]:
        case "Sigmoid":
            return "sigmoid"
        case "Tanh":
            return "tanh"
    raise CheckpointError(f"its last layer is {last.kind[:80]}, where Sigmoid or Tanh was expected")


def _size(layers: _Layers, answers: Answers, evidence: Evidence, output: str | None, talk: _Talk) -> int:
    least, most = layers.sizes
    if output == "tanh":
        least = most  # VanillaVAE does not resize: it takes the size it draws
    span = f"{least}" if least == most else f"{least} to {most}"
    if answers.image_size is not None:
        if not least <= answers.image_size <= most:
            raise CheckpointError(
                f"its layers fit pictures of {span} pixels, not `image_size={answers.image_size}`"
            )
        talk.notes.append(
            f"Its image size, {answers.image_size}, was given by hand; its layers would take {span}."
        )
        return answers.image_size
    if least == most:
        return most
    if layers.classic and evidence.kind in ("vae.VAE", "__main__.VAE"):
        talk.notes.append(
            f"Its image size was inferred: class {evidence.kind} with exactly the layers of "
            "vae-torch-celeba, whose "
            f"script has 150. The layers alone would take {span}; `image_size` overrides."
        )
        return 150
    likely = "150 in the script of vae-torch-celeba" if layers.classic else f"most likely {most}"
    talk.questions.append(f"`image_size=N`, anything from {span} fits its layers ({likely})")
    return 150 if layers.classic else most


def _range(
    output: str | None, answers: Answers, evidence: Evidence, talk: _Talk
) -> Literal["unit", "symmetric"]:
    if output == "sigmoid":
        if answers.range == "symmetric":
            raise CheckpointError(
                "its sigmoid output cannot draw values below 0, so `range='symmetric'` cannot be"
            )
        return "unit"
    if output == "tanh" and answers.range is None:
        wrote = f"; Lightning {evidence.lightning} wrote this file" if evidence.lightning else ""
        talk.questions.append(
            "`range='symmetric'` (PyTorch-VAE's script of 2020: pictures in [-1, 1], as the tanh suggests) or "
            f"`range='unit'` (its script since Lightning 1.5: pictures in [0, 1]{wrote})"
        )
    if output == "tanh" and answers.range:
        talk.notes.append(f"Its value range, {answers.range}, was given by hand.")
    return answers.range or "symmetric"


def _recipe(layers: _Layers, size: int, range_: str, output: str) -> dict[str, Any]:
    recipe = load_recipe("celeba150").model_dump(mode="json", exclude_none=True)
    if (layers.classic, size, output) == (True, 150, "sigmoid"):
        return recipe
    vanilla = output == "tanh"
    about = "PyTorch-VAE's VanillaVAE" if vanilla else "The vae-torch-celeba network"
    recipe["name"] = f"vanilla-vae-z{layers.latent}" if vanilla else f"celeba{size}-z{layers.latent}"
    recipe["summary"] = f"{about} at {size}×{size}, latent {layers.latent}, imported."
    recipe["input"] |= {"size": size, "range": range_}
    if vanilla:
        recipe["input"]["frame"]["box"] = [15, 35, 163, 183]  # the centre 148 pixels, as its data module cuts
    down = {"kernel": 3, "stride": 2, "padding": 1}
    model = recipe["model"]
    model["latent"] = layers.latent
    model["encoder"]["layers"] = [{"channels": c, **down} for c in layers.widths]
    model["decoder"] |= {
        "start_channels": layers.widths[-1],
        "start_size": layers.side,
        "layers": [{"channels": c, **down, "output_padding": 1} for c in layers.ups],
        "head": {"channels": layers.drawn, "kernel": 3, "padding": 1},
        "output": output,
    }
    # mse + w · KL is a Gaussian of σ² = w · values / 2; vae-torch-celeba's KL is a mean over its latents too
    weight = _KL_WEIGHT if vanilla else _KL_WEIGHT / layers.latent
    model["likelihood"] = {"kind": "gaussian", "sigma": round(math.sqrt(weight * 3 * size**2 / 2), 5)}
    return recipe


def _blocks(layers: _Layers) -> dict[str, str]:
    """Our convolution blocks and theirs, encoder first."""
    down = {f"encoder.layers.{i}": f"encoder.{i}" for i in range(len(layers.widths))}
    up = {f"decoder.layers.{i}": f"decoder.{i}" for i in range(len(layers.ups) - 1)}
    return down | up | {f"decoder.layers.{len(layers.ups) - 1}": "final_layer"}


def _mapping(layers: _Layers) -> dict[str, tuple[str, ...]]:
    mapping = joined("encoder.linear", "fc_mu", "fc_var") | same("decoder.linear", "decoder_input")
    mapping |= same("decoder.head", "final_layer.3")
    for ours, theirs in _blocks(layers).items():
        mapping |= same(f"{ours}.0", f"{theirs}.0") | batch_norm(f"{ours}.1", f"{theirs}.1")
    return mapping


def _settings(layers: _Layers) -> dict[str, dict[str, object]]:
    settings = convolutions(["final_layer.3"], stride=1, padding=1)
    for ours, theirs in _blocks(layers).items():
        settings |= convolutions([f"{theirs}.0"], stride=2, padding=1)
        if ours.startswith("decoder"):
            settings[f"{theirs}.0"]["output_padding"] = (1, 1)
        settings |= {f"{theirs}.1": BATCH_NORM, f"{theirs}.2": {"negative_slope": 0.01}}
    return settings
