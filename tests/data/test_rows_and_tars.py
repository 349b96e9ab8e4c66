"""Other people's data sets: rows with a column of pictures, arrays, and tars as webdataset writes them."""

import io
import json
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import facette
from facette.data import open_dataset
from facette.errors import DataError
from facette.recipe import ImageInput, load_recipe

SPEC = ImageInput(size=8)


def colours(count: int = 12) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), (20 * index, 10, 200 - 10 * index)) for index in range(count)]


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


ROWS = {
    "pictures": [{"image": p, "label": n % 3, "smiling": n % 2 == 0} for n, p in enumerate(colours())],
    "undecoded": [{"id": n, "image": {"bytes": png(p), "path": None}} for n, p in enumerate(colours())],
    "bytes": [{"id": n, "jpg": png(p)} for n, p in enumerate(colours())],
    "guessed": [{"id": n, "thing": p} for n, p in enumerate(colours())],
    "arrays": [{"caption": "a", "scan": np.asarray(p)} for p in colours()],
    "tensors": [{"scan": torch.from_numpy(np.array(p)).permute(2, 0, 1) / 255} for p in colours()],
    "pairs": [(p, n) for n, p in enumerate(colours())],
    "stack": np.stack([np.asarray(p) for p in colours()]),
}


@pytest.mark.parametrize("form", ROWS)
def test_rows_of_every_form_are_the_same_pictures(form, tmp_path):
    store = open_dataset(ROWS[form], SPEC, tmp_path)
    np.testing.assert_array_equal(store.read(np.arange(12)), ROWS["stack"])


class Table:
    """A data set of columns, which decodes a picture only where its row is asked for."""

    column_names = ("image", "smiling", "glasses", "age", "caption", "kind")

    def __init__(self, count: int = 12):
        self.decoded = 0
        self.features = {"kind": SimpleNamespace(names=["cat", "dog"])}  # as a ClassLabel has them
        self.columns = {
            "smiling": [index % 2 == 0 for index in range(count)],
            "glasses": [(-1, 0, 1)[index % 3] for index in range(count)],
            "age": [20.5 + index for index in range(count)],
            "caption": [["words", "of", "a", "text"]] * count,
            "kind": [index % 2 for index in range(count)],
        }

    def __len__(self):
        return 12

    def __getitem__(self, key):
        if isinstance(key, str):
            assert key != "image", "a whole column of pictures is decoded"
            return self.columns[key]
        self.decoded += 1
        return {"image": colours()[key], **{name: column[key] for name, column in self.columns.items()}}


@pytest.mark.parametrize("form", ["columns", "rows"])
def test_columns_become_labels(form, tmp_path):
    table = Table()
    data = table if form == "columns" else [table[index] for index in range(12)]
    store = open_dataset(data, SPEC, tmp_path)
    assert store.attributes is not None
    kinds = (
        ("kind:cat", "kind:dog") if form == "columns" else ("kind",)
    )  # a list of rows has no names of classes
    assert store.attributes.names == ("smiling", "glasses", "age", *kinds)
    assert store.attributes.column("smiling").tolist() == [1, -1] * 6
    assert store.attributes.column("glasses").tolist() == [-1, 0, 1] * 4
    assert store.attributes.column("age").tolist() == [-1] * 6 + [1] * 6
    assert [category.name for category in store.attributes.categories][:1] == ["age"]


def test_rows_without_a_picture_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(DataError, match=r"no column of the data set holds a picture \(id, caption\)"):
        open_dataset([{"id": 1, "caption": "a face"}], SPEC, tmp_path)


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(3):
        with tarfile.open(folder / f"shard-{number:03d}.tar", "w") as archive:
            for place in range(4):
                index = 4 * number + place
                add(archive, f"{index:06d}.png", png(colours()[index]))
                values = {"smiling": index % 2 == 0, "age": index}
                if index != 5:
                    add(archive, f"{index:06d}.json", json.dumps(values).encode())
                add(archive, f"{index:06d}.cls", b"%d\n" % (index % 3))
                add(archive, f"{index:06d}.txt", b"a face")
    return folder


def test_a_folder_of_shards_is_its_pictures_with_their_labels(shards, tmp_path):
    store = open_dataset(shards, SPEC, tmp_path / "cache")
    np.testing.assert_array_equal(store.read(np.arange(12)), ROWS["stack"])
    assert store.names[5] == "shard-001/000005.png"
    assert store.attributes is not None
    assert store.attributes.names[0] == "smiling"
    assert "age:7" in store.attributes.names  # whole numbers of a few values are classes
    assert store.attributes.column("cls:2").tolist() == [-1, -1, 1] * 4
    expected = [1, -1] * 6
    expected[5] = 0  # it has no labels
    assert store.attributes.column("smiling").tolist() == expected
    one = open_dataset(shards / "shard-001.tar", SPEC, tmp_path / "cache")
    np.testing.assert_array_equal(one.read(np.arange(4)), ROWS["stack"][4:8])


def test_what_a_tar_may_not_do(shards, tmp_path):
    with tarfile.open(shards / "shard-003.tar", "w") as archive:
        add(archive, "../../outside.png", png(colours()[0]))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        add(archive, "broken.png", b"no picture")
    store = open_dataset(shards, SPEC, tmp_path / "cache")
    assert store.names[12:] == ["shard-003/outside.png"]
    assert [each.name for each in store.unreadable] == ["shard-003/broken.png"]
    cut = shards / "shard-001.tar"
    cut.write_bytes(cut.read_bytes()[:700])
    (shards / "shard-002.tar").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(DataError, match=r"shard-00.\.tar' is no uncompressed tar"):
        open_dataset(shards, SPEC, tmp_path / "cache")


def test_labels_that_are_no_object_are_named(tmp_path):
    with tarfile.open(tmp_path / "one.tar", "w") as archive:
        add(archive, "a.png", png(colours()[0]))
        add(archive, "a.json", b"[1, 2")
    with pytest.raises(DataError, match=r"the labels of 'one/a\.png' in .*one\.tar' are no JSON object"):
        open_dataset(tmp_path / "one.tar", SPEC, tmp_path / "cache")


def test_a_run_takes_any_of_them(shards, tmp_path):
    short = ["input.size=16", "train.steps=1", "train.batch=4", "train.validate_count=4"]
    recipe = load_recipe("quick", [*short, "train.preview_count=2", "train.mixture_components=[]"])
    for place, data in enumerate((shards, ROWS["pictures"], ROWS["stack"])):
        ended = facette.train(recipe, data, tmp_path / str(place), device="cpu")
        assert ended.step == 1


def test_a_real_hugging_face_data_set_is_read_with_its_classes(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "smiling": datasets.Value("bool"),
            "caption": datasets.Value("string"),
        }
    )
    numbers = range(12)
    columns = {
        "image": colours(),
        "label": [number % 2 for number in numbers],
        "smiling": [number % 3 == 0 for number in numbers],
        "caption": [f"face {number}" for number in numbers],
    }
    whole = datasets.Dataset.from_dict(columns, features=features)
    undecoded = whole.cast_column("image", datasets.Image(decode=False))
    for data in (whole, undecoded, whole.with_format("torch"), whole.with_format("numpy")):
        store = open_dataset(data, SPEC, tmp_path)
        np.testing.assert_array_equal(store.read(np.arange(12)), ROWS["stack"])
        assert store.attributes is not None
        assert store.attributes.names == ("label:cat", "label:dog", "smiling")
