"""What the studio keeps in memory, and for how long: photos, prepared, downloads."""

from __future__ import annotations

import gc
import io

import numpy as np
import pytest
from PIL import Image

from facette.errors import ImageError, NoFaceError, UsageError
from facette.images.faces.align import IntakeReport
from facette.latent import vary
from facette.latent.around import Step
from facette.studio.downloads import Downloads
from facette.studio.photo import Choice, Photos, photo_words, safe_name
from facette.studio.state import PreparedPhotos, StartingPoint


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def png(colour: int, side: int = 64) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (colour, 100, 60)).save(buffer, "PNG")
    return buffer.getvalue()


def test_downloads_give_back_what_was_put_there_under_an_address_of_its_own():
    downloads = Downloads()
    one, two = (
        downloads.put("a", "sheet", b"one", "1.png", "image/png"),
        downloads.put("b", "sheet", b"two", "2.png", "x/y"),
    )
    assert one != two
    assert [downloads.find(address.rpartition("/")[2]).content for address in (one, two)] == [b"one", b"two"]
    assert downloads.find("nothing") is None
    assert len(one.rpartition("/")[2]) >= 32


def test_a_tab_has_one_place_for_each_key():
    clock = Clock()
    downloads = Downloads(clock=clock)
    first = downloads.put("a", "sheet", b"old", "s.png", "image/png").rpartition("/")[2]
    second = downloads.put("a", "sheet", b"newer", "s.png", "image/png").rpartition("/")[2]
    other = downloads.put("b", "sheet", b"of another tab", "s.png", "image/png").rpartition("/")[2]
    assert downloads.find(first).content == b"old"  # its link may have been pressed just before
    clock.now = 61
    assert downloads.find(first) is None
    assert downloads.find(second).content == b"newer"
    assert downloads.find(other).content == b"of another tab"
    assert downloads.weight == len(b"newer") + len(b"of another tab")


def test_downloads_are_forgotten_in_time_and_the_oldest_go_when_there_is_no_room():
    clock = Clock()
    downloads = Downloads(most_bytes=10, kept_seconds=60, clock=clock)
    tokens = [downloads.put("a", str(i), bytes(4), f"{i}", "x/y").rpartition("/")[2] for i in range(2)]
    downloads.find(tokens[0])  # used later than the other
    newest = downloads.put("a", "2", bytes(4), "2", "x/y").rpartition("/")[2]
    assert [downloads.find(token) is not None for token in (*tokens, newest)] == [True, False, True]
    clock.now = 61
    assert downloads.find(newest) is None
    downloads.put("a", "3", bytes(1), "3", "x/y")
    assert downloads.weight == 1
    with pytest.raises(UsageError, match="too large"):
        downloads.put("a", "4", bytes(11), "huge", "x/y")


def test_what_was_replaced_makes_room_first():
    downloads = Downloads(most_bytes=10)
    address = {}
    for name, key in (("other", "z"), ("old", "a"), ("older still", "a"), ("now", "a")):
        address[name] = downloads.put("tab", key, bytes(3), name, "x/y").rpartition("/")[2]
    assert [name for name, token in address.items() if downloads.find(token)] == [
        "other",
        "older still",
        "now",
    ]


def test_a_photo_is_taken_in_as_the_command_does(quick_model, photo_bytes, tmp_path):
    path = tmp_path / "anna.png"
    path.write_bytes(photo_bytes)
    photos = Photos(quick_model)
    taken = photos.take(photos.put(photo_bytes, "anna.png") + "/middle")
    from facette.cli.photo import take_in

    theirs = take_in(quick_model, path, align=False)
    assert (taken.picture == theirs.picture).all()
    assert taken.report == theirs.report
    assert np.array_equal(taken.to_photo, theirs.to_photo)
    assert taken.stem == "anna"


def test_photos_are_bounded_and_forgotten_in_time(quick_model):
    clock = Clock()
    size = len(png(1))
    photos = Photos(quick_model, most_bytes=3 * size, kept_seconds=60, clock=clock)
    tokens = [photos.put(png(1)) for _ in range(3)]
    photos.take(f"{tokens[0]}/middle")  # used later than the others
    photos.put(png(1))
    assert photos.weight == 3 * size
    photos.take(f"{tokens[0]}/middle")
    with pytest.raises(ImageError, match="no longer kept"):
        photos.take(f"{tokens[1]}/middle")
    clock.now = 61
    with pytest.raises(ImageError, match="no longer kept"):
        photos.take(f"{tokens[0]}/middle")
    photos.put(png(2))
    assert photos.weight == size


def test_a_token_is_of_one_photo_only(quick_model):
    photos = Photos(quick_model)
    red, dark = photos.put(png(250)), photos.put(png(5))
    assert photos.take(f"{red}/middle").picture[..., 0].mean() > 240
    assert photos.take(f"{dark}/middle").picture[..., 0].mean() < 15
    with pytest.raises(ImageError):
        photos.take("/middle")


def test_standings_are_few_and_made_again_when_they_are_gone(quick_model, photo_bytes):
    photos = Photos(quick_model)
    prepared = PreparedPhotos(quick_model, photos, most=2)
    token = photos.put(photo_bytes)
    places = [
        StartingPoint(f"{token}/middle", around=tuple(Step(i, 2.0) for i in range(n))) for n in range(3)
    ]
    first = prepared.find(places[0])
    assert prepared.find(places[0]) is first
    for place in places:
        prepared.find(place)
    again = prepared.find(places[0])
    assert again is not first
    assert (again.origin.reconstruction == first.origin.reconstruction).all()
    far = prepared.find(places[2]).origin.variations([7], 3.0)
    alone = vary(quick_model, first.photo.input, 1, 3.0, 7, around=places[2].around)
    assert (far.pictures == alone.pictures).all()


def test_a_photo_is_searched_once_also_when_no_face_is_in_it(model, monkeypatch):
    from facette.images.faces import align

    searches = []
    search = align.find_faces
    monkeypatch.setattr(align, "find_faces", lambda image: searches.append(image) or search(image))
    photos = Photos(model)
    token = photos.put(png(3, side=200), "wall.png")
    for _ in range(3):
        with pytest.raises(NoFaceError):
            photos.take(token)
    assert len(searches) == 1
    assert photos.take(f"{token}/middle").name == "wall.png"
    assert len(searches) == 1


@pytest.mark.parametrize(
    ("percentiles", "words"),
    [
        ((10.0, 20.0), "An easy face"),
        ((70.0, 20.0), "A usual face"),
        ((99.9, 20.0), "An unusual face"),
        ((10.0, 100.0), "An unusual face"),
    ],
)
def test_what_a_photo_is_to_the_model_is_said_as_a_person_would(percentiles, words):
    hard, far = percentiles
    warning = "redrawn worse than 99.9 %" if max(percentiles) > 95 else ""
    known = {"error_percentile": hard, "norm_percentile": far, "warning": warning}
    said, warnings = photo_words(
        IntakeReport("aligned", (300, 300), warnings=(warning, "It is dark."), typicality=known)
    )
    assert said.startswith(words)
    assert not any(letter.isdigit() for letter in said)
    assert warnings == ["It is dark."]


@pytest.mark.parametrize("text", ["TOKEN", "TOKEN/2", "TOKEN/middle"])
def test_what_a_box_holds_is_read_as_it_is_written(text):
    choice = Choice.of(text)
    assert (choice.token, str(choice)) == ("TOKEN", text)
    assert choice.words() == {"TOKEN": [], "TOKEN/2": ["--face", "2"], "TOKEN/middle": ["--no-align"]}[text]
    assert Choice.of(f"{text}/0/../x").token == "TOKEN"


def test_what_is_dropped_is_gone_from_memory(quick_model):
    photos = Photos(quick_model, most_bytes=len(png(77)))
    photos.take(photos.put(png(77), "gone.png") + "/middle")
    photos.put(png(1))
    gc.collect()
    assert not [
        one for one in gc.get_objects() if type(one).__name__ == "StudioPhoto" and one.name == "gone.png"
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("anna.jpg", "anna.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\anna.jpg", "anna.jpg"),
        ("a\nb\x1b[31m.png", "ab[31m.png"),
        ("", "photo"),
        ("...", "photo"),
        ("-rf", "rf"),
        ("x" * 500 + ".png", "x" * 246 + ".png"),
        ("ä" * 500 + ".png", "ä" * 123 + ".png"),
    ],
)
def test_names_from_outside_are_made_harmless(given, kept):
    assert safe_name(given) == kept


@pytest.fixture(scope="module")
def photo_bytes() -> bytes:
    from facette.data.synthetic import draw_faces

    buffer = io.BytesIO()
    Image.fromarray(draw_faces(1, 96, seed=3).pictures[0]).save(buffer, "PNG")
    return buffer.getvalue()
