"""Object code put into memory without LLVM, whose library alone takes 50 ms to load.

Floor 4. Only what our programs need, on 64-bit x86 with ELF files: LLVM's "large" code model leaves absolute addresses
to fill in, and little else. Whatever is not known here (another machine, a kind of relocation, data that is written) is
left to LLVM's own linker. Memory is first written, then made executable, never both at once.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

_FILE = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_ELF = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian
_RELOCATABLE, _X86_64 = 1, 62
_BITS, _SYMBOLS, _RELOCATIONS = 1, 2, 4  # kinds of sections
_WRITTEN, _LOADED = 1, 2  # flags of sections
_UNDEFINED = 0


class Unsupported(Exception):
    """Something in the file is not known here."""


class Section(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry: int


class Code:
    """A loaded object file. It lives as long as this object; `code[name]` is where a function of it begins."""

    def __init__(self, image: bytes, resolve: Callable[[str], int]) -> None:
        self._image, self._resolve = image, resolve
        self._sections = _sections(image)
        self._places = self._lay_out()
        self._symbols = self._find_symbols()
        self._relocate()
        _make_executable(self._start, len(self._memory))

    def __getitem__(self, name: str) -> int:
        return self._symbols[name]

    def _lay_out(self) -> dict[int, int]:
        """Copy what is loaded into memory: the address of each section."""
        places, end = {}, 0
        for k, s in enumerate(self._sections):
            if s.kind == _BITS and s.flags & _LOADED and s.size and self._name(s) != ".eh_frame":
                if s.flags & _WRITTEN:
                    raise Unsupported
                end = -(-end // s.align) * s.align
                places[k] = end
                end += s.size
            elif s.flags & _LOADED and s.size and s.kind != _BITS:
                raise Unsupported
        self._memory = mmap.mmap(-1, max(end, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        for k, place in places.items():
            s = self._sections[k]
            self._memory[place : place + s.size] = self._image[s.offset : s.offset + s.size]
        return {k: self._start + place for k, place in places.items()}

    def _name(self, s: Section) -> str:
        *_, names = _FILE.unpack_from(self._image)
        return self._text(self._sections[names], s.name)

    def _text(self, strings: Section, at: int) -> str:
        start = strings.offset + at
        return self._image[start : self._image.index(0, start)].decode()

    def _find_symbols(self) -> dict[Any, int]:
        """The addresses of symbols, by number and by name."""
        found: dict[Any, int] = {}
        for s in self._sections:
            if s.kind != _SYMBOLS:
                continue
            for k in range(s.size // _SYMBOL.size):
                at, _, _, section, value, _ = _SYMBOL.unpack_from(self._image, s.offset + k * _SYMBOL.size)
                name = self._text(self._sections[s.link], at)
                if section == _UNDEFINED and name:
                    found[k] = self._resolve(name)
                elif section in self._places:
                    found[k] = self._places[section] + value
                else:
                    continue
                if name:
                    found[name] = found[k]
        return found

    def _relocate(self) -> None:
        for s in self._sections:
            if s.kind != _RELOCATIONS or s.info not in self._places:
                continue
            for k in range(s.size // _RELOCATION.size):
                offset, info, addend = _RELOCATION.unpack_from(self._image, s.offset + k * _RELOCATION.size)
                if info >> 32 not in self._symbols:
                    raise Unsupported
                place = self._places[s.info] + offset
                value = self._symbols[info >> 32] + addend
                at = place - self._start
                match info & 0xFFFFFFFF:
                    case 1:  # R_X86_64_64
                        struct.pack_into("<Q", self._memory, at, value)
                    case 2 | 4 if -(2**31) <= value - place < 2**31:  # R_X86_64_PC32, R_X86_64_PLT32
                        struct.pack_into("<i", self._memory, at, value - place)
                    case _:
                        raise Unsupported


def load(image: bytes, resolve: Callable[[str], int]) -> Code | None:
    """The code in memory; None if LLVM must do it. `resolve` gives the address of a symbol that is not in the image."""
    if sys.platform != "linux":
        return None
    try:
        return Code(image, resolve)
    except (Unsupported, struct.error, OSError):
        return None


def _sections(image: bytes) -> list[Section]:
    if not image.startswith(_ELF):
        raise Unsupported
    _, kind, machine, _, _, _, table, _, _, _, _, size, count, _ = _FILE.unpack_from(image)
    if (kind, machine) != (_RELOCATABLE, _X86_64):
        raise Unsupported
    return [Section(*_SECTION.unpack_from(image, table + k * size)) for k in range(count)]


def process_symbol(name: str) -> int:
    """The address of a function of C's libraries, as this process has them."""
    try:
        return int(ctypes.cast(_process[name], ctypes.c_void_p).value or 0)
    except AttributeError:
        raise Unsupported from None


def _make_executable(start: int, size: int) -> None:
    if _process.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC):
        raise Unsupported


_process = ctypes.CDLL(None) if sys.platform == "linux" else ctypes.pythonapi
