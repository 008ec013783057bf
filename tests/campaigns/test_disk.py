"""What a crash of the machine leaves on the disk, as the campaign rebuilds it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.campaigns.disk import (
    CREATED,
    FOLDER_SYNCED,
    FOUND,
    SYNCED,
    TRUNCATED,
    UNLINKED,
    WRITTEN,
    Disk,
    Event,
    events,
    put,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "/folder/journal.db"
CHANCES = 60  # crashes to look at


def happen(disk: Disk, *what: tuple[int, int, bytes]) -> set[bytes | None]:
    """Let events of one file happen; return the contents that crashes after them leave (``None``: no file)."""
    for kind, offset, data in what:
        disk.take(Event(0, kind, 1, offset, data))
    rng = random.Random(1)  # noqa: S311 - it is no secret
    return {disk.after_a_crash(rng).get(NAME) for _ in range(CHANCES)}


def test_what_was_synced_is_there(tmp_path: Path) -> None:
    """File and folder synced: every crash leaves exactly that."""
    found = happen(
        Disk(tmp_path), (CREATED, 0, NAME.encode()), (WRITTEN, 0, b"abc"), (SYNCED, 0, b""), (FOLDER_SYNCED, 0, b"")
    )
    assert found == {b"abc"}


def test_what_was_not_synced_may_be_missing(tmp_path: Path) -> None:
    """A write after the last sync is there, or not, or in part by sectors."""
    disk = Disk(tmp_path)
    happen(disk, (CREATED, 0, NAME.encode()), (WRITTEN, 0, b"a" * 1024), (SYNCED, 0, b""), (FOLDER_SYNCED, 0, b""))
    found = happen(disk, (WRITTEN, 0, b"b" * 1024))
    assert found == {first * 512 + second * 512 for first in (b"a", b"b") for second in (b"a", b"b")}


def test_a_name_needs_its_folder(tmp_path: Path) -> None:
    """A file whose folder was not synced may be gone with all its contents."""
    found = happen(Disk(tmp_path), (CREATED, 0, NAME.encode()), (WRITTEN, 0, b"abc"), (SYNCED, 0, b""))
    assert found == {None, b"abc"}


def test_a_file_that_was_unlinked_may_come_back(tmp_path: Path) -> None:
    """Until the folder is synced."""
    disk = Disk(tmp_path)
    begun = [(CREATED, 0, NAME.encode()), (WRITTEN, 0, b"abc"), (SYNCED, 0, b""), (FOLDER_SYNCED, 0, b"")]
    happen(disk, *begun)
    assert happen(disk, (UNLINKED, 0, NAME.encode())) == {None, b"abc"}
    assert happen(disk, (FOLDER_SYNCED, 0, b"")) == {None}


def test_the_files_at_the_beginning_are_certain(tmp_path: Path) -> None:
    """What lay in the folder is there until it is changed, and an index is none of ours."""
    (tmp_path / "journal.db").write_bytes(b"abcdef")
    (tmp_path / "journal.db-shm").write_bytes(b"index")
    name = str(tmp_path / "journal.db")
    disk = Disk(tmp_path)
    disk.take(Event(0, FOUND, 1, 0, name.encode()))
    disk.take(Event(0, TRUNCATED, 1, 3, b""))
    disk.take(Event(0, SYNCED, 1, 0, b""))
    image = disk.after_a_crash(random.Random(1))  # noqa: S311 - it is no secret
    assert image == {name: b"abc"}
    put(image, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"journal.db": b"abc"}


def test_a_record_that_was_cut_off_ends_before(tmp_path: Path) -> None:
    """The last event of a killed process may be there in part."""
    whole = b"".join([(7).to_bytes(8, "little"), WRITTEN.to_bytes(4, "little"), (1).to_bytes(4, "little")])
    whole += (0).to_bytes(8, "little") + (3).to_bytes(8, "little") + b"abc"
    for length in range(len(whole), 2 * len(whole)):
        (tmp_path / "record").write_bytes((whole * 2)[:length])
        assert list(events(tmp_path / "record")) == [Event(7, WRITTEN, 1, 0, b"abc")]
