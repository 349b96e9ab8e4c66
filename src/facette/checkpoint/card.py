"""The model card: what a model is, what it was trained on, how well it does, and under which terms.

Enters: a TrainedModel. Leaves: Markdown with the front matter that model hubs read. Figures come from the model's
own measures and provenance; nothing is made up where they are silent.
"""

from __future__ import annotations

from facette.form import spoken_form
from facette.model.trained import TrainedModel
from facette.model.vae import count_parameters

EMBEDDING = (
    "Fréchet distances, coverage and density are measured in the embedding of Facette's attribute network, which no "
    "training of a model used, between 500 pictures and 500 photos; they are not FID and compare with nothing else."
)


def write_card(model: TrainedModel) -> str:
    """The card as Markdown."""
    recipe, provenance = model.recipe, model.provenance
    data = recipe.input
    shape = (
        f"{data.size} values" if data.kind == "vector" else spoken_form(data.size, data.channels, data.depth)
    )
    lines = [
        "---",
        f"license: {provenance.get('license_id', 'other')}",
        "library_name: facette",
        "tags: [variational-autoencoder, image-generation]",
        "---",
        "",
        f"# {recipe.name}",
        "",
        recipe.summary,
        "",
        "| | |",
        "| --- | --- |",
        f"| takes | {shape} |",
        f"| latent | {recipe.model.latent} dimensions, diagonal Gaussian posterior |",
        f"| parameters | {count_parameters(model.vae):,} |",
        f"| likelihood | {_likelihood(model)} |",
        f"| prior for samples | {_prior(model)} |",
    ]
    if model.sharpener is not None:
        lines.append(f"| second stage | a sharpener of {count_parameters(model.sharpener):,} parameters |")
    lines += [f"| {label} | {provenance[key]} |" for key, label in _PROVENANCE if key in provenance]
    if terms := provenance.get("terms"):
        lines += ["", "## Terms of use", "", terms]
    if figures := [(k, v) for k, v in model.metrics.items() if isinstance(v, (int, float))]:
        lines += ["", "## Measured", "", "| measure | value |", "| --- | --- |"]
        lines += [f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in figures]
    if any(name.startswith("frechet") for name in model.metrics):
        lines += ["", EMBEDDING]
    if notes := provenance.get("notes"):
        lines += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


_PROVENANCE = (
    ("command", "made by"),
    ("data", "data"),
    ("images", "training pictures"),
    ("measured_on", "measured on"),
    ("steps", "steps"),
    ("image_passes", "image passes"),
    ("seconds", "seconds of training"),
    ("hardware", "hardware"),
    ("trained", "trained on"),
    ("sharpened_by", "second stage made by"),
    ("sharpen_image_passes", "its image passes"),
    ("sharpen_seconds", "seconds of its training"),
)


def _likelihood(model: TrainedModel) -> str:
    spec = model.recipe.model.likelihood
    if spec.kind == "bernoulli":
        return "Bernoulli"
    sigma = model.vae.likelihood.sigma
    return "Gaussian, σ predicted per value" if sigma is None else f"Gaussian, σ = {sigma:.4f} ({spec.sigma})"


def _prior(model: TrainedModel) -> str:
    if model.fitted_prior is None:
        return model.recipe.model.prior.kind
    return f"Gaussian mixture of {model.fitted_prior.components} components fitted to the latents"
