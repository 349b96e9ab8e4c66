"""`facette align`: a training folder out of photos; and hostile files through the command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """A folder with two photos of people, one of nobody, one broken, and one in a subfolder."""
    skimage = pytest.importorskip("skimage")
    import matplotlib

    data, folder = Path(skimage.__path__[0]) / "data", tmp_path_factory.mktemp("people")
    astronaut = Image.open(data / "astronaut.png").convert("RGB").crop((60, 0, 380, 300))
    hopper = Image.open(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg").reduce(2)
    (folder / "sub").mkdir()
    astronaut.save(folder / "a.png")
    hopper.save(folder / "sub" / "hopper.jpg")
    both = Image.new("RGB", (580, 300), (70, 90, 110))
    both.paste(astronaut, (260, 0))
    both.paste(hopper.resize((180, 211)), (20, 40))
    both.save(folder / "both.jpg", quality=95)
    Image.new("RGB", (90, 90), (200, 180, 20)).save(folder / "nobody.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


def test_a_folder_becomes_a_training_folder_with_an_account(run, people, tmp_path):
    ended = run("align", people, "--out", "faces", "--size", 64, "--json")
    assert ended.code == 0
    written = sorted(
        str(path.relative_to(tmp_path / "faces")) for path in (tmp_path / "faces").rglob("*.png")
    )
    assert written == ["a.png", "both.png", "sub/hopper.png"]
    report = json.loads((tmp_path / "faces" / "report.json").read_text("utf-8"))
    assert report == ended.json
    assert report["aligned"] == 3
    reasons = {Path(entry["photo"]).name: entry["reason"] for entry in report["left_out"]}
    assert set(reasons) == {"nobody.png", "broken.jpg"}
    assert "no face" in reasons["nobody.png"]
    assert all(name in ended.err for name in reasons)
    for name in written:
        with Image.open(tmp_path / "faces" / name) as face:
            assert face.size == (64, 64)
    # What comes out is a data set.
    import facette
    from facette.recipe import load_recipe

    assert len(facette.open_dataset(str(tmp_path / "faces"), load_recipe("faces64").input)) == 3


def test_every_face_of_a_photo(run, people, tmp_path):
    assert run("align", people / "both.jpg", "--out", "faces", "--all-faces").code == 0
    pictures = [np.asarray(Image.open(tmp_path / "faces" / name)) for name in ("both.png", "both-face2.png")]
    assert not (pictures[0] == pictures[1]).all()
    assert run("align", people / "both.jpg", "--out", "second", "--face", 2).code == 0
    assert (np.asarray(Image.open(tmp_path / "second" / "both.png")) == pictures[1]).all()


def test_its_own_output_is_not_taken_in_again(run, people, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes((people / "a.png").read_bytes())
    for _ in range(2):
        assert run("align", photos, "--out", photos / "faces", "--json").json["aligned"] == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("nobody.png",), "no face was found"),
        (("broken.jpg",), "broken.jpg"),
        (("absent.jpg",), "does not exist"),
        (("a.png", "--face", "2"), "face 2 was asked for, but 1"),
        (("a.png", "--eyes", "1,2,3"), "four numbers"),
        ((".", "--eyes", "1,2,3,4"), "names a CSV with the eyes"),
        (("a.png", "--all-faces", "--face", "2"), "--all-faces takes every face"),
        (("a.png", "--recipe", "quick"), "no frame"),
    ],
)
def test_mistakes_end_in_a_sentence_and_code_two(run, people, arguments, part):
    name, *options = arguments
    ended = run("align", people / name, "--out", "faces", *options)
    assert ended.code == 2
    assert part in ended.err
    assert "Traceback" not in ended.err
    assert not Path("faces").exists()


def hostile_files(folder: Path) -> list[Path]:
    """Sixty files that are no photos: cut off, flipped bits, wrong endings, empty, tiny, enormous, animated."""
    import io
    import struct
    import zlib

    draws = np.random.default_rng(1)
    noise = Image.fromarray(draws.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    contents: dict[str, bytes] = {}
    for kind, ending in (
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("GIF", "gif"),
        ("TIFF", "tif"),
        ("BMP", "bmp"),
    ):
        buffer = io.BytesIO()
        noise.save(buffer, kind)
        data = buffer.getvalue()
        for share in (0.01, 0.1, 0.5, 0.9):
            contents[f"cut-{share}.{ending}"] = data[: max(1, int(len(data) * share))]
        for number in range(3):
            damaged = bytearray(data)
            for place in draws.integers(0, min(200, len(data)), 30):
                damaged[place] = draws.integers(256)
            contents[f"bits-{number}.{ending}"] = bytes(damaged)
    head = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    contents["bomb.png"] = bomb + struct.pack(">I", 9) + b"IDAT" + bytes(9)
    for name, image, kind in (
        ("one.png", noise.resize((1, 1)), "PNG"),
        ("line.png", noise.resize((3000, 1)), "PNG"),
        ("nan.tif", Image.fromarray(np.full((32, 32), np.nan, np.float32)), "TIFF"),
        ("infinite.tif", Image.fromarray(np.full((32, 32), np.inf, np.float32)), "TIFF"),
        ("black.jpg", Image.new("RGB", (60, 60)), "JPEG"),
    ):
        buffer = io.BytesIO()
        image.save(buffer, kind)
        contents[name] = buffer.getvalue()
    buffer = io.BytesIO()
    noise.save(buffer, "GIF", save_all=True, append_images=[noise.rotate(90)] * 3)
    contents["animated.gif"] = buffer.getvalue()
    texts = (b"", b"\0", bytes(3000), b"plain text", b"<html></html>", b"PK\x03\x04", b"%PDF-1.7", b"\x7fELF")
    texts += (b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage\n", b"GIF89a", b"RIFF\0\0\0\0WEBP")
    for number, text in enumerate(texts):
        contents[f"text-{number}.jpg"] = text
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


def test_sixty_hostile_files_give_one_line_each(run, tmp_path):
    folder = tmp_path / "hostile"
    folder.mkdir()
    files = hostile_files(folder)
    assert len(files) >= 60
    for file in files:
        ended = run("align", file, "--out", "faces")
        assert ended.code == 2, file.name
        assert ended.err.count("\n") == 1, (file.name, ended.err)
        assert ended.err.startswith("facette: ")
        assert ended.out == ""


def test_hostile_files_take_no_memory_to_speak_of(tmp_path):
    """A header that promises 60,000 × 60,000 pixels is ten gigabytes once decoded; a small photo is the measure."""
    paths = [str(path) for path in hostile_files(tmp_path)]
    code = (
        "import resource, sys\n"
        "from facette.errors import ImageError\n"
        "from facette.images.open import open_image\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before, refused = peak(), 0\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        open_image(path)\n"
        "    except ImageError:\n"
        "        refused += 1\n"
        "print(refused, peak() - before)"
    )
    ended = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    refused, grown = map(int, ended.stdout.split())
    assert refused > 50
    assert grown * (1024 if sys.platform != "darwin" else 1) < 256 * 2**20
