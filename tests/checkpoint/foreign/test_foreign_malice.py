"""Hostile files: none runs anything, each ends in one sentence, whatever it claims about itself.

The proof runs in a process of its own, under an audit hook and a limit on memory (foreign_guard.py). A control
shows that the live files really act when an unpickler believes them, and that the guard sees it.
"""

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import foreign_malice as malice
import foreign_networks as nets
import pytest
import torch

from facette.checkpoint.foreign import import_checkpoint, inspect_checkpoint
from facette.checkpoint.foreign.container import open_checkpoint
from facette.checkpoint.foreign.limits import Budget, Limits
from facette.checkpoint.foreign.names import NameLedger
from facette.checkpoint.foreign.pickle_vm import read_pickle
from facette.errors import CheckpointError

SUPPORT = Path(malice.__file__).parent
HANG = 240  # seconds after which a child process is taken to hang

BELIEVE = """
import json, os, sys, warnings
from pathlib import Path
import torch
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
import foreign_networks
alive = {}
for name, path in json.load(sys.stdin).items():
    canary = Path(path).parent / "canary"
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1), os.dup2(quiet, 2)
        try:
            torch.load(path, weights_only=False)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    for _ in range(100):  # a shell may still be starting
        if canary.exists():
            break
        __import__("time").sleep(0.02)
    alive[name] = canary.exists()
    if canary.is_dir():
        canary.rmdir()
    else:
        canary.unlink(missing_ok=True)
print(json.dumps(alive))
"""


def child(program: list[str], files: dict[str, Path]) -> dict:
    """Run a program over files; what it tells as JSON."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, *program],
        input=json.dumps({name: str(path) for name, path in files.items()}),
        capture_output=True,
        text=True,
        timeout=HANG,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    path = tmp_path_factory.mktemp("honest") / "honest.pth"
    torch.save(nets.make("compact 2").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    return malice.write_live(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    return malice.write_traps(tmp_path_factory.mktemp("traps"))


@pytest.fixture(scope="module")
def outcomes(live, traps, honest):
    """What each file ended in, by name."""
    files = {f"live: {name}": path for name, path in live.items()}
    files |= {f"trap: {name}": path for name, path in traps.items()}
    return child([str(SUPPORT / "foreign_guard.py")], files | {"honest": honest})


def test_the_live_files_are_alive(live):
    """The control: believed by torch.load(weights_only=False), each of them leaves its canary."""
    alive = child(["-c", BELIEVE, str(SUPPORT)], live)
    assert [name for name, acted in alive.items() if not acted] == []
    assert len(alive) >= 35


def test_nothing_of_any_file_is_executed(outcomes, live, traps):
    breaches = {
        name: told[act]["breaches"]
        for name, told in outcomes.items()
        for act in ("import", "inspect")
        if told[act]["breaches"]
    }
    assert breaches == {}
    for paths in (live, traps):
        assert not any((path.parent / "canary").exists() for path in paths.values() if path.is_file())
    assert len(outcomes) > 180


def test_the_guard_sees_what_is_executed(tmp_path):
    """The control of the guard itself: an import of code and a file written are told."""
    program = f"""
import sys; sys.path.insert(0, {str(SUPPORT)!r})
import foreign_guard as guard
guard.watching = "x"
sys.addaudithook(guard.listen)
open({str(tmp_path / "canary")!r}, "w").close()
eval("1 + 1")
guard.watching = None
import json
print(json.dumps(guard.breaches))
"""
    told = child(["-c", program], {})
    assert any(event.startswith("open") for event in told)
    assert any(event.startswith(("compile", "exec")) for event in told)


def test_every_file_ends_in_one_sentence(outcomes):
    quiet = {"error": None, "breaches": []}
    assert outcomes["honest"] == {"import": quiet, "inspect": quiet}
    for name in outcomes.keys() - {"honest"}:
        told = outcomes[name]
        kind, sentence = told["import"]["error"] or ("nothing", "")
        assert kind == "CheckpointError", f"{name} ended in {kind}: {sentence}"
        assert "\n" not in sentence, name
        assert 10 < len(sentence) < 500, f"{name}: {sentence}"
        assert told["inspect"]["error"] is None or told["inspect"]["error"][0] == "CheckpointError", name


def test_every_live_file_is_refused_for_what_it_asks(outcomes):
    """Not for some accident on the way: the sentence names the name, and inspection calls it dangerous."""
    for name, told in outcomes.items():
        if name.startswith("live: "):
            assert "asks for" in told["import"]["error"][1], name


# Odd, but honest about themselves: nothing is wrong with them except that they are no model.
ONLY_EMPTY = {
    *("lists nested 200,000 deep", "a dictionary inside itself", "an object that is its own state"),
    *("a memo of 2**31", "colliding integer keys"),
    *("stand-ins nested 60,000 deep", "before 1.6, without numbers"),
}


def test_every_trap_is_refused_for_its_own_fault(outcomes):
    """Not because it is no known network, which is all that would be left if a check were missing."""
    empty = {
        name.removeprefix("trap: ")
        for name, told in outcomes.items()
        if name.startswith("trap: ") and re.match(r"'[^']*' holds ", told["import"]["error"][1])
    }
    assert empty == ONLY_EMPTY


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("zip bomb", "compressed"),
        ("zip with lzma", "compressed"),
        ("encrypted zip", "encrypted"),
        ("zip with a part inside another", "overlap"),
        ("zip-slip", "a part named '../../canary'"),
        ("zip with two data.pkl", "two parts of the same name"),
        ("TorchScript", "compiled TorchScript"),
        ("tar file of torch 0.1", "tar file"),
        ("one number expanded to millions", "more than the 4 numbers stored"),
        ("a stride that leaves the storage", "reads outside"),
        ("a storage shorter than it says", "fewer numbers"),
        ("a key of 2**60 tuples", "dictionary key"),
        ("a stride of 2**40 tuples", "has stride 'not a plain value"),
        ("a named pipe", "not a regular file"),
    ],
)
def test_the_sentence_says_what_is_wrong(name, fault, outcomes):
    assert fault in outcomes[f"trap: {name}"]["import"]["error"][1]


def test_inspection_names_the_danger(live):
    """Also in a file that is broken besides, which cannot be read to its end."""
    said = {name: said_by_inspection(path) for name, path in live.items()}
    assert all("asks for" in sentence for sentence in said.values())
    assert all("angerous" in sentence for sentence in said.values())
    assert sum(sentence.startswith("Dangerous") for sentence in said.values()) > 30


def test_inspection_does_not_call_a_mere_oddity_dangerous(tmp_path):
    """A quantised or complex tensor is not read, but it is no attack either."""
    for lie in ({"rebuild": "_rebuild_qtensor"}, {"kind": "ComplexFloatStorage"}, {"kind": "QInt8Storage"}):
        (tmp_path / "odd.pth").write_bytes(malice.torch_zip(malice.tensor_pickle(**lie), {"0": bytes(16)}))
        said = said_by_inspection(tmp_path / "odd.pth")
        assert "does not read" in said
        assert "angerous elsewhere" not in said
        assert not said.startswith("Dangerous")


def said_by_inspection(path):
    try:
        return inspect_checkpoint(path).verdict
    except CheckpointError as error:
        return str(error)


def test_a_call_is_never_made_whatever_its_name(tmp_path):
    """Even a stranger's class is only remembered, never made: this one would raise at once."""
    with nets.living_in("vae", Exploding):
        (tmp_path / "x.pth").write_bytes(malice.torch_zip(pickle.dumps({"a": Exploding()}, 2)))
        Exploding.armed = True
        try:
            with pytest.raises(RuntimeError, match="was made"):
                torch.load(tmp_path / "x.pth", weights_only=False)
            with pytest.raises(CheckpointError, match="holds no tensors"):
                import_checkpoint(tmp_path / "x.pth")
        finally:
            Exploding.armed = False


class Exploding:
    armed = False

    def __reduce__(self):
        return Exploding, ()

    def __init__(self):
        if Exploding.armed:
            raise RuntimeError("it was made")


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(opcodes=100), "more than 100 instructions"),
        (Limits(objects=50), "more than 50 objects"),
        (Limits(tensors=3), "more than 3 tensors"),
        (Limits(tensor_bytes=1000), "claim more than"),
        (Limits(file_bytes=1000), "is larger than"),
        (Limits(pickle_bytes=100), "absurdly large"),
        (Limits(archive_members=5), "too many parts"),
        (Limits(archive_index_bytes=100), "too many parts"),
        (Limits(seconds=-1.0), "took longer"),
        (Limits(dimensions=1), "short row"),
    ],
)
def test_every_limit_holds(limits, what, honest):
    with pytest.raises(CheckpointError, match=what), open_checkpoint(honest, limits=limits):
        pass


def test_time_is_watched_inside_a_pickle():
    stream = b"\x80\x02" + b"N0" * 5000 + b"N."
    with pytest.raises(CheckpointError, match="took longer"):
        read_pickle(stream, 0, NameLedger(), Budget(Limits(seconds=-0.1)), lambda identifier: None)
    assert read_pickle(stream, 0, NameLedger(), Budget(Limits()), lambda identifier: None) == (
        None,
        len(stream),
    )


def test_a_missing_file_and_an_unreadable_one_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"'nowhere\.pth' cannot be opened: No such file"):
        import_checkpoint(tmp_path / "nowhere.pth")


def test_the_control_characters_of_a_hostile_name_do_not_reach_the_terminal(tmp_path, capsys):
    from facette.cli import main

    state = {"a\x1b[2Jb": torch.zeros(2)}
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(SystemExit) as left:
        main(["inspect", str(tmp_path / "x.pth")])
    assert left.value.code == 0
    assert "\x1b" not in capsys.readouterr().out
