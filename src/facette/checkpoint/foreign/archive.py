"""The zip files that torch writes, and no others.

Enters: an open `Source`. Leaves: the stored members, by name, whole and checked. Torch stores its members
uncompressed, one after another; so nothing compressed, encrypted, doubled, overlapping or oddly named is
accepted, and no member can be larger than the file. Nothing is ever written to disk. Layout: APPNOTE 6.3.
"""

import struct
import zlib
from dataclasses import dataclass

from facette.checkpoint.foreign.limits import Budget
from facette.checkpoint.foreign.source import Source
from facette.errors import CheckpointError

_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_CENTRAL, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_MAX32, _MAX16 = 0xFFFFFFFF, 0xFFFF
_PIECE = 1 << 20
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    size: int
    checksum: int  # CRC-32
    header: int  # position of its local header
    data: int  # position of its first byte


class Archive:
    """The members of a torch zip file below its one top folder, e.g. `data.pkl` and `data/0`."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self._source, self._budget = source, budget
        self._verified: set[str] = set()
        index, start, count = _read_index(source, budget)
        members = _parse_index(index, count, source, budget)
        _check_layout(members, start)
        _check_names([member.name for member in members])
        self.top, self.members = _under_one_folder(members)

    def size(self, name: str) -> int:
        return self._member(name).size

    def read(self, name: str, start: int = 0, count: int | None = None) -> bytes:
        """A member, or `count` bytes of it from `start`.

        Raises CheckpointError when it is missing, too short, or its checksum does not agree: all of it is checked
        the first time, piece by piece, so that a small tensor never costs the memory of a large member.
        """
        member = self._member(name)
        count = member.size - start if count is None else count
        if start < 0 or count < 0 or start + count > member.size:
            raise CheckpointError(f"is damaged: its part {name!r} is shorter than its pickle says")
        if name not in self._verified:
            self._verify(member)
            self._verified.add(name)
        return self._source.read(member.data + start, count)

    def _verify(self, member: Member) -> None:
        checksum = 0
        for at in range(0, member.size, _PIECE):
            self._budget.check_time()
            piece = self._source.read(member.data + at, min(_PIECE, member.size - at))
            checksum = zlib.crc32(piece, checksum)
        if checksum != member.checksum:
            raise CheckpointError(f"is damaged: the checksum of its part {member.name!r} does not agree")

    def _member(self, name: str) -> Member:
        if name not in self.members:
            raise CheckpointError(f"has no part {name[:80]!r}, although its pickle refers to it")
        return self.members[name]


def _read_index(source: Source, budget: Budget) -> tuple[bytes, int, int]:
    """The central directory, its position, and how many members it lists."""
    tail_start = max(0, source.size - 22 - _MAX16)
    tail = source.read(tail_start, source.size - tail_start)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise CheckpointError(
            "is a zip file whose end is missing: it was cut off while being copied or written"
        )
    disk, first_disk, here, count, size, start, comment = struct.unpack("<4H2LH", tail[at + 4 : at + 22])
    if at + 22 + comment != len(tail) or disk or first_disk or here != count:
        raise CheckpointError("is a damaged zip file: its last record does not fit")
    end = tail_start + at
    if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR64:
        end = struct.unpack("<Q", tail[at - 12 : at - 4])[0]
        record = source.read(end, 56)
        if record[:4] != _END64:
            raise CheckpointError("is a damaged zip file: its 64-bit record is missing")
        count64, size64, start64 = struct.unpack("<3Q", record[32:56])
        for short, long, most in ((count, count64, _MAX16), (size, size64, _MAX32), (start, start64, _MAX32)):
            if short not in (most, long):
                raise CheckpointError("is a zip file with two contradicting lists of contents")
        count, size, start = count64, size64, start64
    if size > budget.limits.archive_index_bytes or count > budget.limits.archive_members:
        raise CheckpointError(f"is a zip file with too many parts ({count:,})")
    if start + size != end:
        raise CheckpointError("is a zip file whose list of contents is not where it should be")
    return source.read(start, size), start, count


def _parse_index(index: bytes, count: int, source: Source, budget: Budget) -> list[Member]:
    members, at = [], 0
    for _ in range(count):
        if index[at : at + 4] != _CENTRAL or len(index) < at + 46:
            raise CheckpointError("is a zip file with a damaged list of contents")
        fields = struct.unpack("<6H3L5H2L", index[at + 4 : at + 46])
        flags, method, checksum, packed, size = fields[2], fields[3], fields[6], fields[7], fields[8]
        name_length, extra_length, comment_length, disk, header = *fields[9:13], fields[15]
        name = index[at + 46 : at + 46 + name_length]
        at += 46 + name_length
        extra = index[at : at + extra_length]
        at += extra_length + comment_length
        if len(name) != name_length or at > len(index) or disk not in (0, _MAX16):
            raise CheckpointError("is a zip file with a damaged list of contents")
        if flags & _ENCRYPTED_FLAGS:
            raise CheckpointError("is an encrypted zip file: torch writes none")
        if method != 0:
            raise CheckpointError(
                "is a compressed zip file: torch stores its tensors as they are, so unpack it first"
            )
        size, packed, header = _wide(extra, size, packed, header)
        if size != packed:
            raise CheckpointError("is a zip file with a part whose two sizes contradict each other")
        members.append(_locate(name, size, checksum, header, source))
        budget.check_time()
    if at != len(index):
        raise CheckpointError("is a zip file with more in its list of contents than it counts")
    return members


def _wide(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """The 64-bit values of a member's extra field, where the short ones say to look there."""
    values = [size, packed, header]
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        body = extra[at + 4 : at + 4 + length]
        if kind == 1:
            for i in range(3):
                if values[i] == _MAX32 and len(body) >= 8:
                    values[i], body = struct.unpack("<Q", body[:8])[0], body[8:]
            break
        at += 4 + length
    return values[0], values[1], values[2]


def _locate(name: bytes, size: int, checksum: int, header: int, source: Source) -> Member:
    """Find a member's data behind its local header, which must tell the same name."""
    local = source.read(header, 30)
    if local[:4] != _LOCAL:
        raise CheckpointError("is a zip file whose list of contents points to something else")
    flags, method = struct.unpack("<HH", local[6:10])
    name_length, extra_length = struct.unpack("<HH", local[26:30])
    if flags & _ENCRYPTED_FLAGS or method != 0 or source.read(header + 30, name_length) != name:
        raise CheckpointError("is a zip file whose list of contents contradicts its parts")
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        raise CheckpointError("is a zip file with a part whose name is no text") from None
    return Member(text, size, checksum, header, header + 30 + name_length + extra_length)


def _check_layout(members: list[Member], index_start: int) -> None:
    end = 0
    for member in sorted(members, key=lambda m: m.header):
        if member.header < end:
            raise CheckpointError("is a zip file whose parts overlap")
        end = member.data + member.size
    if end > index_start:
        raise CheckpointError("is a zip file with a part that reaches beyond its end")


def _check_names(names: list[str]) -> None:
    for name in names:
        parts = name.rstrip("/").split("/")
        drive = name[1:2] == ":"
        if not name.isprintable() or "\\" in name or drive or any(p in ("", ".", "..") for p in parts):
            raise CheckpointError(f"is a zip file with a part named {name[:80]!r}, which no checkpoint needs")
    if len({name.casefold() for name in names}) != len(names):
        raise CheckpointError("is a zip file with two parts of the same name")


def _under_one_folder(members: list[Member]) -> tuple[str, dict[str, Member]]:
    tops = {member.name.partition("/")[0] for member in members}
    if len(tops) != 1 or any("/" not in member.name for member in members):
        raise CheckpointError(
            "is a zip file, but not one that torch.save writes (its parts share no top folder)"
        )
    (top,) = tops
    return top, {member.name[len(top) + 1 :]: member for member in members if not member.name.endswith("/")}
