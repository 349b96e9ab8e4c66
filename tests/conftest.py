"""What several test files need: real faces where they are at hand, and one small model trained for real."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from groups import FIRST, group_of, waits

gc.disable()  # until all tests are collected: what is imported stays, and is looked through for nothing

REPOSITORY = Path(__file__).parents[1]
# Processes that test side by side share the cores: threads that wait for each other in circles stall them all.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # asleep, however many somebody asks for
if "PYTEST_XDIST_WORKER" in os.environ:
    SHARE = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, SHARE)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {group: place for place, group in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(group_of(item.nodeid), len(FIRST)))


def pytest_collection_finish() -> None:
    """What every test shares is collected by now: no search for garbage looks through it again."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores (`-n auto`): tests in a browser wait for it half of their time. No more
    than four: each takes more than a GiB of memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + 1, 4)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Where several processes test (`-n`), groups go to them in the order of the items. Marks of xdist say the same,
    but xdist 3.8 does not see them with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

        def _assign_work_unit(self, node) -> None:
            """The next group, or the next that wants the processor where as many as shall wait for a browser."""
            waiting = sum(
                any(waits(group) and not all(tests.values()) for group, tests in work.items())
                for other, work in self.assigned_work.items()
                if other is not node
            )
            if waiting >= len(self.nodes) - 1:
                busy = next((group for group in self.workqueue if not waits(group)), None)
                if busy is not None:
                    self.workqueue.move_to_end(busy, last=False)
            super()._assign_work_unit(node)

    config.option.loadscopereorder = False
    return Groups(config, log)


def _of_all(tmp_path_factory: pytest.TempPathFactory, config: pytest.Config) -> Path:
    """The temporary folder of the session, whichever of its processes asks."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(config, "workerinput") else base


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config):
    """A folder that all processes of this session share: `make_once("quick", make)`, where the first one calls
    `make(folder)` and the others wait for it."""
    from filelock import FileLock

    base = _of_all(tmp_path_factory, pytestconfig)

    def call(name: str, make: Callable[[Path], object]) -> Path:
        folder, ready = base / f"once-{name}", base / f"once-{name}.ready"
        with FileLock(base / f"once-{name}.lock"):
            if not ready.exists():
                folder.mkdir()
                make(folder)
                ready.touch()
        return folder

    return call


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk():
    """Files of the tests outlive no loss of power, so that nothing waits until the disk holds them: a few milliseconds,
    some ten thousand times. That it is asked to hold them, and what happens where it cannot, has tests that listen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)  # which refuses a wrong descriptor as well
        yield


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    def __iter__(self):
        """Code, output and remarks, for those who take them apart."""
        return iter((self.code, self.out, self.err))


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run `facette …` in an empty folder: `run("vary", photo)` → Outcome."""
    from facette.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments) -> Outcome:
        capsys.readouterr()
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real faces (celeba/) and foreign checkpoints (checkpoints/); skips where it is absent."""
    folder = Path(os.environ.get("FACETTE_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "celeba").is_dir():
        pytest.skip(f"real faces are not at hand: {folder / 'celeba'} is no folder (set FACETTE_SHARED)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config):
    """Packed pictures of the tests never mix with the user's; what one process has packed, the others read."""
    before = os.environ.get("FACETTE_CACHE")
    os.environ["FACETTE_CACHE"] = str(_of_all(tmp_path_factory, pytestconfig) / "cache")
    yield
    if before is None:
        os.environ.pop("FACETTE_CACHE", None)
    else:
        os.environ["FACETTE_CACHE"] = before


BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser():
    """A Chromium on the path; nothing is downloaded. The one without windows comes first: a page costs a fifth less.
    One for all rooms: no second of Playwright's loops can begin in a process."""
    api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("the browser tests need a Chromium on the path, and there is none")
    quiet = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
    still = ("--disable-background-networking", "--disable-component-update")
    alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # whatever else a page asks for leads nowhere
    soon = "--js-flags=--no-opt"  # no page lives long enough for what the compiler would gain
    film = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with api.sync_playwright() as started:
        one = started.chromium.launch(
            executable_path=program,
            args=[*quiet, *still, *film, alone, soon],
        )
        yield one
        one.close()


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory, _own_cache: None):
    """Commands as processes of their own that begin at once, because they are forked from one."""
    import torch
    from forked_commands import Commands

    begun = Commands(tmp_path_factory.mktemp("commands"), torch.get_num_threads())
    yield begun
    begun.close()


@pytest.fixture(scope="session")
def quick_run(make_once, _own_cache: None) -> Path:
    """The folder of a finished run of the quick recipe on generated faces, a few seconds long."""
    from facette.data import open_dataset
    from facette.recipe import load_recipe
    from facette.training import train

    def make(folder: Path) -> None:
        recipe = load_recipe("quick", ["train.steps=60", "train.mixture_components=[1]"])
        store = open_dataset("synthetic-faces:256", recipe.input)
        train(recipe, store, folder, device="cpu", source="synthetic-faces:256")

    return make_once("quick", make)


@pytest.fixture(scope="session")
def quick_model(quick_run: Path):
    """The TrainedModel of that run: a real model, only small and young."""
    from facette.checkpoint.native import load_model

    return load_model(quick_run)


@pytest.fixture(scope="session")
def drawn_faces(make_once):
    """Faces that the bundled model drew, (260, 128, 128, 3): pictures it redraws well, and no data of anybody."""
    import numpy as np

    def make(folder: Path) -> None:
        import facette

        model = facette.load("faces128").to("cpu")
        np.save(folder / "faces.npy", model.decode(model.sample_latents(260, seed=5)))

    return np.load(make_once("faces", make) / "faces.npy")


JUDGED_FACES = 12  # who somebody is takes 0.07 s of computing a face


def measure_less(patch: pytest.MonkeyPatch) -> None:
    """Calibrate in the same way with fewer strengths, fewer pictures and fewer strangers."""
    patch.setattr("facette.dial.curves.STRENGTHS", 3)
    patch.setattr("facette.dial.curves.STEP", 2.25)
    patch.setattr("facette.latent.people.SAMPLED", 4)
    patch.setattr("facette.dial.calibrate.FEWEST_PHOTOS", JUDGED_FACES)
    patch.setattr("facette.measures.identity.FEWEST_PAIRS", JUDGED_FACES * (JUDGED_FACES - 1) // 2)


@pytest.fixture
def measured_less(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_less(monkeypatch)


@pytest.fixture(scope="session")
def calibrated(make_once, drawn_faces) -> Path:
    """A copy of the bundled model, calibrated on those faces: its file."""
    import facette
    from facette.dial.calibrate import calibrate, open_pictures

    def make(folder: Path) -> None:
        model = facette.load("faces128").to("cpu")
        saved = facette.save(model, folder / "faces128")
        with pytest.MonkeyPatch.context() as patch:
            measure_less(patch)
            calibrate(model, open_pictures(model, drawn_faces, 2), photos=2, count=1).save(saved)

    return make_once("calibrated", make) / "faces128"


@pytest.fixture(scope="session")
def tiny_diffusion(make_once) -> Path:
    """A tiny Stable Diffusion pipeline, as a checkpoint folder; tests that break it copy it first."""
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")

    def make(folder: Path) -> None:
        from facette.comparison.loading import quiet

        with quiet():
            from tiny_pipeline import save_tiny_pipeline

            save_tiny_pipeline(folder / "tiny-diffusion")

    return make_once("diffusion", make) / "tiny-diffusion"
