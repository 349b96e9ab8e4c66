"""`facette sweep`: one row for each factor."""

from PIL import Image


def test_it_draws_a_row_for_each_factor(run, quick_run, photo_files, tmp_path):
    options = ["--from", 1, "--to", 4, "--rows", 3, "--count", 2, "--json"]
    said = run("sweep", photo_files[0], *options, "--model", quick_run).json
    assert said["factors"] == [1.0, 2.5, 4.0]
    assert len(said["seeds"]) == 2
    with Image.open(tmp_path / said["sheet"]) as sheet:
        assert sheet.height > 3 * 128


def test_by_default_ten_strengths_lead_from_near_to_far(run, quick_run, photo_files):
    said = run("sweep", photo_files[0], "--count", 1, "--json", "--model", quick_run).json
    assert said["factors"] == [round(0.2 * step, 1) for step in range(1, 11)]  # shares of how people differ
    assert said["sheet"] == "anna-sweep.png"
