"""A whole run as one strict, frozen value: TOML in, TOML out.

Enters: the name of a shipped recipe or the path of a TOML file, and `key=value` overrides. Leaves: a `Recipe`
in which every field is typed and checked. Knows nothing of torch, files of pictures, or training.
Unknown keys and wrong types are refused, all of them at once, each with its key, its value and what is allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import tomli_w
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from facette.code import NAMED, Modules
from facette.condition import width
from facette.errors import DataError, RecipeError
from facette.form import PictureForm, height_width
from facette.text import read_text

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
NAME = r'^[^\x00-\x1f\x7f-\x9f/\\:*?"<>|.][^\x00-\x1f\x7f-\x9f/\\:*?"<>|]*$'
Activation = Literal["relu", "leaky-relu", "silu"]


class Spec(BaseModel):
    """Base of every recipe section: immutable, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _list(**constraints: Any) -> Any:
    """A tuple field that TOML may give as a list."""
    return Field(strict=False, **constraints)


Point = Annotated[tuple[float, float], _list()]


def _sides(size: Any) -> Any:
    """One number, or [height, width], whose square is one number again."""
    sides = list(size) if isinstance(size, list | tuple) else [size, size]
    if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
        raise ValueError(f"{size!r} is no size: give one number of pixels, or [height, width]")
    return sides[0] if sides[0] == sides[1] else tuple(sides)


Sides = Annotated[int | tuple[int, int], BeforeValidator(_sides)]


# ── what enters the model ────────────────────────────────────────────────────────────────────────────────


class Frame(Spec):
    """An aligned source frame, in pixels: where the eyes sit, and which box of it the model sees.

    A picture of exactly `size` (width, height) is taken as aligned. `box` is (left, top, right, bottom);
    `eyes` are (x, y) of the eye on the picture's left, then of the one on its right.
    """

    size: Annotated[tuple[Positive, Positive], _list()]
    box: Annotated[tuple[int, int, int, int], _list()]
    eyes: Annotated[tuple[Point, Point], _list()]

    @model_validator(mode="after")
    def _box_is_inside(self) -> Frame:
        left, top, right, bottom = self.box
        if not (0 <= left < right <= self.size[0] and 0 <= top < bottom <= self.size[1]):
            raise ValueError(f"box {list(self.box)} does not lie inside a frame of {list(self.size)}")
        return self


class ImageInput(PictureForm, Spec):
    """Pictures. `range` is the value range inside the model: unit [0, 1], symmetric [−1, 1].

    `size` is one number of pixels for squares, or [height, width]. `channels` are 1 (grey), 3 (RGB) or 4 (RGB and
    alpha). `depth` is the bits of a value that are kept, from the file to the loss: 8, or 16 for grey pictures.
    `alpha` says what transparent parts are: `white` paper; a `mask` of what was never seen, which then costs nothing in
    the likelihood and is told to the encoder; or a fourth `channel`, which is learned like the others.
    """

    kind: Literal["image"] = "image"
    size: Sides
    channels: Literal[1, 3, 4] = 3
    depth: Literal[8, 16] = 8
    range: Literal["unit", "symmetric"] = "symmetric"
    fit: Literal["cover", "squash"] = "cover"
    flip: bool = False
    alpha: Literal["white", "mask", "channel"] = "white"
    frame: Frame | None = None

    @model_validator(mode="after")
    def _form_holds(self) -> ImageInput:
        if (self.channels == 4) != (self.alpha == "channel"):
            raise ValueError(
                f"channels {self.channels} does not go with alpha {self.alpha!r}: 4 channels are RGB and alpha, and "
                "alpha 'channel' needs them"
            )
        if self.depth == 16 and (self.channels != 1 or self.masked):
            raise ValueError("depth 16 is for grey pictures without a mask: channels 1, alpha 'white'")
        if self.frame is not None and (self.channels != 3 or not isinstance(self.size, int)):
            raise ValueError("a frame is for square pictures of 3 channels")
        return self


class VectorInput(Spec):
    """Points of a vector space, not pictures."""

    kind: Literal["vector"]
    size: Positive


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────


class ConvLayer(Spec):
    """A convolution, its sizes in pixels; `output_padding` is for transposed ones, in decoders."""

    channels: Positive
    kernel: Positive = 3
    stride: Positive = 1
    padding: NonNegative = 0
    output_padding: NonNegative = 0


class ConvEncoderSpec(Spec):
    """Convolutions one after another, each with its norm and activation, then one linear layer."""

    kind: Literal["conv"]
    layers: Annotated[tuple[ConvLayer, ...], _list(min_length=1)]
    norm: Literal["none", "batch"] = "none"
    activation: Activation = "relu"


class ConvDecoderSpec(Spec):
    """A linear layer to a small map, transposed convolutions, and an optional last plain convolution (`head`).

    Without a head the last transposed convolution is the output and has neither norm nor activation.
    A map that ends at another size than the picture is resized (bilinear, antialiased) inside the decoder.
    """

    kind: Literal["conv"]
    start_channels: Positive
    start_size: Sides
    start_activation: bool = False
    layers: Annotated[tuple[ConvLayer, ...], _list(min_length=1)]
    head: ConvLayer | None = None
    norm: Literal["none", "batch"] = "none"
    activation: Activation = "relu"
    output: Literal["sigmoid", "tanh", "identity"] = "identity"


class ResidualEncoderSpec(Spec):
    """Space-to-depth stem of `patch` pixels, then residual blocks at halving resolutions."""

    kind: Literal["residual"]
    patch: Positive = 4
    widths: Annotated[tuple[Positive, ...], _list(min_length=1)]
    blocks: Annotated[tuple[NonNegative, ...], _list(min_length=1)]
    activation: Activation = "silu"

    @model_validator(mode="after")
    def _one_count_a_width(self):
        if len(self.widths) != len(self.blocks):
            raise ValueError(f"blocks {list(self.blocks)} must have one entry per width {list(self.widths)}")
        return self


class ResidualDecoderSpec(ResidualEncoderSpec):
    """The mirror: residual blocks at doubling resolutions and a pixel-shuffle head. Widths run from fine to
    coarse, as in the encoder."""

    output: Literal["sigmoid", "tanh", "identity"] = "identity"


class MlpEncoderSpec(Spec):
    """Fully connected layers, for vectors."""

    kind: Literal["mlp"]
    widths: Annotated[tuple[Positive, ...], _list(min_length=1)]
    activation: Activation = "silu"


class MlpDecoderSpec(MlpEncoderSpec):
    """Fully connected layers back to the vector."""


Arguments = dict[str, bool | int | float | str | list[bool | int | float | str]]  # of people's own code


class OwnSpec(Spec):
    """A network of one's own: `name` is `module:Class` among the code that the caller passes, called with `arguments`.

    An encoder takes x as the core sees it, (N, C, H, W) and a mask behind the channels where there is one, or (N, D),
    and gives (N, 2 · latent): means, then what `posterior.scale` reads σ off. A decoder takes z (N, latent) and gives
    the mean of p(x|z) in the recipe's range, shaped as x; twice the channels where σ is predicted.
    """

    kind: Literal["own"]
    name: Annotated[str, Field(pattern=NAMED, max_length=200)]
    arguments: Arguments = {}


class PosteriorSpec(Spec):
    """q(z|x), a diagonal Gaussian. `log-variance`: σ² = exp(raw); `softplus`: σ² = softplus(raw / 2)."""

    scale: Literal["log-variance", "softplus"] = "log-variance"


class LikelihoodSpec(Spec):
    """p(x|z). `gaussian` has squared errors, `laplace` absolute ones; `logistic` gives the probability of a picture's
    8-bit levels (arXiv 1606.04934), `bernoulli` that of bits. A number for `sigma`, a standard deviation, fixes it in
    the units of the input's range; `optimal` is the analytic maximum-likelihood σ of the batch (arXiv 2006.13202);
    `learned` is one free parameter; `predicted` is one σ per dimension, from the decoder."""

    kind: Literal["gaussian", "laplace", "logistic", "bernoulli"] = "gaussian"
    sigma: Annotated[float, Field(gt=0)] | Literal["optimal", "learned", "predicted"] = "optimal"

    @model_validator(mode="after")
    def _sigma_has_a_form(self) -> LikelihoodSpec:
        if self.kind == "logistic" and self.sigma == "optimal":
            raise ValueError(
                "a logistic likelihood has no optimal sigma: give 'learned', 'predicted' or a number"
            )
        return self


class PriorSpec(Spec):
    """p(z). `components` counts the parts of a mixture or the pseudo-inputs of a VampPrior; `layers` and
    `width` size a flow."""

    kind: Literal["normal", "mixture", "vamp", "flow"] = "normal"
    components: Positive = 10
    layers: Positive = 6
    width: Positive = 64


def _named(condition: Any) -> Any:
    """A condition by its name alone."""
    return {"name": condition} if isinstance(condition, str) else condition


class ConditionSpec(Spec):
    """What the model is told beside the picture, or infers: a label of classes, or a number.

    A recipe names it; a run adds what the labels of its data say: the `classes` and their `shares` among the labelled
    training pictures, or the `mean` and `spread` (standard deviation) of a number.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    classes: Annotated[tuple[str, ...], _list(max_length=100)] = ()
    shares: Annotated[tuple[Share, ...], _list(max_length=100)] = ()
    mean: float = 0.0
    spread: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> ConditionSpec:
        if len(self.classes) != len(self.shares) or len(self.classes) == 1 or (self.classes and self.spread):
            raise ValueError(
                f"condition {self.name!r} has two or more classes with a share each, or a spread"
            )
        return self

    @property
    def resolved(self) -> bool:
        """Whether it is known what the labels of the data say."""
        return bool(self.classes) or self.spread is not None


class ModelSpec(Spec):
    """`condition` names labels that encoder, decoder and prior are told; they stand behind the `latent` ones, and where
    a picture has no label it is inferred. `side` is the side in pixels of what encoder and decoder see and draw; the
    input's size where it is left out. A larger picture is reduced to it by the mean of areas, and what is decoded is
    enlarged: a second stage then draws the octaves above."""

    latent: Positive
    side: Positive | None = None
    encoder: Annotated[
        ConvEncoderSpec | ResidualEncoderSpec | MlpEncoderSpec | OwnSpec, Field(discriminator="kind")
    ]
    decoder: Annotated[
        ConvDecoderSpec | ResidualDecoderSpec | MlpDecoderSpec | OwnSpec, Field(discriminator="kind")
    ]
    posterior: PosteriorSpec = PosteriorSpec()
    likelihood: LikelihoodSpec = LikelihoodSpec()
    prior: PriorSpec = PriorSpec()
    condition: Annotated[tuple[Annotated[ConditionSpec, BeforeValidator(_named)], ...], _list()] = ()

    @property
    def told(self) -> int:
        """How many latents the conditions take: one for each class, one for a number."""
        return sum(map(width, self.condition))

    @property
    def own(self) -> tuple[str, ...]:
        """The names of networks that are the caller's own code."""
        return tuple(part.name for part in (self.encoder, self.decoder) if part.kind == "own")


# ── objective and training ───────────────────────────────────────────────────────────────────────────────


class FocusSpec(Spec):
    """Where the likelihood of pictures weighs more: in a soft ellipse, `weight` times as much as far outside of it.

    Lengths are shares of the picture's side. `softness` is the width of the ellipse's edge as a share of its half
    axes. The weights are divided by their mean, so that nats remain comparable.
    """

    weight: Annotated[float, Field(ge=1)]
    centre: Point
    half_axes: Point
    softness: Annotated[float, Field(gt=0)] = 0.15


class DiscriminatorSpec(Spec):
    """The network that FactorVAE estimates the total correlation by: `layers` hidden layers of `width` units."""

    width: Positive = 1000
    layers: Positive = 5
    lr: Annotated[float, Field(gt=0)] = 1e-4
    adam_betas: Annotated[tuple[float, float], _list()] = (0.5, 0.9)


class TotalCorrelationSpec(Spec):
    """`weight` times the total correlation of the latents in nats, beside the bound: the papers' β − 1, or γ.

    `estimate`: from the batch's posteriors, `stratified` or `weighted` (β-TC-VAE, arXiv 1802.04942), or by a
    `discriminator` (FactorVAE, arXiv 1802.05983), which the section of that name sizes.
    """

    weight: Annotated[float, Field(ge=0)] = 5.0
    estimate: Literal["stratified", "weighted", "discriminator"] = "stratified"
    discriminator: DiscriminatorSpec = DiscriminatorSpec()


class DipSpec(Spec):
    """The covariance of the means (`i`) or of the draws (`ii`) held at the identity (DIP-VAE, arXiv 1711.00848):
    prices of squared entries off the diagonal, and of squared differences from 1 on it."""

    kind: Literal["i", "ii"] = "ii"
    off_diagonal: Annotated[float, Field(ge=0)] = 10.0
    diagonal: Annotated[float, Field(ge=0)] = 10.0


class MmdSpec(Spec):
    """`weight` times the squared maximum mean discrepancy between q(z) and the standard normal (InfoVAE, arXiv
    1706.02262): with the paper's α and λ, `objective.beta` is 1 − α, and `weight` α + λ − 1."""

    weight: Annotated[float, Field(ge=0)] = 1000.0
    kernel: Literal["rbf", "imq"] = "rbf"
    bandwidth: Annotated[float, Field(gt=0)] = 1.0


class CapacitySpec(Spec):
    """The rate is held at a capacity that rises from 0 to `nats` over `steps` (arXiv 1804.03599): its distance from it
    costs `objective.beta`, the paper's γ."""

    nats: Annotated[float, Field(ge=0)] = 25.0
    steps: NonNegative = 0


class ImportanceSpec(Spec):
    """The bound of `samples` importance-weighted draws in the place of the plain one (IWAE, arXiv 1509.00519)."""

    samples: Positive = 5


class TermSpec(Spec):
    """A term of one's own: `name` is `module:function` among the code that the caller passes, called with what a step
    knows and `arguments`; what it gives is in nats per image, and costs `weight` times as much."""

    name: Annotated[str, Field(pattern=NAMED, max_length=200)]
    weight: float = 1.0
    arguments: Arguments = {}


class ObjectiveSpec(Spec):
    """Weights of the evidence lower bound, in nats per picture: β = 1 is the bound itself.

    `linear` raises β from 0 over `warmup_steps`, or over `warmup_share` of the run; `cyclical` does so anew at the
    start of each of `cycles` (arXiv 1903.10145). `free_bits` is the rate in nats per latent dimension that costs
    nothing (arXiv 1606.04934).
    `labels` is the price in nats of a nat by which the encoder misses a label that is known, where the model has
    conditions (arXiv 1406.5298, eq. 9). `focus` weighs the likelihood by place. `identity` is the price in nats of a
    face that has become another's: of 1 − cosine between the features of the network of who (facette.model.identity)
    for photo and reconstruction.
    The sections that follow add terms to the sum, or change what the rate costs; left out, they are not there.
    """

    beta: Annotated[float, Field(ge=0)] = 1.0
    schedule: Literal["constant", "linear", "cyclical"] = "constant"
    warmup_steps: NonNegative = 0
    warmup_share: Share = 0.0
    cycles: Positive = 4
    free_bits: Annotated[float, Field(ge=0)] = 0.0
    labels: Annotated[float, Field(ge=0)] = 50.0
    focus: FocusSpec | None = None
    identity: Annotated[float, Field(ge=0)] = 0.0
    total_correlation: TotalCorrelationSpec | None = None
    dip: DipSpec | None = None
    mmd: MmdSpec | None = None
    capacity: CapacitySpec | None = None
    importance: ImportanceSpec | None = None
    terms: Annotated[tuple[TermSpec, ...], _list()] = ()

    @model_validator(mode="after")
    def _terms_are_told_apart(self) -> ObjectiveSpec:
        names = [term.name for term in self.terms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"terms has {', '.join(twice)} more than once")
        return self

    @model_validator(mode="after")
    def _one_price_of_the_rate(self) -> ObjectiveSpec:
        if self.warmup_share and (self.warmup_steps or self.schedule != "linear"):
            raise ValueError("warmup_share goes with schedule 'linear', in the place of warmup_steps")
        priced = [name for name in ("free_bits", "capacity", "importance") if getattr(self, name)]
        if len(priced) > 1:
            raise ValueError(f"{' and '.join(priced)} each say what the rate costs: keep one of them")
        return self

    @property
    def joint(self) -> bool:
        """Whether something besides means over images is asked for, so that the whole batch must be looked at."""
        rated = self.free_bits > 0 or self.capacity is not None
        return rated or any((self.total_correlation, self.dip, self.mmd))

    @property
    def discriminated(self) -> bool:
        """Whether a term has a network of its own."""
        return self.total_correlation is not None and self.total_correlation.estimate == "discriminator"


class TrainSpec(Spec):
    """How long, how fast, what is kept. Exactly one of `epochs` and `steps` is given."""

    epochs: Positive | None = None
    steps: Positive | None = None
    minutes: Annotated[float, Field(gt=0)] | None = None
    """End after so many minutes of training, all sittings together, where that comes before the length."""
    patience: Positive | None = None
    """End after so many validations in a row without a better score."""
    pictures: Positive | None = None
    """Learn from the first so many training pictures in the order of their names; all of them when left out."""
    balance: dict[str, Positive] = {}
    """How often a picture with an attribute is seen in an epoch, by the attribute's name, such as Eyeglasses = 3; of
    several that a picture has, the largest counts. Attributes that the pictures have no labels of are left out."""
    hide: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the pictures of which a border or a box is hidden from the encoder, for recipes with a mask."""
    batch: Positive = 64
    accumulate: Positive = 1
    """Parts that a batch is computed in, one after the other, for a card that does not hold it at once; the step is
    that of the whole batch, at a third more work."""
    recompute: bool = False
    """Compute activations again in the backward pass in the place of keeping them: less memory, more time, the same
    step."""
    fused_update: bool = False
    """Move each weight as soon as its gradient is there, and drop that: the gradients are never all in memory. The same
    step; it knows no norm of all gradients to clip by, and is for one process."""
    lr: Annotated[float, Field(gt=0)] = 1e-3
    lr_schedule: Literal["constant", "cosine"] = "cosine"
    lr_warmup_steps: NonNegative = 0
    lr_warmup_share: Share = 0.0
    """Of the run, in the place of a number of steps."""
    lr_final: Share = 0.0
    adam_betas: Annotated[tuple[float, float], _list()] = (0.9, 0.999)
    clip: Annotated[float, Field(gt=0)] | None = None
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["auto", "float32", "bf16"] = "auto"
    compile: bool = False
    shard: bool = False
    """Share weights, gradients and moments out among the processes of `torchrun` (FSDP2), for a model whose training
    outgrows one card; the state is then saved in parts, one from each process, and read by any number of them."""
    kernels: Literal["measured", "usual"] = "measured"
    """How layers compute on a CPU: as a measurement of a second on the machine says, or in the usual ways wherever it
    is. They agree to rounding; a run keeps what it began with."""
    log_every: Positive = 50
    validate_every: Positive = 500
    validate_count: Positive = 1000
    preview_every: Positive = 500
    preview_count: Positive = 8
    save_every: Positive = 500
    mixture_components: Annotated[tuple[Positive, ...], _list()] = (1, 5, 10, 20)
    """Candidates for the Gaussian mixture fitted to the latents after training; empty: none is fitted."""
    mixture_rank: NonNegative = 0
    """Directions of its own that a component has beside a covariance common to all; 0: a full covariance each. So
    hundreds of components take no more room than a dozen full ones."""

    @model_validator(mode="after")
    def _one_length(self) -> TrainSpec:
        if self.lr_warmup_steps and self.lr_warmup_share:
            raise ValueError("give lr_warmup_steps or lr_warmup_share, not both")
        if self.recompute and self.compile:
            raise ValueError(
                "recompute and compile do not go together: a compiled network decides what it keeps"
            )
        if self.fused_update:
            clashes = (
                (
                    self.clip is not None,
                    "clip scales by the norm of all gradients (leave it out, or give 'none')",
                ),
                (self.accumulate > 1, "accumulate adds up the gradients of several parts"),
                (self.shard, "shard adds up those of several processes"),
                (self.compile, "a compiled network gives them all at once"),
            )
            if reasons := [reason for clash, reason in clashes if clash]:
                raise ValueError(
                    f"fused_update moves each weight by its own gradient alone: {'; '.join(reasons)}"
                )
        return _one_length(self)


def _one_length(spec: Any) -> Any:
    if (spec.epochs is None) == (spec.steps is None):
        raise ValueError("give exactly one of epochs and steps")
    return spec


class SharpenSpec(Spec):
    """The second stage: a network that draws, over the frozen decoder's mean, what a mean cannot show.

    `widths` are its channels at a half, a quarter and an eighth of the picture's side, `full_width` those at the side
    itself (0: none). It is trained against a critic (`critic_width` channels at half the side; `critic_penalty` is the
    weight of its gradient's squared length), on pictures and on draws of the fitted prior (`prior_share` of them).
    Weights of its loss beside the critic's verdict: `feature_weight` for the mean absolute difference of the critic's
    features, `detail_weight` for how far the strength of detail differs, in places and as a whole, `squared_weight` for
    the mean squared difference of the values in [−1, 1], `identity_weight` for who the face is: 1 − cosine between the
    features of the network of who (facette.model.identity).
    """

    widths: Annotated[tuple[Positive, Positive, Positive], _list()] = (40, 80, 160)
    full_width: NonNegative = 0
    condition: Positive = 128
    critic_width: Positive = 32
    epochs: Positive | None = None
    steps: Positive | None = None
    batch: Positive = 16
    prior_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    lr: Annotated[float, Field(gt=0)] = 1.5e-4
    lr_warmup_steps: NonNegative = 200
    lr_final: Annotated[float, Field(ge=0, le=1)] = 0.1
    critic_lr: Annotated[float, Field(gt=0)] = 4e-4
    critic_penalty: Annotated[float, Field(ge=0)] = 0.1
    critic_lead: NonNegative = 100
    """Steps in which the critic learns alone: following a critic that knows nothing yet only leads astray."""
    adam_betas: Annotated[tuple[float, float], _list()] = (0.5, 0.99)
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.998
    augment: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the steps whose pictures are moved and tinted before the critic sees them (arXiv 2006.10738): for
    data sets of a few thousand pictures, which a critic would learn by heart."""
    feature_weight: Annotated[float, Field(ge=0)] = 10.0
    detail_weight: Annotated[float, Field(ge=0)] = 0.0
    squared_weight: Annotated[float, Field(ge=0)] = 100.0
    identity_weight: Annotated[float, Field(ge=0)] = 0.0
    precision: Literal["auto", "float32", "bf16"] = "auto"
    log_every: Positive = 50
    validate_every: Positive = 500
    validate_count: Positive = 512
    preview_count: Positive = 8
    save_every: Positive = 250

    @property
    def preview_every(self) -> int:
        """Previews are drawn of what is validated."""
        return self.validate_every

    @model_validator(mode="after")
    def _one_length(self) -> SharpenSpec:
        return _one_length(self)


class Recipe(Spec):
    """A whole run: what enters, the network, what is minimised, how long, and a second stage where there is one.

    `seed` is all that its randomness depends on. Read one with `load_recipe`; `to_toml` writes it whole.
    """

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=NAME)]
    """It becomes part of file names: no folders, no control characters, no dot in front."""
    summary: str = ""
    seed: NonNegative = 0
    input: Annotated[ImageInput | VectorInput, Field(discriminator="kind")]
    model: ModelSpec
    objective: ObjectiveSpec = ObjectiveSpec()
    train: TrainSpec
    sharpen: SharpenSpec | None = None
    _code: Modules = PrivateAttr(default=())

    @model_validator(mode="after")
    def _parts_agree(self) -> Recipe:
        vector = self.input.kind == "vector"
        for part in ("encoder", "decoder"):
            kind = getattr(self.model, part).kind
            if kind != "own" and (kind == "mlp") != vector:
                raise ValueError(f"model.{part}.kind {kind!r} does not fit input.kind {self.input.kind!r}")
        if self.model.likelihood.kind == "bernoulli" and (
            self.input.kind == "vector" or self.input.range != "unit"
        ):
            raise ValueError("a bernoulli likelihood needs input.range 'unit'")
        if (
            self.model.likelihood.kind == "bernoulli"
            and self.model.decoder.kind != "own"
            and getattr(self.model.decoder, "output", "") != "sigmoid"
        ):
            raise ValueError(
                "a bernoulli likelihood needs model.decoder.output 'sigmoid': its means lie in [0, 1]"
            )
        if vector and self.model.likelihood.kind == "logistic":
            raise ValueError(
                "a logistic likelihood is of a picture's levels: it does not fit input.kind 'vector'"
            )
        if self.train.shard and self.objective.discriminated:
            raise ValueError(
                "train.shard does not share out the discriminator of objective.total_correlation"
            )
        if self.train.accumulate > self.train.batch:
            raise ValueError(
                f"train.accumulate {self.train.accumulate} is more than train.batch {self.train.batch}"
            )
        normed = any(
            getattr(part, "norm", "none") == "batch" for part in (self.model.encoder, self.model.decoder)
        )
        if self.train.accumulate > 1 and normed:
            raise ValueError(
                "train.accumulate needs layers of norm 'none': batch norms look at a whole batch"
            )
        if self.train.batch < 2 and (self.objective.total_correlation or self.objective.dip):
            raise ValueError(
                "the terms total_correlation and dip compare pictures: train.batch must be at least 2"
            )
        if vector and self.sharpen is not None:
            raise ValueError("only pictures can be sharpened: leave the section sharpen out")
        names = [condition.name for condition in self.model.condition]
        if len(set(names)) < len(names):
            raise ValueError("model.condition names a label twice")
        if names and self.model.prior.kind == "vamp":
            raise ValueError("a vamp prior's pseudo-inputs have no labels: leave model.condition out")
        self._check_pictures()
        return self

    def _check_pictures(self) -> None:
        pictures = self.input if self.input.kind == "image" else None
        objective, side = self.objective, self.model.side
        if pictures is None and (side or objective.focus or objective.identity):
            raise ValueError("model.side, objective.focus and objective.identity are for pictures")
        if pictures and side and (not isinstance(pictures.size, int) or pictures.size % side):
            raise ValueError(f"model.side {side} does not divide input.size {pictures.size}")
        who = objective.identity or (self.sharpen is not None and self.sharpen.identity_weight)
        if pictures and who and pictures.channels != 3:
            raise ValueError("objective.identity and sharpen.identity_weight are for faces in 3 channels")
        if self.train.hide and not (pictures and pictures.masked):
            raise ValueError("train.hide needs input.alpha 'mask'")
        if pictures and pictures.masked and self.model.prior.kind == "vamp":
            raise ValueError("a vamp prior's pseudo-inputs have no mask: use input.alpha 'white'")

    @property
    def latents(self) -> int:
        """The length of a latent vector: what is inferred of a picture, and behind it what conditions say."""
        return self.model.latent + self.model.told

    @property
    def core(self) -> tuple[int, int]:
        """(height, width) of what the encoder sees and the decoder draws, in pixels; of pictures alone."""
        return height_width(self.model.side or self.input.size)

    def with_code(self, code: Modules) -> Recipe:
        """The same recipe, whose names of people's own code mean what is in these modules. They are never written."""
        if not code:
            return self
        recipe = self.model_copy()
        recipe._code = code
        return recipe

    @property
    def code(self) -> Modules:
        """The modules of `with_code`."""
        return self._code

    def to_toml(self) -> str:
        """The resolved recipe as TOML that `load_recipe` reads back to an equal value."""
        return tomli_w.dumps(_plain(self.model_dump(exclude_none=True)))


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────


@cache
def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(sorted(p.name[:-5] for p in files("facette.recipes").iterdir() if p.name.endswith(".toml")))


def load_recipe(source: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Recipe:
    """Read a recipe by shipped name or TOML path, apply `section.key=value` overrides, check the whole.

    Raises RecipeError naming every wrong key with its value and what is allowed.
    """
    data, label = _read(source)
    return parse_recipe(override(data, overrides), label)


def recipe_data(source: str | Path) -> dict[str, Any]:
    """A recipe by shipped name or TOML path as a plain nested dictionary, not checked yet."""
    return _read(source)[0]


def override(data: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A nested dictionary with `section.key=value` changes made in place. Raises RecipeError for malformed ones."""
    for change in overrides:
        _apply(data, change)
    return data


def parse_recipe(data: dict[str, Any], label: str = "recipe") -> Recipe:
    """Check a plain nested dictionary, as TOML or JSON gives it, and return the Recipe.

    Raises RecipeError naming every wrong key.
    """
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(_sentence(e) for e in error.errors())
        raise RecipeError(f"recipe {label!r} does not hold: {problems}") from None


def _read(source: str | Path) -> tuple[dict[str, Any], str]:
    path = Path(source)
    if path.suffix != ".toml" and str(source) in shipped_recipes():
        text = files("facette.recipes").joinpath(f"{source}.toml").read_text("utf-8")
    elif path.is_file():
        try:
            text = read_text(path)
        except DataError as error:
            raise RecipeError(f"recipe {error}") from None
    else:
        raise RecipeError(
            f"no recipe {str(source)!r}: give the path of a TOML file or one of {', '.join(shipped_recipes())}"
        )
    try:
        return tomllib.loads(text), str(source)
    except RecursionError:
        raise RecipeError(f"recipe {str(source)!r} is nested absurdly deep") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {str(source)!r} is not valid TOML: {error}") from None


def _apply(data: dict[str, Any], override: str) -> None:
    key, separator, raw = override.partition("=")
    if not separator or not key.strip():
        raise RecipeError(f"override {override!r} is not of the form section.key=value")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = raw.strip()
    *sections, last = key.strip().split(".")
    if value == "none" and _may_be_left_out([*sections, last]):
        _drop(data, [*sections, last])
        return
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise RecipeError(f"override {override!r}: {section!r} is a value, not a section")
    data[last] = value
    if sections in (["train"], ["sharpen"]) and last in (
        "epochs",
        "steps",
    ):  # naming one length replaces the other
        data.pop({"epochs": "steps", "steps": "epochs"}[last], None)


def _may_be_left_out(key: list[str]) -> bool:
    """Whether a section or value need not be there, so that `none` leaves it out and is no value of its own."""
    fields, annotation = Recipe.model_fields, None
    for part in key:
        if part not in fields:
            return False
        annotation = fields[part].annotation
        fields = {name: field for spec in _specs(annotation) for name, field in spec.model_fields.items()}
    return type(None) in get_args(annotation)


def _drop(data: dict[str, Any], key: list[str]) -> None:
    """Take a section or value out of a nested dictionary, where it is there."""
    *sections, last = key
    for section in sections:
        data = data.get(section, {})
        if not isinstance(data, dict):
            return
    data.pop(last, None)


def _sentence(error: Any) -> str:
    location = [part for part in error["loc"] if part not in _TAGS or error["loc"][-1] == part]
    key = ".".join(str(part) for part in location) or "recipe"
    if error["type"] == "extra_forbidden":
        return f"{key} is not a key (allowed here: {', '.join(_keys_at(error['loc'][:-1]))})"
    if error["type"] == "missing":
        return f"{key} is missing"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if error["type"] == "value_error":
        return f"{key}: {message}" if location else message
    return f"{key} is {error['input']!r}, but should be {message}"


_TAGS = {"image", "vector", "conv", "residual", "mlp", "own"}


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    """The keys allowed in the section that a validation error's location points to."""
    current: Any = Recipe
    for part in location:
        if isinstance(current, type) and issubclass(current, Spec):
            current = current.model_fields[part].annotation
        elif part in _TAGS:
            current = next(s for s in _specs(current) if part in get_args(s.model_fields["kind"].annotation))
        if not isinstance(current, type) or get_origin(current) is not None:
            candidates = _specs(current)
            current = candidates[0] if len(candidates) == 1 else current
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, Spec) else []


def _specs(annotation: Any) -> list[type[Spec]]:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [annotation]
    return [spec for argument in get_args(annotation) for spec in _specs(argument)]


def _plain(value: Any) -> Any:
    """Tuples to lists: TOML knows only arrays."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
