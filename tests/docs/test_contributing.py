"""The worked diffs of docs/contributing apply to the tree as it is, and what they add works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pages import REPOSITORY, blocks

FOLDER = REPOSITORY / "docs" / "contributing"
SHORT = [
    "train.steps=2",
    "train.batch=4",
    "train.validate_count=4",
    "train.preview_count=2",
    "train.mixture_components=[]",
]

# Said in Python after the diff: laws of what was added, where the diff brings no test of its own.
LAWS = {
    "likelihood": """
        import torch
        from facette.model.likelihood import StudentLikelihood
        x, mean = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
        one = StudentLikelihood()
        truth = torch.distributions.StudentT(3.0, mean, one.log_s.exp()).log_prob(x).flatten(1).sum(1)
        torch.testing.assert_close(one.log_prob(x, mean), truth)
    """,
    "prior": """
        import numpy as np
        import torch
        from facette.model.logistic import LogisticPrior
        one = LogisticPrior(1)
        z = torch.linspace(-30, 30, 6001)[:, None]
        assert abs(torch.trapezoid(one.log_prob(z).exp(), z[:, 0]) - 1) < 1e-3
        drawn = one.sample(100_000, np.random.default_rng(0))
        assert abs(drawn.mean()) < 0.02 and abs(drawn.var() - 1) < 0.05
    """,
    "recipe": """
        from facette.recipe import load_recipe, shipped_recipes
        assert "faces96" in shipped_recipes()
        assert load_recipe("faces96").input.size == 96
    """,
}
TRAINED = {
    "likelihood": ("quick", ["model.likelihood.kind=student"]),
    "prior": ("quick", ["model.prior.kind=logistic"]),
    "measure": ("quick", []),
    "recipe": ("faces96", []),
}


NAMES = sorted(page.stem for page in FOLDER.glob("*.md"))


def test_every_page_has_its_laws():
    assert set(NAMES) == LAWS.keys() | {name for name in NAMES if added_tests(name)}
    assert set(NAMES) == TRAINED.keys() | {"command"}


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A function: the tree with the diff of one page, apart from the others."""

    @cache
    def change(name: str) -> Path:
        tree = tmp_path_factory.mktemp(name)
        for folder in ("src", "tests", "scripts"):
            shutil.copytree(REPOSITORY / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(REPOSITORY / "pyproject.toml", tree)
        done = subprocess.run(
            ["git", "apply", "-"],
            cwd=tree,
            input=f"{diff_of(name)}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"docs/contributing/{name}.md no longer applies: {done.stderr}"
        return tree

    return change


@pytest.mark.parametrize("name", NAMES)
def test_the_diff_applies(name, changed):
    tree = changed(name)
    paths = paths_in(name)
    assert paths
    for path in paths:
        before = REPOSITORY / path
        assert not before.exists() or before.read_bytes() != (tree / path).read_bytes(), path


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "likelihood" else [pytest.mark.slow]) for name in NAMES]
)
def test_what_it_adds_keeps_its_laws(name, changed):
    if tests := added_tests(name):
        python(changed(name), "-m", "pytest", "-p", "no:cacheprovider", *tests)
    else:
        law = "\n".join(line.removeprefix(" " * 8) for line in LAWS[name].splitlines())
        python(changed(name), "-c", law)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_a_model_is_trained_and_measured_with_it(name, changed):
    tree = changed(name)
    recipe, changes = TRAINED[name]
    sets = [word for change in (*changes, *SHORT) for word in ("--set", change)]
    facette = ("-m", "facette")
    python(tree, *facette, "train", recipe, "synthetic-faces:24", "--out", "run", "--device", "cpu", *sets)
    told = python(tree, *facette, "evaluate", "run", "synthetic-faces:24", "--count", "8", "--json")
    figures = json.loads(told)
    assert figures
    if name == "measure":
        assert "worst_patch" in told


def diff_of(name: str) -> str:
    (diff,) = (block.text for block in blocks(FOLDER / f"{name}.md") if block.language == "diff")
    return diff


def paths_in(name: str) -> list[str]:
    """The files that the diff of a page changes or adds."""
    return re.findall(r"^\+\+\+ b/(\S+)", diff_of(name), flags=re.M)


def added_tests(name: str) -> list[str]:
    return [path for path in paths_in(name) if path.startswith("tests/")]


def python(tree: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return done.stdout
