"""Files that are written once and never changed, locally or behind any fsspec URL.

Everything a home holds is either named by its content or numbered, so two operations are
enough: read a file, and put one where none is yet. Putting is all or nothing: a reader sees
the whole file or none, and when `put` returns, the file survives a power cut.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from diamond_pricing.errors import BusyError, MissingExtraError, RegistryError
from diamond_pricing.files import ASIDE, folder, put


class Store(Protocol):
    """What a home needs of a storage. Keys are relative, with forward slashes."""

    def read(self, key: str) -> bytes:
        """Content of a file; FileNotFoundError when there is none."""
        ...

    def put(self, key: str, data: bytes) -> bool:
        """Write a file unless it is there; say whether it was written."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; none when there is no folder."""
        ...

    @contextmanager
    def writing(self, *, wait: bool) -> Iterator[None]:
        """Hold the home against other writers; BusyError unless ``wait``."""
        ...


class LocalStore:
    """A directory of a local file system.

    A file is written aside, flushed to the disk and linked to its name, which fails when
    the name is taken; then the directory is flushed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def read(self, key: str) -> bytes:
        """Content of a file."""
        return self._path(key).read_bytes()

    def put(self, key: str, data: bytes) -> bool:
        """Write a file unless it is there; say whether it was written."""
        target = self._path(key)
        folder(target.parent)
        return put(target, data)

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted."""
        try:
            found = [path.name for path in self._path(folder).iterdir()]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.startswith("."))

    @contextmanager
    def writing(self, *, wait: bool) -> Iterator[None]:
        """Hold the directory against other writers on this machine."""
        folder(self.root)
        with (self.root / ".lock").open("wb") as lock:
            try:
                _hold(lock.fileno(), wait)
            except (BlockingIOError, PermissionError) as error:
                raise BusyError(f"another process is writing to {self.root}.") from error
            for left in self.root.glob(f"*/{ASIDE}*"):  # by writers that were killed
                left.unlink(missing_ok=True)
            yield

    def _path(self, key: str) -> Path:
        return self.root / _checked(key)


class UrlStore:
    """A prefix behind an fsspec URL, such as ``s3://``, ``gs://``, ``abfs://``.

    Putting relies on the storage's own exclusive creation (on S3 a conditional request), so
    that of two writers one is told that it came second. There is no lock to wait for.
    """

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise MissingExtraError(f"a home at {url}", "cloud") from error
        self.url = url.rstrip("/")
        try:
            self.files, self.prefix = fsspec.core.url_to_fs(self.url)
        except (ValueError, ImportError) as error:
            raise RegistryError(f"{self.url} cannot be opened: {error}.") from error

    def __str__(self) -> str:
        return self.url

    def read(self, key: str) -> bytes:
        """Content of a file."""
        with self._asking():
            content: bytes = self.files.cat_file(self._path(key))
        return content

    def put(self, key: str, data: bytes) -> bool:
        """Write a file unless it is there; say whether it was written."""
        path = self._path(key)
        with self._asking():
            if self.files.exists(path):
                return False
            self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                self.files.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
        return True

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted."""
        try:
            with self._asking():
                found = self.files.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        names = (PurePosixPath(path).name for path in found)
        return sorted(name for name in names if name and not name.startswith("."))

    @contextmanager
    def writing(self, *, wait: bool) -> Iterator[None]:
        """Nothing is held: a writer that comes second is told when it puts its entry."""
        yield

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask the storage; its client's own errors, as of no credentials, are OSErrors."""
        self.files.invalidate_cache()
        try:
            yield
        except (OSError, ValueError):
            raise
        except Exception as error:
            raise OSError(f"{self.url}: {error}") from error

    def _path(self, key: str) -> str:
        return f"{self.prefix.rstrip('/')}/{_checked(key)}"


def open_store(where: str | Path) -> Store:
    """Open the storage at a path or a URL."""
    text = str(where)
    if "://" in text and not text.startswith("file://"):
        return UrlStore(text)
    return LocalStore(Path(text.removeprefix("file://")))


def _checked(key: str) -> str:
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or "\\" in key or "\0" in key or not path.parts:
        raise ValueError(f"{key!r} is not a path inside a home.")
    return str(path)


def _hold(handle: int, wait: bool) -> None:
    """Lock a file until it is closed, or the process ends."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
