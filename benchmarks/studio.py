"""The studio under load: many visitors at once on loopback, each checking that what it gets is its own.

    python benchmarks/studio.py [--clients 32] [--seconds 60] [--out benchmarks/results]

A studio with the bundled model runs as a process of its own. Every client uploads a photo, then turns its dial: three
quick previews, then the sharp ten with their likeness, over and over, each with a seed of its own. The pictures of
every photo, seed and position of the dial are made beforehand without it; every answer must show exactly those.
First it is opened, in turns with a process that imports torch and matplotlib, and timed until its page stands.
Counted are errors, answers that were somebody else's, seconds for each kind, answers a second, and the studio's memory
before, at its highest, and after. Then two clients alone, in turns with somebody beside them who gives one photo
without a face after the other: whatever else the machine does meets both. Writes studio.json and studio.md.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

PHOTOS, SEEDS = 4, 2  # which clients have in turn: 8 sets of pictures are told apart
POSITIONS = (15.0, 25.0, 35.0, 45.0)  # of the dial: the last one at rest
COUNT = 10
WAIT = 120  # seconds until an answer counts as lost
SETTLING = 8  # seconds after the last client before memory is read again
STARTS, PEER = 3, "`import torch, matplotlib`"
TURNS, TURN = 4, 8.0  # quiet and beside refused photos, and how many seconds each lasts
REFUSED_SIDE = 3000  # pixels of a photo without a face
_SOURCE = re.compile(r'src="data:image/png;base64,([^"]+)"')


@dataclass(slots=True)
class Tally:
    """What all clients saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"preview": [], "sharp": []})
    errors: list[str] = field(default_factory=list)
    mixed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, seconds: float, right: bool) -> None:
        with self.lock:
            self.seconds[kind].append(seconds)
            self.mixed += not right

    def fail(self, error: Exception) -> None:
        with self.lock:
            self.errors.append(f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Door:
    """Where a studio listens, and what it asks for."""

    port: int
    token: str


@dataclass(frozen=True, slots=True)
class Case:
    """A photo and a seed, with every picture that they should give."""

    photo: bytes  # PNG
    seed: int
    expected: dict[tuple[str, float], list[bytes]]  # kind and position of the dial → pixels of the ten


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    asked = parser.parse_args()
    found = measure(asked.clients, asked.seconds)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "studio.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    (asked.out / "studio.md").write_text(in_words(found), "utf-8")
    print(in_words(found))


def measure(clients: int, seconds: float) -> dict[str, Any]:
    """Let so many clients loose on a studio for so long; returns the figures."""
    cases, start = make_cases(), starts()
    with studio() as (process, door):
        # What the first wave allocates, threads and their heaps, all later ones use again.
        wave(process.pid, door, cases, clients, seconds / 4, Tally())
        time.sleep(SETTLING)
        before, load, tally = resident(process.pid), os.getloadavg()[0], Tally()
        began = time.monotonic()
        highest = wave(process.pid, door, cases, clients, seconds, tally)
        took = time.monotonic() - began
        time.sleep(SETTLING)
        after = resident(process.pid)
        quiet, beside, refused = beside_refusals(process.pid, door, cases)
    return {
        "clients": clients,
        "seconds": round(took, 1),
        "cores": len(os.sched_getaffinity(0)),
        "start": start,
        "load_average_before": round(load, 1),
        "errors": len(tally.errors),
        "first_errors": tally.errors[:3],
        "mixed": tally.mixed,
        "answers_per_second": round(sum(map(len, tally.seconds.values())) / took, 2),
        **{kind: percentiles(times) for kind, times in tally.seconds.items()},
        "memory_mib": {"before": before, "highest": highest, "after": after},
        "refused_photos": refused,
        "refused_errors": len(quiet.errors + beside.errors),
        "quiet": percentiles([*quiet.seconds["preview"], *quiet.seconds["sharp"]]),
        "beside_refused": percentiles([*beside.seconds["preview"], *beside.seconds["sharp"]]),
    }


def starts() -> dict[str, float]:
    """Seconds until the page stands, and of a process that imports what the studio does without, in turns: medians."""
    ours, peers = [], []
    for _ in range(STARTS):
        before, began = os.times(), time.monotonic()
        subprocess.run([sys.executable, "-c", "import torch, matplotlib"], check=True)
        peers.append((time.monotonic() - began, _computed(before)))
        before, began = os.times(), time.monotonic()
        with studio() as (_, door):
            ask(door, "GET", "/")
            took = time.monotonic() - began
        ours.append((took, _computed(before)))
    (seconds, cpu), (peer, peer_cpu) = (np.median(times, axis=0).round(2).tolist() for times in (ours, peers))
    return {"seconds": seconds, "cpu_seconds": cpu, "peer_seconds": peer, "peer_cpu_seconds": peer_cpu}


def _computed(before: os.times_result) -> float:
    """Seconds that processes of ours, ended since, have computed."""
    now = os.times()
    return now.children_user + now.children_system - before.children_user - before.children_system


def beside_refusals(pid: int, door: Door, cases: list[Case]) -> tuple[Tally, Tally, int]:
    """Two clients by themselves, and beside a visitor whose photos are refused, in turns; how many were refused."""
    quiet, beside, refused = Tally(), Tally(), 0
    photo = meadow()
    for _ in range(TURNS):
        wave(pid, door, cases, 2, TURN, quiet)
        left = threading.Event()
        refuser = Refuser(door, photo, left)
        refuser.start()
        wave(pid, door, cases, 2, TURN, beside)
        left.set()
        refuser.join()
        refused += refuser.refused
    return quiet, beside, refused


class Refuser(threading.Thread):
    """A visitor who gives photos without a face, one after the other, until told to leave."""

    def __init__(self, door: Door, photo: bytes, left: threading.Event):
        super().__init__()
        self._door, self._photo, self._left, self.refused = door, photo, left, 0

    def run(self) -> None:
        """Give them."""
        while not self._left.is_set():
            answer = json.loads(ask(self._door, "POST", "/photo", self._photo))
            assert "refused" in answer, answer
            self.refused += 1


def meadow() -> bytes:
    """A large photo of grass and nobody, as JPEG."""
    from PIL import Image

    blades = np.random.default_rng(0).integers(
        60, 200, (REFUSED_SIDE // 8, REFUSED_SIDE // 8), dtype=np.uint8
    )
    green = Image.merge("RGB", [Image.fromarray(blades // part) for part in (3, 1, 4)])
    buffer = io.BytesIO()
    green.resize((REFUSED_SIDE, REFUSED_SIDE), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def wave(pid: int, door: Door, cases: list[Case], clients: int, seconds: float, tally: Tally) -> int:
    """So many clients for so long; returns the most memory that was seen, in MiB."""
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=visit, args=(door, cases[i % len(cases)], f"tab{i:04d}", until, tally))
        for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    highest = resident(pid)
    while any(thread.is_alive() for thread in threads):
        highest = max(highest, resident(pid))
        time.sleep(0.5)
    return highest


def make_cases() -> list[Case]:
    """Photos that the model drew, and what a studio should make of them."""
    from PIL import Image

    import facette
    from facette.cli.model import open_model
    from facette.latent.levels import choose_setting
    from facette.latent.vary import origin_of, variation_seeds
    from facette.studio.state import PreparedPhoto
    from facette.studio.varying import reaches_of

    whole = facette.load("faces128")
    faces = whole.decode(whole.sample_latents(PHOTOS, seed=11))
    model: Any = open_model("faces128", "cpu", light=True)  # as `facette vary` and the studio draw
    noise = choose_setting(model, "auto").noise  # where the page begins
    reach = reaches_of(model)[noise]
    cases = []
    for face in faces:
        buffer = io.BytesIO()
        Image.fromarray(face).save(buffer, "PNG")
        origin = origin_of(model, face)
        start = PreparedPhoto(None, origin)  # type: ignore[arg-type]  # nothing is said of the photo here
        for seed in range(SEEDS):
            seeds = variation_seeds(seed, COUNT)
            expected = {}
            for position in POSITIONS:
                latents = origin.latents(seeds, reach.strength(position), noise)
                rests = position == POSITIONS[-1]
                pictures = origin.draw(latents) if rests else start.glance(latents)
                expected["sharp" if rests else "preview", position] = [
                    picture.tobytes() for picture in pictures
                ]
            cases.append(Case(buffer.getvalue(), seed, expected))
    return cases


@contextmanager
def studio() -> Iterator[tuple[subprocess.Popen[str], Door]]:
    """A studio as a process of its own, and how to come in."""
    command = [sys.executable, "-m", "facette", "studio", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = urlsplit(process.stdout.readline().strip())
            assert address.port is not None
            yield process, Door(address.port, parse_qs(address.query)["token"][0])
        finally:
            process.terminate()
            process.wait(20)


def visit(door: Door, case: Case, tab: str, until: float, tally: Tally) -> None:
    """One visitor, until the time is up."""
    try:
        client = Client(door, case, tab)
    except Exception as error:
        tally.fail(error)
        return
    while time.monotonic() < until:
        try:
            client.turn_dial(tally)
        except Exception as error:
            tally.fail(error)


class Client:
    """A browser's page as far as the studio can tell."""

    def __init__(self, door: Door, case: Case, tab: str):
        self._door, self._case, self._tab = door, case, tab
        config = json.loads(self._ask("GET", "/config"))
        self._names = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        self._values = {c["id"]: c["props"].get("value") for c in config["components"]}
        self._events = config["dependencies"]
        self._token = json.loads(self._ask("POST", "/photo", case.photo))["photo"]

    def turn_dial(self, tally: Tally) -> None:
        """A few previews, then the sharp ten."""
        for factor in POSITIONS:
            kind, target = (
                ("sharp", "vary-dial-rest") if factor == POSITIONS[-1] else ("preview", "vary-dial")
            )
            began = time.monotonic()
            shown = self._event(target, factor)[0]
            right = pixels(shown) == self._case.expected[kind, factor]
            tally.add(kind, time.monotonic() - began, right)

    def _event(self, target: str, factor: float) -> list[Any]:
        """What the first event of a control answers."""
        self.join(target, factor, self._tab)
        for line in self._ask("GET", f"/gradio_api/queue/data?session_hash={self._tab}").splitlines():
            if line.startswith(b"data:"):
                told = json.loads(line[5:])
                if told["msg"] == "process_completed":
                    if not told["success"]:
                        raise RuntimeError(told["output"])
                    return told["output"]["data"]
        raise RuntimeError("the studio did not answer")

    def join(self, target: str, factor: float, tab: str) -> None:
        """Ask for what the first event of a control answers, as the page `tab`, and do not wait for it."""
        which = self._names[target]
        event = next(
            one
            for one in self._events
            if [which, "input" if target == "vary-dial" else "change"] in one["targets"]
        )
        values = {
            self._names["vary-photo"]: self._token,
            self._names["vary-dial"]: factor,
            self._names["vary-seed"]: self._case.seed,
        }
        data = [values.get(component, self._values.get(component)) for component in event["inputs"]]
        asked = {"data": data, "fn_index": event["id"], "session_hash": tab, "event_data": None}
        self._ask("POST", "/gradio_api/queue/join", json.dumps(asked).encode(), "application/json")

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "image/png") -> bytes:
        return ask(self._door, method, path, body, kind)


def ask(door: Door, method: str, path: str, body: bytes | None = None, kind: str = "image/png") -> bytes:
    """What a studio answers. Raises RuntimeError where it refuses."""
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=WAIT)
    try:
        headers = {"Cookie": f"facette-token={door.token}"}
        connection.request(method, path, body, headers | ({"Content-Type": kind} if body else {}))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path.partition('?')[0]}: {answer.status} {content[:120]!r}")
        return content
    finally:
        connection.close()


def pixels(html: str) -> list[bytes]:
    """The pictures in a piece of HTML."""
    from PIL import Image

    sources = (base64.b64decode(found) for found in _SOURCE.findall(html))
    return [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")).tobytes() for one in sources]


def percentiles(times: list[float]) -> dict[str, float]:
    """How many, and milliseconds."""
    if not times:
        return {"answers": 0}
    p50, p95, most = (round(1000 * float(np.quantile(times, share))) for share in (0.5, 0.95, 1))
    return {"answers": len(times), "p50_ms": p50, "p95_ms": p95, "most_ms": most}


def resident(pid: int) -> int:
    """Resident memory of a process in MiB."""
    text = Path(f"/proc/{pid}/status").read_text("utf-8")
    return round(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024)  # type: ignore[index]


def in_words(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    memory, start = found["memory_mib"], found["start"]
    rows = []
    for kind, words in (
        ("preview", "ten previews while the dial moves"),
        ("sharp", "ten sharp ones, measured"),
    ):
        figures = [found[kind].get(name, "–") for name in ("answers", "p50_ms", "p95_ms", "most_ms")]
        rows.append(f"| {words} | {' | '.join(map(str, figures))} |")
    return "\n".join(
        (
            "# The studio under load",
            "",
            f"{found['clients']} clients at once for {found['seconds']:.0f} s on {found['cores']} cores "
            f"(load average {found['load_average_before']} before), by `python benchmarks/studio.py`.",
            "",
            f"**{found['errors']} errors, {found['mixed']} answers that were somebody else's**, "
            f"{found['answers_per_second']:g} answers a second.",
            "",
            "| | answers | median, ms | 95 %, ms | longest, ms |",
            "| --- | ---: | ---: | ---: | ---: |",
            *rows,
            "",
            f"Resident memory of the studio, after a first wave of as many: {memory['before']} MiB before, "
            f"{memory['highest']} at the highest, "
            f"{memory['after']} after.",
            "",
            f"Two clients, in turns alone and beside a visitor of whose photos ({REFUSED_SIDE} × {REFUSED_SIDE} "
            f"pixels) {found['refused_photos']} were refused: 95 % of answers within "
            f"{found['quiet'].get('p95_ms', '–')} ms and {found['beside_refused'].get('p95_ms', '–')} ms, "
            f"{found['refused_errors']} errors.",
            "",
            f"From the command to the page: {start['seconds']:.1f} s, {start['cpu_seconds']:.1f} of them of "
            f"computing; {PEER}, in turns with it, {start['peer_seconds']:.1f} s and "
            f"{start['peer_cpu_seconds']:.1f} (medians of {STARTS}).",
            "",
        )
    )


if __name__ == "__main__":
    main()
