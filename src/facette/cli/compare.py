"""`facette compare`: one photo in; our relatives of it beside a diffusion model's out, with numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facette.cli.model import Model, Plain
from facette.cli.output import Device, Json, Seed, emit, progress, remark
from facette.cli.photo import Align, Eyes, Face, Photo
from facette.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from facette.comparison.checkpoint import DiffusionCheckpoint
    from facette.comparison.diffusion import Diffusion
    from facette.latent.photo import PhotoInput

DEFAULT_PROMPT = "a high-resolution photograph of a face, natural light, sharp focus"


def compare(
    photo: Photo,
    rival: Annotated[
        str,
        typer.Option(
            "--with", help="A diffusion checkpoint: a folder, a .safetensors file, or a hub name like a/b."
        ),
    ],
    prompt: Annotated[
        str, typer.Option("--prompt", help="What the diffusion model is told.")
    ] = DEFAULT_PROMPT,
    strength: Annotated[
        float,
        typer.Option("--strength", min=0, max=1, help="How far the diffusion model goes: 0 reconstructs."),
    ] = 0.5,
    count: Annotated[int, typer.Option("--count", "-n", min=2, help="How many pictures of each.")] = 10,
    diversity: Annotated[
        float | None,
        typer.Option("--diversity", "-d", min=0, help="How far our model goes.  [default: 7, or as matched]"),
    ] = None,
    match: Annotated[
        Literal["similarity"] | None,
        typer.Option(
            "--match", help="Turn every knob until all are equally like the photo; draw the curves."
        ),
    ] = None,
    similarity: Annotated[
        float | None,
        typer.Option(
            "--similarity", min=-1, max=1, help="The similarity to match.  [default: that at --strength]"
        ),
    ] = None,
    levels: Annotated[
        int, typer.Option("--levels", min=2, help="How many strengths the diffusion model's curve has.")
    ] = 6,
    guidance: Annotated[float, typer.Option("--guidance", help="How closely the prompt is followed.")] = 7.5,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of diffusion at strength 1.")] = 50,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Such as DDIM.  [default: the checkpoint's own]")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", min=8, help="The diffusion model's side in pixels.  [default: its own]"),
    ] = None,
    vae_only: Annotated[
        bool,
        typer.Option("--vae-only", help="Compare reconstructions with the checkpoint's autoencoder only."),
    ] = False,
    safety_checker: Annotated[
        bool, typer.Option("--safety-checker/--no-safety-checker", help="Let the checkpoint's own one look.")
    ] = True,
    config: Annotated[
        str | None,
        typer.Option("--config", help="For a single file: a folder or hub name with its configuration."),
    ] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Fetch what is missing of a hub name. Else nothing is.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The page; a sheet stands beside it.  [default: PHOTO-compared.html]"
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    plain: Plain = False,
    align: Align = True,
    face: Face = 1,
    eyes: Eyes = None,
    seed: Seed = 0,
    device: Device = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Load everything, say how long it will take, and stop.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put relatives of one photo beside those of a diffusion model, such as Stable Diffusion."""
    from facette.cli.model import open_model
    from facette.cli.photo import account_of, take_in
    from facette.cli.places import place_for
    from facette.comparison.checkpoint import find_checkpoint
    from facette.comparison.compare import embedding_for
    from facette.plots.page import check_page_path
    from facette.reports import comparison_page

    wished = None if out is None else check_page_path(out)
    target, sheet_path = place_for(wished, f"{photo.stem}-compared.html", ".png")
    checkpoint = find_checkpoint(
        rival,
        autoencoder_only=vae_only,
        safety_checker=safety_checker,
        config=config,
        allow_download=allow_download,
    )
    opened = open_model(model, device, plain)
    embedding = embedding_for(opened)
    photo_input = take_in(opened, photo, align, face, eyes)
    options = {
        "--with": rival,
        "--config": config,
        "--model": model,
        "--plain": plain,
        "--no-align": not align,
        "--face": face,
        "--eyes": eyes,
        "--size": size,
        "--device": device,
    }
    if vae_only:
        comparison: Any = _autoencoders(opened, photo_input, checkpoint, embedding, size, device)
        page, lines = comparison_page.reconstruction_page, comparison_page.reconstruction_lines
        options |= {"--vae-only": True}
    else:
        settings = {
            "--prompt": prompt,
            "--guidance": guidance,
            "--steps": steps,
            "--scheduler": scheduler,
        }
        diffusion = _load(checkpoint, settings, size, device, safety_checker)
        wished = {
            "strength": strength,
            "diversity": diversity,
            "count": count,
            "seed": seed,
            "similarity": similarity,
            "levels": levels,
        }
        comparison = _side_by_side(
            opened, photo_input, diffusion, embedding, wished, match is not None, dry_run
        )
        if comparison is None:
            return
        page, lines = comparison_page.comparison_page, comparison_page.comparison_lines
        options |= {
            **settings,
            "--strength": strength,
            "--diversity": diversity,
            "--count": count,
            "--seed": seed,
            "--match": match,
            "--similarity": similarity,
            "--levels": levels if match else None,
            "--no-safety-checker": not safety_checker,
        }
    comparison = replace(comparison, remark=photo_input.report.summary())
    command = comparison_page.command_line(options, str(photo))
    page(comparison, command).save(target)
    comparison.save(sheet_path)
    data = {
        "page": str(target),
        "sheet": str(sheet_path),
        "command": command,
        "photo": account_of(photo_input),
        **comparison.to_dict(),
    }
    emit(data, f"{lines(comparison)}\n\n{target}\n{sheet_path}", as_json)


def _autoencoders(
    model, photo_input, checkpoint: DiffusionCheckpoint, embedding, size: int | None, device: str
):
    """The photo through both autoencoders."""
    from facette.comparison.autoencoders import compare_autoencoders
    from facette.comparison.loading import load_autoencoder
    from facette.runtime import choose_device

    rival = load_autoencoder(checkpoint, choose_device(device), size)
    return compare_autoencoders(
        model, photo_input.picture, rival, _at_size(photo_input, rival.size), embedding
    )


def _load(
    checkpoint: DiffusionCheckpoint,
    settings: dict[str, Any],
    size: int | None,
    device: str,
    safety_checker: bool,
) -> Diffusion:
    from facette.comparison.diffusion import DiffusionSettings
    from facette.comparison.loading import load_diffusion
    from facette.runtime import choose_device

    remark(f"loading {checkpoint.class_name} from {checkpoint.file or checkpoint.folder}")
    wished = DiffusionSettings(
        prompt=settings["--prompt"],
        guidance=settings["--guidance"],
        steps=settings["--steps"],
        scheduler=settings["--scheduler"],
        size=size,
    )
    return load_diffusion(checkpoint, wished, choose_device(device), safety_checker)


def _side_by_side(
    model, photo_input, diffusion: Diffusion, embedding, wished: dict[str, Any], match: bool, dry_run: bool
):
    """The comparison; None after a dry run. How long it will take is said first."""
    from facette.comparison.compare import compare, measure_pace, plan_comparison
    from facette.reports.comparison_page import spoken_duration

    plan = plan_comparison(diffusion, wished["strength"], wished["count"], match, wished["levels"])
    large = _at_size(photo_input, diffusion.size)
    pace = measure_pace(diffusion, large)
    remark(
        f"{diffusion.name} on {diffusion.device}: {pace.step:.2g} s a step, so {'at most ' if match else ''}"
        f"{spoken_duration(pace.seconds(plan.pictures, plan.steps))} for {plan.pictures} pictures of "
        f"{diffusion.size} × {diffusion.size} in {plan.steps:,} steps"
    )
    if dry_run:
        return None
    with progress(plan.steps, diffusion.name, "steps") as bar:
        return compare(
            model,
            photo_input.picture,
            diffusion,
            large,
            embedding,
            match=match,
            progress=bar.advance,
            **wished,
        )


def _at_size(photo_input: PhotoInput, side: int):
    """The frame that the model sees, looked at through the photo again at another size: uint8 (side, side, 3)."""
    from facette.images.warp import look_again

    return look_again(photo_input.image, photo_input.to_photo, photo_input.picture.shape[:2], (side, side))
