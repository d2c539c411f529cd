"""A directory as one file, and back: how checkpoints travel."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from luthier.core.errors import LuthierError

LARGEST = 1 << 40  # bytes that may come out of a parcel
_SWELLING, _FREE = 20, 100 << 20  # a parcel that says more than that is a bomb: what pack() makes is not compressed
_MOST = 1_000_000  # files
_BLOCK = 1 << 20


def pack(folder: str, target: Path) -> None:
    """Write all files below *folder* into the zip *target*; it is there only once it is complete.

    Symbolic links are followed where they lead to files; those that lead nowhere are left out.

    Raises:
        LuthierError: there is no such directory.
    """
    if not os.path.isdir(folder):
        raise LuthierError(f"checkpoint={folder!r} is no directory")
    draft = target.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED, allowZip64=True, strict_timestamps=False) as parcel:
        for place, folders, files in os.walk(folder):
            inside = os.path.relpath(place, folder)
            if not folders and not files and inside != ".":
                parcel.writestr(zipfile.ZipInfo(f"{PurePosixPath(inside)}/"), b"")
            for name in sorted(files):
                path = os.path.join(place, name)
                if os.path.isfile(path):
                    parcel.write(path, os.path.normpath(os.path.join(inside, name)))
    draft.replace(target)


def unpack(parcel: Path, folder: Path, largest: int = LARGEST) -> None:
    """Write what is in the zip *parcel* below *folder*, which is made; nothing is written anywhere else.

    Raises:
        LuthierError: it is no zip, a name in it leads out of the folder, or it holds more than *largest* bytes.
    """
    largest = min(largest, parcel.stat().st_size * _SWELLING + _FREE)
    try:
        with zipfile.ZipFile(parcel) as opened:
            entries = opened.infolist()
            if len(entries) > _MOST or sum(entry.file_size for entry in entries) > largest:
                raise LuthierError(f"the checkpoint {parcel.name} holds more than {largest} bytes, or too many files")
            folder.mkdir(parents=True, exist_ok=True)
            left = largest
            for entry in entries:
                target = folder.joinpath(*_parts(entry.filename))
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise LuthierError(f"the checkpoint {parcel.name} holds a link: {entry.filename!r}")
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as source, target.open("xb") as sink:
                    while block := source.read(_BLOCK):
                        left -= len(block)
                        if left < 0:
                            raise LuthierError(f"the checkpoint {parcel.name} holds more than {largest} bytes")
                        sink.write(block)
    except (zipfile.BadZipFile, FileExistsError, NotImplementedError, EOFError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise LuthierError(f"the checkpoint {parcel.name} is damaged: {error}") from error


def _parts(name: str) -> list[str]:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or "\\" in name or "\0" in name or any(p in {"..", ""} for p in parts):
        raise LuthierError(f"the checkpoint has a file with the name {name!r}, which leads out of it")
    return [part for part in parts if part != "."]
