"""Turns a finished run into a model that travels in the package: half precision, measured, with its terms.

    python scripts/bundle.py RUN DATA --data-label TEXT --terms FILE-OR-TEXT

RUN is a run's folder, DATA the held-out pictures to measure on. The model is written to src/facette/models/NAME, where
NAME is the recipe's. Figures are those of the weights as they are stored, not of the run's.

    facette attributes fit src/facette/models/NAME TRAIN      # then: its attributes,
    facette calibrate src/facette/models/NAME TRAIN           # how people differ, and how far each diversity goes

TRAIN are its labelled training pictures, of which people set apart are measured (needs the extra `identity`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import facette
from facette.checkpoint.graph_files import shipped_graphs
from facette.checkpoint.trace import keep_graphs
from facette.evaluation import Evaluation, evaluate

MODELS = Path(__file__).parents[1] / "src" / "facette" / "models"
LARGEST = 45_000_000  # bytes of all weights in the package together


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data", help="held-out pictures")
    parser.add_argument("--data-label", required=True, help="what the model was trained on, for its card")
    parser.add_argument("--measured-on", required=True, help="what DATA is, for the card")
    parser.add_argument("--terms", required=True, help="terms of use of the weights")
    given = parser.parse_args()

    model = facette.load(given.run)
    model.provenance |= {"data": given.data_label, "terms": given.terms, "measured_on": given.measured_on}
    folder = facette.save(model, MODELS / model.name, half=True)
    stored = facette.load(folder)
    found = evaluate(stored, facette.open_dataset(given.data, stored.input), split="all")
    stored.metrics |= figures(found)
    facette.save(stored, folder, half=True)
    keep_graphs(stored, shipped_graphs())
    size = (folder / "model.safetensors").stat().st_size
    together = sum(path.stat().st_size for path in MODELS.parent.rglob("*.safetensors"))
    if together > LARGEST:
        raise SystemExit(f"the package now holds {together:,} bytes of weights, more than {LARGEST:,}")
    print(folder, f"{size:,} bytes")
    for name, value in figures(found).items():
        print(f"{name:>24} {value}")


def figures(found: Evaluation) -> dict[str, float]:
    """The figures a card shows, by name."""
    again, bound, latents = found.reconstruction, found.bound, found.latents
    values: dict[str, float] = {
        "pictures_measured": found.count,
        "unexplained_variance": again.unexplained_variance.value,
        "psnr_db": again.psnr.value,
        "ssim": again.ssim.value,
        "sharpness_of_reconstructions": again.sharpness.value,
        "elbo_nats": bound.elbo.value,
        "rate_nats": bound.rate.value,
        "distortion_nats": bound.distortion.value,
        "active_units": latents.active,
        "mean_posterior_sigma": latents.posterior_scale,
    }
    if bound.bits_per_dimension is not None:  # a core at fewer pixels has no density of the pictures' own
        values["bits_per_dimension"] = bound.bits_per_dimension.value
    values |= {f"sharpness_of_samples_{s.prior}_prior": s.sharpness for s in found.samples}
    if sharp := found.sharpened:
        values |= {
            "sharp_unexplained_variance": sharp.unexplained_variance.value,
            "sharp_ssim": sharp.ssim.value,
            "sharp_sharpness_of_reconstructions": sharp.sharpness.value,
            "embedding_cosine": again.cosine.value,
            "sharp_embedding_cosine": sharp.cosine.value,
            "attributes_kept": again.attributes_kept.value,
            "sharp_attributes_kept": sharp.attributes_kept.value,
        }
    for made in found.distributions.made if found.distributions else ():
        name = made.of.replace(" ", "_").replace(",", "")
        values |= {f"frechet_{name}": made.frechet.value, f"coverage_{name}": made.coverage.value}
        values |= {f"density_{name}": made.density.value}
    return {name: round(float(value), 5) for name, value in values.items()}


if __name__ == "__main__":
    main()
