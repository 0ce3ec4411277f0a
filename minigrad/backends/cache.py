"""The cache: compiled programs kept on disk, so that a second process compiles nothing.

Floor 4. An entry is one file: a fixed head with a checksum, a description in JSON, and raw bytes (constants and object
code). Reading one never runs Python code. Machine code is only run if its file can have been written by nobody but
this user, carries its checksum, and was made under exactly the key that is asked for; anything else counts as not
there. Entries are written beside their place and renamed into it, so readers see whole entries and parallel writers do
no harm. When the files grow beyond the limit, those not used for longest go; a process looks for that when it saves its
first entry, and again when it has filled half of the room it found, or a sixteenth of the limit.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad import config
from minigrad.errors import CacheWarning
from minigrad.lazy import lazy_module
from minigrad.source import user_line

platformdirs: Any = lazy_module("platformdirs")

MEBIBYTE = 2**20
_HEAD = struct.Struct("<8sQQ32s")  # magic, bytes of JSON, bytes of payload, checksum of all the rest
_MAGIC = b"minigra1"
_SUFFIX = ".program"
_ABANDONED = 3600.0  # seconds after which a file that was never renamed has no writer any more
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_SPARE = 16  # a folder that is too full is cleared until this part of the limit is free
_warned: set[str] = set()
_room: dict[tuple[Path, int], int] = {}  # bytes this process may add to a folder, with this limit, before it looks


class Refused(Exception):
    """An entry or a folder must not be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept for one key: a description (JSON) and bytes."""

    description: dict[str, Any]
    payload: bytes


def pack(key: str, entry: Entry) -> bytes:
    """An entry as the bytes of its file."""
    about = json.dumps({"key": key, "program": entry.description}, separators=(",", ":")).encode()
    sizes = (len(about), len(entry.payload))
    return _HEAD.pack(_MAGIC, *sizes, _checksum(about, entry.payload)) + about + entry.payload


def unpack(key: str, data: bytes) -> Entry:
    """The entry in the bytes of a file; Refused unless they are all there, unchanged, and belong to the key."""
    if len(data) < _HEAD.size or data[:8] != _MAGIC:
        raise Refused("is not an entry")
    _, described, carried, checksum = _HEAD.unpack_from(data)
    if len(data) != _HEAD.size + described + carried:
        raise Refused("is cut off")
    about, payload = data[_HEAD.size : _HEAD.size + described], data[_HEAD.size + described :]
    if _checksum(about, payload) != checksum:
        raise Refused("is damaged")
    content = json.loads(about)
    if content["key"] != key:
        raise Refused("was made for another program or machine")
    return Entry(content["program"], payload)


def _checksum(about: bytes, payload: bytes) -> bytes:
    sizes = struct.pack("<QQ", len(about), len(payload))
    return hashlib.blake2b(sizes + about + payload, digest_size=32).digest()


class Store:
    """The entries in one folder. No method raises for what the disk does: it warns once and does without."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    # ── reading ──────────────────────────────────────────────────────────────────────────────────
    def load(self, key: str) -> Entry | None:
        """The entry of a key, if there is one that can be trusted."""
        path = self.path(key)
        try:
            self._require_trusted()
        except FileNotFoundError:
            return None
        except (OSError, Refused) as why:
            self._warn(why)
            return None
        try:
            entry = unpack(key, _read(path))
        except FileNotFoundError:
            return None
        except (OSError, Refused) as why:
            _warn(f"{path} {_reason(why)}: it is ignored, the program is compiled again")
            return None
        with suppress(OSError):
            os.utime(path)  # used now: evicted last
        return entry

    def path(self, key: str) -> Path:
        return self.folder / (key + _SUFFIX)

    # ── writing ──────────────────────────────────────────────────────────────────────────────────
    def save(self, key: str, entry: Entry) -> None:
        """Keep an entry, unless it is too large or the disk refuses."""
        data = pack(key, entry)
        if len(data) > self.limit:
            return
        try:
            if not os.path.lexists(self.folder):
                os.makedirs(self.folder, mode=0o700, exist_ok=True)
            self._require_trusted()
            self._write(self.path(key), data)
            left = _room.get((self.folder, self.limit), 0) - len(data)
            if left <= 0:  # others fill it, too, as quickly
                left = min(self._evict() // 2, self.limit // _SPARE)
            _room[self.folder, self.limit] = left
        except OSError as why:
            hint = "choose another folder with MINIGRAD_CACHE_DIR, or keep none: MINIGRAD_CACHE=0"
            _warn(f"cannot keep compiled programs: the folder {self.folder} {_reason(why)}\n  {hint}")
        except Refused as why:
            self._warn(why)

    def _write(self, path: Path, data: bytes) -> None:
        """Not forced to the disk, which may take longer than to compile: what a crash cuts off, the checksum finds."""
        beside = path.with_name(f"{path.stem}.{os.getpid()}.{os.urandom(6).hex()}.part")
        handle = os.open(beside, _CREATE, 0o600)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
            finally:
                os.close(handle)
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)
            raise

    def _evict(self) -> int:
        """Beyond the limit, delete the entries used least recently, and files left by the dead; the bytes then free."""
        now = time.time()
        for path, about in self._files(".part"):
            if now - about.st_mtime > _ABANDONED:
                _delete(path)
        files = sorted(self._files(_SUFFIX), key=lambda f: f[1].st_mtime_ns, reverse=True)
        sizes = [about.st_size for _, about in files]
        most = self.limit if sum(sizes) <= self.limit else self.limit - self.limit // _SPARE
        kept = total = 0
        for (path, _), size in zip(files, sizes):
            total += size
            if total > most:
                _delete(path)
            else:
                kept = total
        return self.limit - kept

    # ── trust ────────────────────────────────────────────────────────────────────────────────────────
    def _require_trusted(self) -> None:
        about = os.stat(self.folder)
        if not stat.S_ISDIR(about.st_mode):
            raise Refused("is not a folder")
        _require_own(about)

    def _warn(self, why: Exception) -> None:
        hint = "make it yours alone (chmod 700), or choose another one with MINIGRAD_CACHE_DIR"
        _warn(f"the folder {self.folder} {_reason(why)}: no programs are taken from it or kept in it\n  {hint}")

    # ── as a whole ───────────────────────────────────────────────────────────────────────────────
    def _files(self, suffix: str) -> Iterator[tuple[Path, os.stat_result]]:
        try:
            found = os.scandir(self.folder)
        except FileNotFoundError:
            return
        with found:
            for e in found:
                if e.name.endswith(suffix):
                    with suppress(OSError):  # gone meanwhile: another process evicts too
                        yield Path(e.path), e.stat(follow_symlinks=False)

    def empty(self) -> bool:
        """Is there no entry that could be read? At the first one it stops looking."""
        try:
            return next(self._files(_SUFFIX), None) is None
        except OSError:
            return True

    def entries(self) -> list[tuple[Path, int]]:
        """The files of the entries and their sizes in bytes."""
        return [(path, about.st_size) for path, about in self._files(_SUFFIX)]

    def verify(self) -> list[tuple[Path, str]]:
        """The entries that would be refused, and why; the folder, if nothing in it can be trusted."""
        bad = []
        try:
            self._require_trusted()
        except FileNotFoundError:
            return []
        except (OSError, Refused) as why:
            return [(self.folder, f"{_reason(why)}: all that lies in it is ignored")]
        for path, _ in self.entries():
            try:
                unpack(path.stem, _read(path))
            except (OSError, Refused) as why:
                bad.append((path, _reason(why)))
        return bad

    def clear(self) -> int:
        """Delete all entries; how many there were."""
        entries = self.entries()
        for path, _ in [*entries, *self._files(".part")]:
            _delete(path)
        return len(entries) - len(self.entries())


def store() -> Store | None:
    """The cache as the settings have it; None if it is off."""
    if not config.cache.get():
        return None
    return configured()


def configured() -> Store:
    """The cache, be it on or off."""
    return Store(folder(), config.cache_size.get() * MEBIBYTE)


def folder() -> Path:
    """Where entries are kept: the setting, or below the platform's folder for caches."""
    chosen = config.cache_dir.get()
    return (
        Path(os.path.expanduser(chosen))
        if chosen
        else Path(platformdirs.user_cache_dir("minigrad", appauthor=False)) / "programs"
    )


# ── the file system ──────────────────────────────────────────────────────────────────────────────
def _read(path: Path) -> bytes:
    handle = os.open(path, _OPEN)
    with open(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise Refused("is not a file")
        _require_own(about)
        return file.read()


def _require_own(about: os.stat_result) -> None:
    """Refuse what somebody else can have written. Windows keeps a user's cache folder to the user."""
    user: Callable[[], int] | None = getattr(os, "geteuid", None)
    if user is None:
        return
    if about.st_uid != user():
        raise Refused("belongs to another user")
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused("can be written by other users")


def _delete(path: Path) -> None:
    with suppress(OSError):
        os.unlink(path)


def _reason(why: Exception) -> str:
    if not isinstance(why, OSError):
        return str(why)
    if why.errno == errno.ELOOP:
        return "is a symbolic link"
    return f"cannot be used ({why.strerror})"


def _warn(what: str) -> None:
    """Say it once in the life of this process."""
    if what in _warned:
        return
    _warned.add(what)
    line = user_line()
    warnings.warn_explicit(f"cache: {what}", CacheWarning, line.filename, line.lineno)
