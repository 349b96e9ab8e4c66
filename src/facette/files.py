"""Files on a disk that others use too: written whole or not at all, and by nobody else at the same time.

Enters: paths and bytes. Leaves: files that appear in one step, digests, and folders that one process owns while it
works in them. It does not know what is in a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import stat
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from facette.errors import BusyError, UsageError

WINDOWS = sys.platform == "win32"
_LONGEST_NAME = 255  # bytes, on every file system in common use
LOCK, OWNER = ".lock", ".owner"
_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]+://|(?:https?|ftps?|s3|gs|file):/|data:|www\.)", re.IGNORECASE)
SEAL = "digest"
_TEMPORARY = re.compile(r"\.facette-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}\.tmp(\.\w+)?")


def write_atomically(path: Path, data: bytes | str | Iterable[bytes | memoryview]) -> None:
    """Write a file, whole or part by part, under a name of its own beside it; flush it and rename it into place."""
    # bytes of names that are no text are written as escapes, or the file would be none either
    parts = (
        [data.encode("utf-8", "backslashreplace")]
        if isinstance(data, str)
        else [data]
        if isinstance(data, bytes)
        else data
    )
    with appearing(path) as temporary, temporary.open("wb") as file:
        file.writelines(parts)


@contextmanager
def appearing(path: Path, suffix: str = "") -> Iterator[Path]:
    """A name to write a file under, which becomes `path` when the block ends well and goes away when it does not.

    `suffix`: for writers that decide by it. No two writers get the same name: two at once leave one whole file. A link
    stays one, and what it leads to is written; a file that is replaced goes on being whose it was, for those who might
    read it. Raises UsageError where a device or a pipe lies.
    """
    place = behind_links(path)
    before = _kind_of(place)
    if before is not None and not stat.S_ISREG(before.st_mode):
        raise UsageError(no_plain_file(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(place, suffix)
    try:
        if before is not None:
            temporary.touch(0o600)  # what others may not read they may not read while it is written, either
        yield temporary
        flush(temporary)
        if before is not None:
            _belong_as(temporary, before)
        temporary.replace(place)
    except OSError as error:
        if error.errno and error.filename is None:  # as of a full disk, which is met through an open file
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _kind_of(place: Path) -> os.stat_result | None:
    """What lies there; None where nothing does."""
    try:
        return place.stat()
    except FileNotFoundError:
        return None


def _belong_as(path: Path, before: os.stat_result) -> None:
    """Give a new file the owner and the permissions of the one before it, as far as this user and the disk allow."""
    with suppress(OSError):
        if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
            os.chown(path, before.st_uid, before.st_gid)
    with suppress(OSError):
        path.chmod(stat.S_IMODE(before.st_mode))


def behind_links(path: Path) -> Path:
    """Where a link leads, whether anything lies there or not. Raises UsageError where links lead in a circle."""
    if not path.is_symlink():
        return path
    place = Path(os.path.realpath(path))  # on a circle Path.resolve raises, or not, by its version
    if place.is_symlink():
        raise UsageError(f"nothing can be written to {str(path)!r}: its links lead in a circle")
    return place


def no_plain_file(path: Path) -> str:
    """Why nothing is written there."""
    kind = "a folder" if path.is_dir() else "a device or a pipe"
    return f"nothing can be written to {str(path)!r}: it is {kind}, not a file"


def flush(path: Path) -> None:
    """Have the disk hold what was written to a file, or a folder's list of names; Windows knows that of files alone."""
    if WINDOWS:
        if path.is_file():
            with path.open("r+b") as file:  # there a file that is only read cannot be flushed
                os.fsync(file.fileno())
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_beside(path: Path, suffix: str = "") -> Path:
    """A name that nobody else writes to, in the same folder; `clear_leftovers` knows whose it was."""
    return path.with_name(f".facette-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp{suffix}")


def clear_leftovers(folder: Path, deep: bool = False) -> list[Path]:
    """Remove what processes of this machine that are no more were writing in the folder, and `deep` in those within it;
    returns what went."""
    written = folder.rglob(".facette-*") if deep else folder.glob(".facette-*")
    leftovers = [path for path in written if _is_leftover(path.name)]
    for path in leftovers:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return leftovers


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """See, before any work, that what will be written has a place and falls onto nothing that is read.

    Raises UsageError for an output that is one of the inputs, whatever name it goes by, for one that lies where nothing
    can be written, and for two outputs of one name.
    """
    known = [path for path in inputs if path.exists()]
    used: set[Path] = set()
    for output in outputs:
        if max(len(os.fsencode(part)) for part in (*output.parts, "")) > _LONGEST_NAME:
            raise UsageError(f"{output.name[:40]!r}… is too long a name: {_LONGEST_NAME} bytes are the most")
        place = behind_links(output).resolve()
        if place in used:
            raise UsageError(f"two results would be written to {str(output)!r}: give them two names")
        used.add(place)
        for path in known:
            if path.resolve() == place or (output.exists() and path.samefile(output)):
                raise UsageError(f"{str(output)!r} is read, and would be written over: name another place")
        _check_writable(place if output.is_symlink() else output)


def check_ending(path: str | Path, endings: Iterable[str]) -> Path:
    """The path, if its name has one of the endings; so a command can refuse before it has worked."""
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise UsageError(f"cannot write {path}: choose a file name that ends in {', '.join(endings)}")
    return path


def _check_writable(output: Path) -> None:
    if output.exists() and not (output.is_file() or output.is_dir()):
        raise UsageError(no_plain_file(output))
    folder = output if output.is_dir() else output.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise UsageError(
            f"nothing can be written to {str(output)!r}: {str(folder)!r} is a file, not a folder"
        )
    probe = temporary_beside(folder / "x")
    try:
        with probe.open("xb"):
            pass
        probe.unlink()
    except OSError as error:
        raise UsageError(f"nothing can be written to {str(output)!r}: {error.strerror}") from error


def name_apart(wished: Path, used: set[str]) -> Path:
    """`wished`, with a number behind its name where that is in `used`, to which it is added.

    Names that differ in capitals or in their Unicode form alone are one name, as they are on some disks.
    """
    path, number = wished, 1
    while (key := name_key(path)) in used:
        number += 1
        path = wished.with_name(f"{wished.stem}-{number}{wished.suffix}")
    used.add(key)
    return path


def free_path(wished: Path, endings: Iterable[str] = ()) -> Path:
    """`wished` where nothing lies there yet, else the first of its kind with a number behind the name.

    `endings`: of files that will lie beside it under the same name; these have to be free, too.
    """
    path, number = wished, 1
    while any(os.path.lexists(path.with_suffix(ending)) for ending in (path.suffix, *endings)):
        number += 1
        path = wished.with_name(f"{wished.stem}-{number}{wished.suffix}")
    return path


def name_key(path: Path) -> str:
    """What two paths have in common that are, or on some disks would be, one file."""
    return unicodedata.normalize("NFC", str(path.resolve())).casefold()


def json_text(data: object, indent: int | None = 2) -> str:
    """`json_of` with a line end."""
    return json_of(data, indent=indent) + "\n"


def json_of(data: object, **options: Any) -> str:
    """JSON that can be written as UTF-8: where a name holds bytes that are no text, everything foreign is escaped.

    `options` as `json.dumps` takes them.
    """
    text = json.dumps(data, ensure_ascii=False, **options)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(data, ensure_ascii=True, **options)
    return text


def stand_in(first: bytes) -> str:
    """What a file that begins with these bytes is instead of what its name says, with the remedy; empty for others."""
    if not first:
        return "empty (0 bytes)"
    if first.startswith(b"version https://git-lfs"):
        return "Git LFS's pointer and not the file itself: git lfs pull"
    if first.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page: was the download successful?"
    return ""


def stand_in_of(path: Path) -> str:
    """As `stand_in`, of a file; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return stand_in(file.read(64))
    except OSError:
        return ""


def is_address(name: str | Path) -> bool:
    """Whether this is the address of something elsewhere; a path made of one has lost one of its slashes."""
    return _ADDRESS.match(str(name)) is not None


def digest_of(data: bytes | memoryview) -> str:
    """BLAKE2b of 16 bytes, as 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def digest_of_file(path: Path) -> str:
    """`digest_of` its content, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the digest of all that is in it, for `unsealed`."""
    rest = {name: value for name, value in data.items() if name != SEAL}
    return rest | {SEAL: _digest_without(data, SEAL)}


def unsealed(data: Any) -> dict[str, Any]:
    """What was sealed. Raises ValueError for anything else; what an older version wrote has no seal and passes."""
    if not isinstance(data, dict):
        raise ValueError("it holds no JSON object")  # noqa: TRY004 - a value of JSON, as its parser's own complaints
    if SEAL in data:
        whole = data[SEAL] == _digest_without(data, SEAL)
    else:  # or is it the seal's name that has changed?
        whole = not any(_is_digest(data[name]) and data[name] == _digest_without(data, name) for name in data)
    if not whole:
        raise ValueError("it does not hold what was written")
    return {name: value for name, value in data.items() if name != SEAL}


def _digest_without(data: Mapping[str, Any], name: str) -> str:
    rest = {other: value for other, value in data.items() if other != name}
    return digest_of(json.dumps(rest, sort_keys=True).encode())


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None


def user_cache() -> Path:
    """Where this user's derived files are kept: $FACETTE_CACHE, else the cache folder of the XDG conventions, else,
    where none can be made (a container's user without a home), a folder of this user's own among the temporary ones."""
    chosen, base = os.environ.get("FACETTE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen).expanduser()
    try:
        cache = (Path(base) if base else Path.home() / ".cache") / "facette"
    except RuntimeError:  # a user without an entry in the system's list
        return _temporary_cache()
    return cache if _can_be_made(cache) else _temporary_cache()


def _can_be_made(folder: Path) -> bool:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _temporary_cache() -> Path:
    whose = os.getuid() if hasattr(os, "getuid") else 0
    cache = Path(tempfile.gettempdir()) / f"facette-{whose}"
    cache.mkdir(mode=0o700, exist_ok=True)
    if not is_private(cache):
        raise UsageError(
            f"{str(cache)!r} belongs to somebody else: say where the cache may lie (FACETTE_CACHE)"
        )
    return cache


def is_private(path: Path) -> bool:
    """Whether only this user, or the system's own, can have written what lies there; true where it cannot be told."""
    if not hasattr(os, "getuid"):
        return True
    about = path.stat()
    return about.st_uid in (os.getuid(), 0) and not about.st_mode & 0o022


@contextmanager
def owned(folder: Path, work: str) -> Iterator[None]:
    """Be the only process that works in the folder, which is created, while the block runs.

    `work` says what is being done, for whoever is refused. The system takes the lock away from a process that dies, so
    a folder never stays locked. What dead owners left half written is cleared. Raises BusyError where somebody has it.
    """
    is_new = not folder.exists()
    _create(folder)
    try:
        with _held(folder, folder / LOCK, folder / OWNER, work, create=folder):
            clear_leftovers(folder, deep=True)
            yield
    finally:
        if is_new:
            with suppress(OSError):  # it holds something, as it should
                folder.rmdir()


def _create(folder: Path) -> None:
    """Make the folder where it is not there yet; an owner that leaves nothing in it may take it away meanwhile."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            with suppress(FileNotFoundError):  # between two questions it may be taken away
                is_folder = stat.S_ISDIR(folder.lstat().st_mode) or folder.is_dir()
                if not is_folder:  # a file, or a link that leads nowhere
                    raise
        else:
            return


@contextmanager
def claimed(path: Path, work: str) -> Iterator[None]:
    """Be the only process that is about to write this file, and those that belong to it, while the block runs.

    As `owned` for a folder; nothing is created but the lock, beside the file or where its folder will be. Raises
    BusyError where somebody has it.
    """
    place = path.resolve()
    folder = next(above for above in place.parents if above.is_dir())
    name = f".facette-{digest_of(os.fsencode(place))}"
    with _held(path, folder / f"{name}{LOCK}", folder / f"{name}{OWNER}", work):
        yield


@contextmanager
def _held(
    place: Path, lock_file: Path, owner_file: Path, work: str, create: Path | None = None
) -> Iterator[None]:
    """Hold the lock. `create`: its folder, made again where an owner before takes it away under us."""
    from filelock import FileLock, Timeout  # takes a while, and a single drawing needs no lock

    lock = FileLock(lock_file, timeout=0, thread_local=False)
    while not lock.is_locked:
        try:
            lock.acquire()
        except Timeout:
            raise BusyError(_in_use(place, owner_file)) from None
        except (FileNotFoundError, FileExistsError):  # filelock makes the folder, too
            if create is None:
                raise
            _create(create)
    try:
        owner = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "work": work,
            "since": time.strftime("%Y-%m-%d %H:%M"),
        }
        write_atomically(owner_file, json.dumps(owner, ensure_ascii=True))
        yield
    finally:
        with suppress(OSError):  # it may be gone with its folder; Windows removes no open file
            owner_file.unlink(missing_ok=True)
            lock_file.unlink(missing_ok=True)  # whoever has it open already notices that it is gone
        lock.release()


def _in_use(place: Path, owner_file: Path) -> str:
    try:
        owner = json.loads(owner_file.read_text("utf-8"))
        whose = f"{owner['work']}, process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just begun, or is about to end
        whose = "another process"
    return f"{str(place)!r} is in use by {whose}: wait for it, or end it"


def _is_leftover(name: str) -> bool:
    match = _TEMPORARY.fullmatch(name)
    return match is not None and match["host"] == _host() and not is_alive(int(match["pid"]))


def is_alive(pid: int) -> bool:
    """Whether a process of this number runs on this machine; one that has ended and is not waited for does not."""
    if sys.platform == "win32":
        return True  # asking with a signal would end it
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True  # no such file system, or it has just ended


def _host() -> str:
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
