"""`facette reconstruct`: photos above what is kept of them."""

import numpy as np
from PIL import Image

from facette.latent import reconstruct


def test_it_reconstructs_every_photo(run, quick_run, quick_model, photo_files, tmp_path):
    said = run(
        "reconstruct", *photo_files, "--model", quick_run, "--each", "each", "--out", "r.webp", "--json"
    ).json
    kept = reconstruct(quick_model, photo_files).pictures
    assert [one["path"] for one in said["photos"]] == [str(path) for path in photo_files]
    for path, picture in zip(said["each"], kept, strict=True):
        assert (np.asarray(Image.open(tmp_path / path)) == picture).all()
    assert (tmp_path / "r.webp").stat().st_size > 1000


def test_one_bad_photo_is_named(run, quick_run, photo_files, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    ended = run("reconstruct", photo_files[0], "broken.jpg", "--model", quick_run)
    assert ended.code == 1
    assert "broken.jpg" in ended.err
