"""Encoding a collection: every row once, whatever was killed, lost or done twice on the way."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import zipfile

import numpy as np
import pytest

from facette.errors import BusyError, DataError, MissingExtraError, UsageError
from facette.files import owned
from facette.scale import Encode, run_job, tables
from facette.scale.ledger import JobLedger
from facette.scale.run import Listener
from facette.scale.shards import ShardWorker
from facette.scale.tables import read_table, write_table

SHARD, SHARDS_OF_MANY = 64, 24


def job(quick_run, collection, out, task=None, **more):
    return run_job(quick_run, collection, task or Encode(), out, **{"shard": SHARD, "device": "cpu"} | more)


def same(one, other) -> bool:
    a, b = read_table(one), read_table(other)
    assert a.keys() == b.keys()
    return all(np.array_equal(a[name], b[name]) for name in a)


def content(folder) -> dict[str, bytes]:
    """Every file of a finished job by its name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_row_is_the_posterior_of_the_picture_of_that_name(encoded, store, quick_model):
    table = read_table(encoded)
    assert table["name"].tolist() == list(store.names)
    posterior = quick_model.encode(store.read(np.arange(len(store))))
    np.testing.assert_allclose(table["mean"], posterior.mean.numpy(), atol=1e-5)
    np.testing.assert_allclose(table["scale"], posterior.scale.numpy(), atol=1e-5)


def test_a_damaged_picture_is_said_and_leaves_its_row_number_free(encoded, collection, quick_run, tmp_path):
    ended = job(quick_run, collection, tmp_path / "l.npz")
    assert [name for name, _ in ended.unreadable] == ["1/070.png"]
    assert "format" in ended.unreadable[0][1]
    assert (ended.pictures, ended.rows) == (150, 149)
    assert read_table(encoded)["row"].tolist() == [row for row in range(150) if row != 70]


def test_an_npz_holds_what_the_parquet_holds(encoded, collection, quick_run, tmp_path):
    job(quick_run, collection, tmp_path / "l.npz")
    assert same(encoded, tmp_path / "l.npz")
    with np.load(tmp_path / "l.npz", allow_pickle=False) as file:
        assert file["mean"].shape == (149, 16)


def test_half_keeps_three_digits_in_half_the_bytes(encoded, collection, quick_run, tmp_path):
    job(quick_run, collection, tmp_path / "half.npz", Encode(half=True))
    whole, half = read_table(encoded), read_table(tmp_path / "half.npz")
    assert half["mean"].dtype == np.float16
    np.testing.assert_allclose(half["mean"], whole["mean"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["latents.parquet", "latents.npz", "shards"])
def test_stopped_by_a_signal_and_run_again_is_never_having_stopped(
    collection, quick_run, encoded, tmp_path, name
):
    seen = 0

    def stop_in_the_second_shard(pictures: int) -> None:
        nonlocal seen
        seen += pictures
        if seen > SHARD:
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / name
    stopped = job(quick_run, collection, out, listener=Listener(advanced=stop_in_the_second_shard))
    assert stopped.interrupted
    assert (stopped.shards_done, stopped.shards) == (1, 3)
    assert not out.is_file()
    begun = []
    ended = job(quick_run, collection, out, listener=Listener(begun=lambda *at: begun.append(at)))
    assert not ended.interrupted
    assert begun == [(64, 150)]
    assert ended.shards_here == 2
    if out.is_file():
        assert same(encoded, out)
        assert [p.name for p in tmp_path.iterdir()] == [name]  # the shards are gone
    else:
        job(quick_run, collection, tmp_path / "whole")
        assert content(out) == content(tmp_path / "whole")


def test_killed_and_run_again_is_never_having_stopped(commands, many, quick_run, tmp_path):
    out = tmp_path / "killed"
    command = commands.start("encode", quick_run, many, "--shard", SHARD, "--out", out)
    while (
        not list((out / "done").glob("*.json")) and command.poll() is None
    ):  # however long a busy machine takes
        time.sleep(0.002)
    assert command.kill(), command.text
    before = len(list((out / "done").glob("*.json")))
    assert 0 < before < SHARDS_OF_MANY
    assert job(quick_run, many, out).shards_here == SHARDS_OF_MANY - before
    job(quick_run, many, tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


def test_a_finished_job_has_nothing_left_to_do(collection, quick_run, tmp_path):
    for out in (tmp_path / "l.npz", tmp_path / "shards"):
        first = job(quick_run, collection, out)
        before = out.read_bytes() if out.is_file() else content(out)
        again = job(quick_run, collection, out)
        assert again.shards_here == 0
        assert (again.rows, again.unreadable) == (first.rows, first.unreadable)
        assert before == (out.read_bytes() if out.is_file() else content(out))


@pytest.mark.parametrize("harm", ["gone", "cut", "flipped", "account"])
def test_a_shard_whose_files_are_not_what_its_account_says_is_made_again(
    collection, quick_run, tmp_path, harm
):
    out = tmp_path / "shards"
    job(quick_run, collection, out)
    before = content(out)
    victim = out / "latents-000001.parquet"
    if harm == "gone":
        victim.unlink()
    elif harm == "cut":
        victim.write_bytes(victim.read_bytes()[:-10])
    elif harm == "flipped":
        victim.write_bytes(flipped(victim.read_bytes(), 500))
    else:
        (out / "done" / "000001.json").write_text('{"shard": 1, "ro')
    assert job(quick_run, collection, out).shards_here == 1
    assert content(out) == before


def flipped(data: bytes, at: int) -> bytes:
    """The data with one bit turned."""
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


@pytest.mark.parametrize("name", ["latents.parquet", "latents.npz", "shards"])
def test_a_job_has_one_owner(collection, quick_run, tmp_path, name):
    out = tmp_path / name
    folder = out.with_name(f"{name}.parts") if out.suffix else out
    with (
        owned(folder, "facette encode --out elsewhere"),
        pytest.raises(BusyError, match=r"in use by facette encode --out elsewhere, process \d+"),
    ):
        job(quick_run, collection, out)
    assert not out.is_file()
    assert job(quick_run, collection, out).rows == 149


@pytest.mark.parametrize("name", ["latents.parquet", "latents.npz"])
def test_a_table_is_read_back_before_its_parts_go(collection, quick_run, tmp_path, monkeypatch, name):
    """The disk under test loses a bit of what the writer gave it."""
    out, parts = tmp_path / name, tmp_path / f"{name}.parts"
    for suffix in ("parquet", "npz"):
        join = getattr(tables, f"_join_{suffix}")

        def losing(pieces, target, about, join=join):
            digests = join(pieces, target, about)
            target.write_bytes(flipped(target.read_bytes(), 2000))
            return digests

        monkeypatch.setattr(tables, f"_join_{suffix}", losing)
    with pytest.raises(DataError, match="did not keep what was written"):
        job(quick_run, collection, out)
    assert not out.exists()
    assert len(list(parts.glob(f"latents-*{out.suffix}"))) == 3
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    ended = job(quick_run, collection, out)
    assert (ended.rows, ended.shards_here) == (149, 0)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_a_bit_that_turns_in_a_table_is_noticed_or_changes_nothing(encoded, tmp_path, suffix):
    whole = read_table(encoded)
    table = write_table(tmp_path / f"t{suffix}", whole, {"from": "a test"})
    data, draws = table.read_bytes(), np.random.default_rng(0)
    for at in draws.integers(0, len(data), 60).tolist():
        table.write_bytes(flipped(data, at))
        try:
            again = read_table(table)
        except DataError:
            continue
        assert again.keys() == whole.keys()
        for name, values in whole.items():
            assert np.array_equal(again[name], values), f"silently different at byte {at}"


def test_a_shard_that_two_workers_make_is_there_once(collection, quick_run, tmp_path):
    out = tmp_path / "shards"
    job(quick_run, collection, out)
    before = content(out)
    ShardWorker(out).make(2)
    assert content(out) == before


def test_the_latents_do_not_depend_on_the_shards(encoded, collection, quick_run, tmp_path):
    job(quick_run, collection, tmp_path / "l.npz", shard=128)
    one, other = read_table(encoded), read_table(tmp_path / "l.npz")
    assert one["name"].tolist() == other["name"].tolist()
    np.testing.assert_allclose(one["mean"], other["mean"], atol=1e-5)


def test_a_zip_of_the_folder_gives_the_same_table(encoded, collection, quick_run, tmp_path):
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in collection.rglob("*.png"):
            file.write(path, path.relative_to(collection))
    job(quick_run, archive, tmp_path / "l.parquet")
    assert same(encoded, tmp_path / "l.parquet")


def test_a_name_that_is_no_unicode_is_written_with_escapes(quick_run, collection, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    shutil.copy(collection / "0" / "000.png", os.fsencode(folder) + b"/caf\xe9.png")
    job(quick_run, folder, tmp_path / "l.parquet")
    assert read_table(tmp_path / "l.parquet")["name"].tolist() == ["caf\\xe9.png"]


def test_another_job_is_refused_the_folder(collection, quick_run, tmp_path):
    out = tmp_path / "shards"
    job(quick_run, collection, out)
    before = content(out)
    with pytest.raises(UsageError, match="half was False, is True"):
        job(quick_run, collection, out, Encode(half=True))
    with pytest.raises(UsageError, match="shard was 64, is 128"):
        job(quick_run, collection, out, shard=128)
    with pytest.raises(UsageError, match="model is another"):
        job("faces128", collection, out)
    assert content(out) == before


def test_pictures_that_changed_are_another_collection(collection, quick_run, tmp_path):
    own = tmp_path / "pictures"
    shutil.copytree(collection, own)
    for out in (tmp_path / "shards", tmp_path / "l.npz"):
        job(quick_run, own, out)
    shutil.copy(own / "0" / "000.png", own / "0" / "added.png")
    with pytest.raises(UsageError, match="pictures have changed"):
        job(quick_run, own, tmp_path / "shards")
    with pytest.raises(UsageError, match="made of something else"):
        job(quick_run, own, tmp_path / "l.npz")


def test_what_lies_in_the_folder_is_not_mixed_with(collection, quick_run, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        job(quick_run, collection, tmp_path / "own")
    assert content(tmp_path / "own") == {"thesis.txt": b"mine"}


def test_a_job_killed_while_it_began_begins_anew(collection, quick_run, tmp_path):
    out = tmp_path / "shards"
    job(quick_run, collection, out)
    whole = content(out)
    (out / "job.json").unlink()
    for path in (*out.glob("latents-*"), *(out / "done").iterdir()):
        path.unlink()
    job(quick_run, collection, out)
    assert content(out) == whole


@pytest.mark.parametrize(
    ("out", "more", "said"),
    [
        ("l.csv", {}, "parquet or .npz"),
        ("l.npz", {"shard": 100}, "try 128"),
        ("l.npz", {"shard": 0}, "try 64"),
    ],
)
def test_what_cannot_be_is_one_sentence(collection, quick_run, tmp_path, out, more, said):
    with pytest.raises(UsageError, match=said):
        job(quick_run, collection, tmp_path / out, **more)
    assert not list(tmp_path.iterdir())


def test_nothing_to_read_is_said(quick_run, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        job(quick_run, tmp_path / "none", tmp_path / "l.npz")
    (tmp_path / "none" / "a.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"none of the 1 pictures.*a\.png"):
        job(quick_run, tmp_path / "none", tmp_path / "l.npz")


def test_without_the_extra_an_npz_is_still_written(collection, quick_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "facette\[scale\]"'):
        job(quick_run, collection, tmp_path / "l.parquet")
    assert job(quick_run, collection, tmp_path / "l.npz").rows == 149


def test_the_command_tells_what_it_did(run, quick_run, collection):
    ended = run("encode", quick_run, collection, "--out", "l.npz", "--shard", 64, "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["rows"], ended.json["shards_done"], ended.json["interrupted"]) == (149, 3, False)
    assert "left out: 1/070.png" in ended.err
    assert run("encode", quick_run, collection, "--out", "l.npz", "--shard", 64).out.strip() == "l.npz"
    refused = run("encode", quick_run, collection, "--out", "m.npz", "--workers", 2)
    assert refused.code == 2
    assert "--engine ray" in refused.err


def test_the_ledger_knows_a_job_again(collection, quick_run, tmp_path):
    job(quick_run, collection, tmp_path / "shards")
    ledger = JobLedger(tmp_path / "shards")
    assert ledger.job is not None
    assert ledger.job.rows(2) == (128, 150)
    assert ledger.pending() == []
    assert sum(one.rows for one in ledger.accounts()) == 149
