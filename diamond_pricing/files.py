"""Files that are whole or not there, whatever breaks, and that last once they are written."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ASIDE = ".part-"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Give a path to write to; when the block ends well it becomes ``target``.

    Then it is on the disk: a power cut leaves the old file or the new one. A link's target
    is written, not the link; what it may be read by stays as it was. An `OSError` names
    ``target``; then nothing is left behind.
    """
    place = target.resolve()
    aside = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
    try:
        yield aside
        if place.exists():
            aside.chmod(place.stat().st_mode & 0o7777)
        flush(aside)
        aside.replace(place)
        flush(place.parent)
    except OSError as error:
        if error.filename in (None, str(aside)):
            error.filename = str(target)
        raise
    finally:
        aside.unlink(missing_ok=True)


def write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, its folder too; a pipe or device as it is."""
    folder(file.parent)
    if file.exists() and (not file.is_file() or Path("/dev") in file.absolute().parents):
        file.write_bytes(data)
        return
    with written_aside(file) as aside:
        aside.write_bytes(data)


def put(target: Path, data: bytes, mode: int = 0o666) -> bool:
    """Write a file unless there is one; say whether it was written.

    It is written aside, flushed and linked to its name, which fails when the name is taken;
    then the folder is flushed. When this returns, the file survives a power cut, whoever
    wrote it. ``mode`` says who may read and write it, less what the process masks.
    """
    if target.exists():
        return _there_already(target)
    aside = target.parent / f"{ASIDE}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            error.filename = error.filename or str(target)
            raise
        try:
            os.link(aside, target)
        except FileExistsError:
            return _there_already(target)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()
    try:
        flush(target.parent)
    except OSError:
        # What is not known to last must not be seen by anybody.
        target.unlink(missing_ok=True)
        raise
    return True


def harmless(text: str) -> str:
    """A cell of a table for people: no spreadsheet runs it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def folder(path: Path) -> None:
    """Make a folder, and those that it lies in, so that they survive a power cut."""
    if path.is_dir():
        return
    folder(path.parent)
    path.mkdir(exist_ok=True)
    flush(path.parent)


def _there_already(target: Path) -> bool:
    flush(target)  # whoever wrote it may not have come so far
    flush(target.parent)
    return False


def flush(path: Path) -> None:
    """Have a file, or a folder with the names in it, written to the disk."""
    if sys.platform == "win32" and path.is_dir():
        return  # Windows flushes no directories; NTFS keeps a journal of them
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
