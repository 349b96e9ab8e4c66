"""Laws of attribute files: every spelling of yes and no, every place a file may lie, every picture its own row."""

import os

import numpy as np
import pytest

from facette.data import AttributeTable, open_dataset
from facette.data.attributes import join_rows, read_csv, spread_rows
from facette.data.names import NameTable
from facette.errors import DataError

HEADER = "image_id,Smiling,Young\n"


def joined(path, names):
    """(N, A) what the CSV says of pictures of these names."""
    rows, table = read_csv(path), NameTable.of(names)
    return spread_rows(rows, join_rows(path, rows, table))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (HEADER + "a.jpg,1,-1\nb.jpg,-1,1\n", [[1, -1], [-1, 1]]),
        (HEADER + "a.jpg,1,0\nb.jpg,0,1\n", [[1, -1], [-1, 1]]),
        (HEADER + "a.jpg,1,0\nb.jpg,0,-1\n", [[1, 0], [-1, -1]]),  # each column in its own way
        (HEADER.strip() + ",\na.jpg,1,-1,\nb.jpg,-1,1,\n", [[1, -1], [-1, 1]]),
        (HEADER + " , ,\na.jpg,1,-1,,\n,,\nb.jpg,-1,1\n", [[1, -1], [-1, 1]]),
        ("," + HEADER + "0,a.jpg,1,-1\n1,b.jpg,-1,1\n", [[1, -1], [-1, 1]]),
        ("Smiling,Young,name\n1,-1,a.jpg\n-1,1,b.jpg\n", [[1, -1], [-1, 1]]),
        ("name Smiling  Young\na.jpg 1 -1\nb.jpg -1 1\n", [[1, -1], [-1, 1]]),
        (HEADER + "a.jpg,True,false\nb.jpg,no,YES\n", [[1, -1], [-1, 1]]),
        (HEADER + "a.jpg,,1.0\nb.jpg,nan,-1.0\n", [[0, 1], [0, -1]]),
        ("\ufeff" + HEADER + 'a.jpg," 1 ",-1\r\n\r\nb.jpg,-1,1\r\n', [[1, -1], [-1, 1]]),
        (HEADER.replace(",", ";") + "a.jpg;1;-1\nb.jpg;-1;1\n", [[1, -1], [-1, 1]]),
        (HEADER.replace(",", "\t") + "a.jpg\t1\t-1\nb.jpg\t-1\t1\n", [[1, -1], [-1, 1]]),
        ("sep=;\n" + HEADER.replace(",", ";") + "a.jpg;1;-1\nb.jpg;-1;1\n", [[1, -1], [-1, 1]]),
        (HEADER + "a.jpg,1,NULL\nb.jpg,#N/A,\\N\nc.jpg,-1,-1\nd.jpg,N/A,<NA>\n", [[1, 0], [0, 0]]),
    ],
)
def test_spellings(tmp_path, text, values):
    (tmp_path / "x.csv").write_text(text, "utf-8")
    assert read_csv(tmp_path / "x.csv").columns == ("Smiling", "Young")
    assert joined(tmp_path / "x.csv", ["a.jpg", "b.jpg"]).tolist() == values


@pytest.mark.parametrize(
    ("delimiter", "fields"),
    [
        (
            ";",
            ("20,5", "-3,25", "1.250,75", "7"),
        ),  # as spreadsheets write numbers between the Alps and the North Sea
        ("\t", ("20,5", "-3,25", "1250,75", "7")),
        (",", ('"20.5"', "-3.25", '"1,250.75"', "7")),  # and elsewhere
    ],
)
def test_numbers_as_their_country_writes_them(tmp_path, delimiter, fields):
    rows = [f"{i}.jpg{delimiter}{field}" for i, field in enumerate(fields)]
    (tmp_path / "x.csv").write_text("\n".join([f"name{delimiter}age", *rows]))
    read = read_csv(tmp_path / "x.csv")
    assert read.columns == ("age",)
    assert read.categories[0].numbers.tolist() == [20.5, -3.25, 1250.75, 7]


def test_words_among_a_few_whole_numbers_are_classes(tmp_path):
    (tmp_path / "x.csv").write_text("name,size\na.jpg,36\nb.jpg,38\nc.jpg,XL\n")
    assert read_csv(tmp_path / "x.csv").columns == ("size:36", "size:38", "size:XL")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no attribute columns"),
        ("image_id\na.jpg\n", "no attribute columns"),
        (HEADER + "a.jpg,1\n", "line 2: 1 values, but the file has 2"),
        (HEADER + "a.jpg,1,1\nb.jpg,1,maybe\n", "line 3: Young is 'maybe'"),
        ("image_id,Young,Young\na.jpg,1,1\n", "a column twice"),
        ("image_id,Young,\na.jpg,1,4\n", "a column without a name.*'4'"),
        ("sep=;\nimage_id;Young\na.jpg;1\nb.jpg;perhaps\nc.jpg;1\n", "line 4: Young is 'perhaps'"),
        ("name,age\na.jpg,20.5\nb.jpg,31.5\nc.jpg,None\n", "line 4: age is 'None' among numbers"),
    ],
)
def test_damaged_files_are_said(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_csv(tmp_path / "x.csv")


def test_bytes_that_are_no_text_are_said(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"image_id,caf\xe9\na.jpg,1\n")
    with pytest.raises(DataError, match="UTF-8"):
        read_csv(tmp_path / "x.csv")


def test_pictures_find_their_rows(tmp_path):
    (tmp_path / "x.csv").write_text("id,A\nd/a.jpg,1\na.jpg,-1\nb,1\ne/c,-1\na.jpg,-1\n")
    names = ["d/a.jpg", "other/a.jpg", "deep/b.png", "e/c.webp", "f/c.webp"]
    assert joined(tmp_path / "x.csv", names)[:, 0].tolist() == [1, -1, 1, -1, 0]


@pytest.mark.parametrize(
    ("row", "picture"),
    [
        ("0001.jpg", "0001.png"),
        ("M\u00fcller.jpg", "Mu\u0308ller.jpg"),
        ("Mu\u0308ller", "sub/M\u00fcller.png"),
        ("P01.JPG", "p01.jpg"),
        ("/data/pics/p01.jpg", "p01.jpg"),
        ("C:\\Users\\me\\pics\\p01.jpg", "p01.png"),
        ("pics/p01.jpg", "pics/p01.webp"),
        ("img.1", "img.1.png"),
    ],
)
def test_one_picture_under_two_names_is_met(tmp_path, row, picture):
    (tmp_path / "x.csv").write_text(f"id,A\n{row},1\nother.jpg,-1\n", "utf-8")
    assert joined(tmp_path / "x.csv", [picture, "stranger.jpg"])[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("number", ["{}", "{}.0", "{}.jpg", "0{}"])
def test_numbers_whose_zeros_a_spreadsheet_took_are_met(tmp_path, number):
    """As Excel writes a column of 000007: half of a hundred thousand names would be met, the rest lost in silence."""
    path = tmp_path / "list.csv"
    numbers = [7, 90, 99_999, 100_000, 202_599]
    path.write_text("id,Smiling\n" + "".join(f"{number.format(n)},{n % 2}\n" for n in numbers))
    expected = [[1 if n % 2 else -1] for n in numbers]
    assert joined(path, [f"{n:06d}.png" for n in numbers]).tolist() == expected
    assert joined(path, [f"faces/{n:06d}.png" for n in numbers]).tolist() == expected


def test_numbers_that_are_two_pictures_are_met_to_the_letter_alone(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("id,Smiling\n7,1\n08,1\n")
    assert joined(path, ["7.png", "007.png", "8.png"]).tolist() == [[1], [0], [0]]


def test_two_pictures_never_share_a_row_by_chance(tmp_path):
    (tmp_path / "x.csv").write_text("id,A\nimg.1,1\nimg.2,-1\nd/a.jpg,1\n")
    assert joined(tmp_path / "x.csv", ["img.2.png", "img.3.png", "e/a.jpg"])[:, 0].tolist() == [-1, 0, 0]


@pytest.mark.parametrize("second", ["a.jpg", "a.png"])
def test_rows_that_contradict_each_other_are_refused(tmp_path, second):
    (tmp_path / "x.csv").write_text(f"id,A\na.jpg,1\n{second},-1\n")
    if second == "a.jpg":
        with pytest.raises(DataError, match=r"two things of 'a\.jpg'.*numbers 1 and 2"):
            joined(tmp_path / "x.csv", ["a.jpg"])
    else:  # a picture of just that name leaves no doubt; one of another ending does
        assert joined(tmp_path / "x.csv", ["a.jpg", second])[:, 0].tolist() == [1, -1]
        with pytest.raises(DataError, match="two things"):
            joined(tmp_path / "x.csv", ["a.webp"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_spreadsheets_encodings(tmp_path, encoding):
    (tmp_path / "x.csv").write_bytes("name\tL\u00e4chelt\na.jpg\t1\n".encode(encoding))
    assert read_csv(tmp_path / "x.csv").columns == ("L\u00e4chelt",)


def test_an_empty_table_knows_nothing(tmp_path):
    (tmp_path / "x.csv").write_text(HEADER)
    assert joined(tmp_path / "x.csv", ["a.jpg"]).tolist() == [[0, 0]]


def test_a_join_of_many_is_what_a_dictionary_gives(tmp_path):
    generator = np.random.default_rng(0)
    signs = generator.choice([-1, 1], (3000, 2))
    lines = [f"p{i}.jpg,{a},{b}" for i, (a, b) in enumerate(signs)]
    (tmp_path / "x.csv").write_text(HEADER + "\n".join(generator.permutation(lines)))
    wanted = generator.permutation(6000)
    expected = [signs[i].tolist() if i < 3000 else [0, 0] for i in wanted]
    assert joined(tmp_path / "x.csv", [f"p{i}.jpg" for i in wanted]).tolist() == expected


def test_how_many_have_labels_is_said_and_strict_refuses_fewer(picture_folder, spec, tmp_path, run):
    root = picture_folder(names=["a.jpg", "b.jpg", "c.jpg"], folder="faces")
    (tmp_path / "faces_attributes.csv").write_text(HEADER + "a.png,1,-1\nz.jpg,1,1\n")
    for _ in range(2):  # parsed, and kept
        store = open_dataset(root, spec, tmp_path / "cache")
        said = [listing.sentence() for listing in store.listings]
        assert said == ["1 of 3 pictures have labels (faces_attributes.csv)"]
        with pytest.raises(DataError, match=r"1 of 3 pictures have labels.*strict is on"):
            open_dataset(root, spec, tmp_path / "cache", strict=True)
    outcome = run("prepare", root)
    assert "1 of 3 pictures have labels" in outcome.out
    assert run("prepare", root, "--json").json["lists"][0]["pictures"] == 1
    assert run("prepare", root, "--strict").code == 2


@pytest.mark.parametrize("place", ["faces_attributes.csv", "faces/attributes.csv", "given"])
def test_places_of_a_file(picture_folder, spec, tmp_path, place):
    root = picture_folder(names=["a.jpg", "b.jpg"], folder="faces")
    file = tmp_path / ("elsewhere.csv" if place == "given" else place)
    file.write_text(HEADER + "a.jpg,1,-1\nb.jpg,-1,1\n")
    options = {"attributes": file} if place == "given" else {}
    for source in (root, os.path.relpath(root)):
        store = open_dataset(source, spec, tmp_path / "cache", **options)
        assert store.attributes.values.tolist() == [[1, -1], [-1, 1]]


def test_without_a_file_there_are_no_attributes(picture_folder, spec, tmp_path):
    assert open_dataset(picture_folder(2), spec, tmp_path / "cache").attributes is None


def test_a_given_file_comes_before_the_one_beside(picture_folder, spec, tmp_path):
    root = picture_folder(names=["a.jpg"], folder="faces")
    (tmp_path / "faces_attributes.csv").write_text("id,Beside\na.jpg,1\n")
    (tmp_path / "given.csv").write_text("id,Given\na.jpg,1\n")
    store = open_dataset(root, spec, tmp_path / "cache", attributes=tmp_path / "given.csv")
    assert store.attributes.names == ("Given",)


def test_one_file_for_each_part(picture_folder, spec, tmp_path):
    root = picture_folder(names=["train/1.jpg", "train/2.jpg", "valid/1.jpg"])
    (root / "train_attributes.csv").write_text(HEADER + "1.jpg,1,1\n2.jpg,1,-1\n")
    (root / "valid_attributes.csv").write_text(HEADER + "1.jpg,-1,1\n")
    store = open_dataset(root, spec, tmp_path / "cache")
    assert store.attributes.values.tolist() == [[1, 1], [1, -1], [-1, 1]]
    assert store.partition.tolist() == [0, 0, 1]
    (root / "valid_attributes.csv").write_text("id,Other\n1.jpg,-1\n")
    with pytest.raises(DataError, match="other attributes"):
        open_dataset(root, spec, tmp_path / "cache")


def test_rows_follow_the_readable_pictures(picture_folder, spec, tmp_path):
    root = picture_folder(names=["a.jpg", "c.jpg"], folder="faces")
    (root / "b.jpg").write_bytes(b"bad")
    (tmp_path / "faces_attributes.csv").write_text(HEADER + "a.jpg,1,1\nb.jpg,1,1\nc.jpg,-1,-1\n")
    store = open_dataset(root, spec, tmp_path / "cache")
    assert store.attributes.values.tolist() == [[1, 1], [-1, -1]]


def test_files_that_do_not_belong_are_said(picture_folder, spec, tmp_path):
    root = picture_folder(names=["a.jpg"])
    (tmp_path / "x.csv").write_text(HEADER + "unknown.jpg,1,1\n")
    with pytest.raises(DataError, match=r"names none of the pictures.*'a\.jpg'"):
        open_dataset(root, spec, tmp_path / "cache", attributes=tmp_path / "x.csv")
    with pytest.raises(DataError, match="no attribute file"):
        open_dataset(root, spec, tmp_path / "cache", attributes=tmp_path / "absent.csv")


def test_an_unknown_column_is_said():
    with pytest.raises(DataError, match=r"no attribute 'Old'.*Smiling, Young"):
        AttributeTable(("Smiling", "Young"), np.zeros((1, 2), np.int8)).column("Old")


def test_the_real_attributes(shared, spec, tmp_path):
    store = open_dataset(shared / "celeba" / "faces128" / "valid", spec, tmp_path / "cache", align="never")
    lines = (shared / "celeba" / "faces128" / "valid_attributes.csv").read_text().splitlines()
    expected = {line.split(",")[0]: [int(v) for v in line.split(",")[1:]] for line in lines[1:]}
    assert len(store) == len(expected) > 1000
    assert all(
        expected[name] == row for name, row in zip(store.names, store.attributes.values.tolist(), strict=True)
    )


def test_classes_and_numbers_become_attributes_and_stay_whole(tmp_path):
    """One reader for all columns: yes and no, words, a few whole numbers, and measures."""
    rows = [f"{n:02d}.png,{n % 2},{('cat', 'dog', '')[n % 3]},{n % 10},{20 + n / 4}" for n in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["name,wild,animal,digit,age", *rows]))
    table = read_csv(tmp_path / "labels.csv")
    digits = [f"digit:{n}" for n in range(10)]
    assert table.columns == ("wild", "animal:cat", "animal:dog", *digits, "age")
    assert table.values[:3, :3].tolist() == [[-1, 1, -1], [1, -1, 1], [-1, 0, 0]]
    assert table.values[[0, 39], -1].tolist() == [-1, 1]
    animal, digit, age = table.categories
    assert animal.labels == ("cat", "dog")
    assert animal.codes[:3].tolist() == [0, 1, -1]
    assert [digit.labels[code] for code in digit.codes[8:12]] == ["8", "9", "0", "1"]
    assert (np.bincount(age.codes) == 8).all()  # bands of as many pictures each
    assert age.labels[0].startswith("20 to ")


def test_whole_numbers_are_in_their_own_order(tmp_path):
    (tmp_path / "x.csv").write_text("name,level\n" + "".join(f"{n}.png,{n}\n" for n in (10, 9, 2, 11, 2)))
    assert read_csv(tmp_path / "x.csv").categories[0].labels == ("2", "9", "10", "11")
