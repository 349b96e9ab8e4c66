"""`facette inspect`: what it tells people and machines about a file it does not load."""

import os
import pickle
import subprocess
import sys

import pytest
import torch


class Shell:
    """Pickles as a call of os.system."""

    def __reduce__(self):
        return os.system, ("touch canary",)


@pytest.fixture
def weights(tmp_path):
    state = {"layer.weight": torch.zeros(3, 4), "layer.count": torch.tensor(7)}
    torch.save({"epoch": 12, "state_dict": state}, tmp_path / "plain.pth")
    return tmp_path / "plain.pth"


def test_people_read_a_verdict_and_the_tensors(run, weights):
    ended = run("inspect", weights)
    assert ended.code == 0
    assert "Plain weights" in ended.out
    assert "none that Facette knows" in ended.out
    assert "state_dict.layer.weight  3×4     float32  48  cpu" in ended.out
    assert "state_dict.layer.count   scalar  int64     8  cpu" in ended.out
    assert "epoch = 12" in ended.out


def test_machines_read_the_same(run, weights):
    told = run("inspect", weights, "--json").json
    assert told["format"] == "torch zip"
    assert told["bytes"] == weights.stat().st_size
    assert told["suspicious"] == []
    assert {(line["name"], tuple(line["shape"]), line["bytes"]) for line in told["tensors"]} == {
        ("state_dict.layer.weight", (3, 4), 48),
        ("state_dict.layer.count", (), 8),
    }
    assert told["opcodes"]["REDUCE"] > 0
    assert "torch._utils._rebuild_tensor_v2" in told["names"]


def test_danger_is_named_and_not_carried_out(run, tmp_path):
    torch.save({"model": {"w": torch.zeros(2)}, "config": Shell()}, tmp_path / "evil.pth")
    ended = run("inspect", tmp_path / "evil.pth")
    assert ended.code == 0
    assert "Dangerous" in ended.out
    assert "posix.system" in ended.out
    assert "model.w" in ended.out
    assert not (tmp_path / "canary").exists()


def test_a_bare_pickle_is_told_as_one(run, tmp_path):
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps({"a": 1}))
    assert "bare pickle" in run("inspect", tmp_path / "bare.pkl").out


def test_a_damaged_file_is_one_sentence_and_code_2(run, weights):
    weights.write_bytes(weights.read_bytes()[:-30])
    ended = run("inspect", weights)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("facette: 'plain.pth' is a zip file whose end is missing")


def test_long_lists_are_cut_unless_asked_for(run, tmp_path):
    torch.save({f"t{i:03d}": torch.zeros(1) for i in range(250)}, tmp_path / "many.pth")
    assert "and 50 more" in run("inspect", tmp_path / "many.pth").out
    assert "t249" in run("inspect", tmp_path / "many.pth", "--all").out


def test_it_needs_no_torch(weights):
    """Inspection is quick because it imports neither torch nor numpy."""
    program = (
        "import sys; from facette.cli import main\n"
        "try: main(['inspect', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print([n for n in ('torch', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, weights], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("[]")
