"""DICOM: the values as they were measured, and of the patient nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import facette
from facette.data import open_dataset
from facette.errors import ImageError
from facette.images.greatest import greatest_value
from facette.images.open import open_image
from facette.recipe import ImageInput, load_recipe

pydicom = pytest.importorskip("pydicom", reason="the extra dicom is not installed")

PATIENT, BORN, HOSPITAL = "Doe^Jane", "19700101", "General Hospital"
RAMP = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint16) * 70  # 0 to 3,780


def dicom(path: Path, values: np.ndarray, bits: int = 12, kind: str = "MONOCHROME2", **fields) -> Path:
    """A file as a machine writes it: (H, W), (F, H, W) or (H, W, 3), with a patient in it."""
    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = pydicom.uid.generate_uid()
    file.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    file.PatientName, file.PatientBirthDate, file.InstitutionName = PATIENT, BORN, HOSPITAL
    frames = kind.startswith("MONO") and values.ndim == 3
    file.Rows, file.Columns = values.shape[1:3] if frames else values.shape[:2]
    if frames:
        file.NumberOfFrames = len(values)
    file.SamplesPerPixel = 3 if kind in ("RGB", "YBR_FULL") else 1
    if file.SamplesPerPixel == 3:
        file.PlanarConfiguration = 0
    file.PhotometricInterpretation = kind
    file.PixelRepresentation = int(values.dtype.kind == "i")
    file.BitsAllocated, file.BitsStored, file.HighBit = 8 * values.dtype.itemsize, bits, bits - 1
    file.WindowCenter, file.WindowWidth = 100, 50
    for name, value in fields.items():
        setattr(file, name, value)
    file.PixelData = values.tobytes()
    file.save_as(path, enforce_file_format=True)
    return path


def levels(path: Path) -> np.ndarray:
    """The values of 16 bits that a model of that depth would get, of a folder with this picture alone."""
    from facette.images.depth import white_of

    opened = open_image(path, mode="F", white=white_of([greatest_value(path)]))
    return np.asarray(opened.image)


def test_twelve_bits_keep_their_depth_and_the_window_is_not_applied(tmp_path):
    path = dicom(tmp_path / "a.dcm", RAMP)
    assert greatest_value(path) == 3_780
    np.testing.assert_allclose(levels(path), np.round(RAMP * (65_535 / 4_095)))
    assert len(np.unique(levels(path))) == len(np.unique(RAMP))


def test_hounsfield_units_agree_among_scanners(tmp_path):
    """The same body, stored from −1,024 by one machine and as it is by another."""
    body = RAMP.astype(np.int16) - 1_000
    ours = dicom(tmp_path / "a.dcm", (body + 1_024).astype(np.uint16), Modality="CT", RescaleIntercept=-1024)
    theirs = dicom(tmp_path / "b.dcm", body, bits=16, RescaleType="HU", RescaleSlope=1, RescaleIntercept=0)
    np.testing.assert_array_equal(levels(ours), levels(theirs))
    assert levels(ours)[0, 0] == round(24 * 65_535 / 4_095)


def test_slope_and_intercept_are_applied_where_whole_numbers_come_of_them(tmp_path):
    path = dicom(tmp_path / "a.dcm", RAMP, RescaleSlope=2, RescaleIntercept=5)
    assert greatest_value(path) == 2 * 3_780 + 5
    fine = dicom(tmp_path / "b.dcm", RAMP, RescaleSlope=0.013, RescaleIntercept=-7)
    np.testing.assert_allclose(levels(fine), np.round(RAMP * (65_535 / 4_095)))
    signed = dicom(tmp_path / "c.dcm", RAMP.astype(np.int16) - 2_048)
    np.testing.assert_allclose(levels(signed), np.round(RAMP * (65_535 / 4_095)))


def test_monochrome1_is_inverted(tmp_path):
    path = dicom(tmp_path / "a.dcm", RAMP, kind="MONOCHROME1")
    np.testing.assert_allclose(levels(path), np.round((4_095 - RAMP) * (65_535 / 4_095)))
    eight = dicom(tmp_path / "b.dcm", (RAMP >> 4).astype(np.uint8), bits=8, kind="MONOCHROME1")
    np.testing.assert_array_equal(np.asarray(open_image(eight, mode="L").image), 255 - (RAMP >> 4))


def test_colours_come_as_colours(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    path = dicom(tmp_path / "a.dcm", colours, bits=8, kind="RGB")
    np.testing.assert_array_equal(np.asarray(open_image(path).image), colours)
    grey = np.full((24, 32, 3), (90, 128, 128), np.uint8)
    path = dicom(tmp_path / "b.dcm", grey, bits=8, kind="YBR_FULL")
    assert (np.asarray(open_image(path).image) == 90).all()


def test_of_several_frames_the_first_is_taken_and_said(tmp_path):
    path = dicom(tmp_path / "a.dcm", np.stack([RAMP, RAMP[::-1]]))
    opened = open_image(path)
    assert "first of several pictures in the file" in opened.notes
    np.testing.assert_allclose(levels(path), np.round(RAMP * (65_535 / 4_095)))


def test_what_cannot_be_read_is_a_sentence(tmp_path, monkeypatch):
    path = dicom(tmp_path / "a.dcm", RAMP)
    whole = path.read_bytes()
    for number, damaged in enumerate((whole[:400], whole[:-900], whole[:132] + b"\xff" * 300, whole[:132])):
        broken = tmp_path / f"broken-{number}.dcm"
        broken.write_bytes(damaged)
        with pytest.raises(ImageError, match=r"broken-\d\.dcm is (damaged|a DICOM file without)") as caught:
            open_image(broken)
        assert PATIENT not in str(caught.value)
    huge = dicom(tmp_path / "huge.dcm", RAMP, Rows=60_000, Columns=60_000)
    with pytest.raises(ImageError, match="60,000 × 60,000 pixels, more than"):
        open_image(huge)
    from facette.images import dicom as module

    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImageError, match=r'a DICOM picture; reading it needs: pip install "facette\[dicom\]"'
    ):
        module.dicom_image(whole, "a.dcm", lambda size: None)


def test_a_run_learns_all_bits_and_no_file_of_it_knows_the_patient(tmp_path, run):
    folder, places = tmp_path / "scans", np.random.default_rng(0)
    folder.mkdir()
    for number in range(12):
        values = np.roll(RAMP, number, axis=1) + places.integers(0, 16, RAMP.shape).astype(np.uint16)
        dicom(folder / f"{number:02d}.dcm", values)
    recipe = load_recipe(
        "digits",
        ["input.size=[24, 32]", "input.depth=16", "model.latent=2", "train.steps=2", "train.batch=4",
         "train.mixture_components=[1]", "train.validate_count=4", "train.preview_count=2"],
    )  # fmt: skip
    store = open_dataset(folder, recipe.input, tmp_path / "cache")
    assert len(np.unique(store.read(np.arange(12)))) > 256
    facette.train(recipe, store, tmp_path / "run")
    ended = run(
        "vary", str(folder / "00.dcm"), "--model", str(tmp_path / "run"), "--each", str(tmp_path / "out")
    )
    assert ended.code == 0, ended.err
    ended = run("train", str(folder), "--dry-run", "--cache", str(tmp_path / "cache"))
    assert ended.code == 0, ended.err
    assert "depth = 16" in ended.out
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".dcm"]
    assert len(kept) > 10
    for path in kept:
        content = path.read_bytes()
        assert not any(word.encode() in content for word in (PATIENT, BORN, HOSPITAL, "Jane")), path


def test_a_folder_is_listed_by_its_endings(tmp_path):
    dicom(tmp_path / "a.dcm", RAMP)
    dicom(tmp_path / "b.DCM", RAMP)
    assert len(open_dataset(tmp_path, ImageInput(size=8), tmp_path / "cache").names) == 2
