"""The files below the paths that the user gave, and the folders they are in.

Hidden names are passed over, which is also what makes a mounted ConfigMap be read once: its `..data` folders are
hidden, and the links beside them are followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from fastingress.errors import SCARCE, StartError, worded
from fastingress.sources.manifests.batch import ManifestPathError
from fastingress.sources.manifests.reading import Signature, signature_of

_SUFFIXES = (".yaml", ".yml", ".json")
_DEEPEST = 64
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


class Root(NamedTuple):
    """A path that the user gave."""

    number: int
    path: str


class File(NamedTuple):
    """A manifest file."""

    path: str
    """As the user would name it: the path given, and what follows."""
    signature: Signature
    link: bool
    """It is a symbolic link."""


class Denied(NamedTuple):
    """A folder that cannot be listed, or anything that cannot even be named."""

    path: str
    reason: str


class Strange(NamedTuple):
    """What has the name of a manifest file and is none."""

    path: str


def roots_of(paths: list[str]) -> list[Root]:
    """The roots, without those that another one contains.

    Raises ManifestPathError for a path that is not there or cannot be read, StartError when there are too few
    descriptors or too little memory to look.
    """
    if not paths:
        raise ManifestPathError("no path of manifests was given (--manifests PATH)")
    roots: list[Root] = []
    real: list[str] = []
    for path in paths:
        _check_readable(path)
        own = os.path.realpath(path)
        if not any(own == other or own.startswith(other.rstrip("/") + "/") for other in real):
            real.append(own)
            roots.append(Root(len(roots), path))
    return roots


def _check_readable(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()
    except OSError as error:
        if error.errno in SCARCE:
            raise StartError(f"--manifests {worded(error)}") from error
        reason = os.strerror(error.errno or 0)
        raise ManifestPathError(f"--manifests {path}: {reason[:1].lower()}{reason[1:]}") from None
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise ManifestPathError(f"--manifests {path}: neither a file nor a folder")


def is_manifest_name(name: str) -> bool:
    """Whether a file of that name in a folder is read."""
    return not name.startswith(".") and name.lower().endswith(_SUFFIXES) and _is_text(name)


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8: others could not be shown, nor sent to the data plane as part of an age."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def strangeness(path: str) -> str:
    """Why what is at a path cannot be a file; empty for a file, a folder, and where there is nothing."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "it is a link to nothing" if os.path.islink(path) else ""
    except OSError as error:
        return os.strerror(error.errno or 0)
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    return f"it is {_KINDS.get(stat.S_IFMT(mode), 'something else')}, and no file"


def walk(root: Root, on_folder: Callable[[str], None]) -> Iterator[File | Denied | Strange]:
    """All there is below a root; nothing if it is not there.

    `on_folder` is called before a folder is listed, and for no folder that is not.
    """
    try:
        status = os.stat(root.path)
    except OSError:
        return
    if not stat.S_ISDIR(status.st_mode):
        yield File(root.path, signature_of(status), os.path.islink(root.path))
        return
    yield from _walk_folder(root.path, frozenset(), on_folder)


def place_of(path: str, roots: Sequence[Root]) -> str:
    """Sorts a file among the files of all roots: by root, then by its path below the root."""
    for root in roots:
        if path == root.path:
            return f"{root.number:03}/{os.path.basename(path)}"
        if path.startswith(folder := os.path.join(root.path, "")):
            return f"{root.number:03}/{path[len(folder) :]}"
    return path


def _walk_folder(
    path: str, above: frozenset[tuple[int, int]], on_folder: Callable[[str], None]
) -> Iterator[File | Denied | Strange]:
    """`above` are the folders this one is in, so that a link to one of them is not followed in circles."""
    try:
        own = os.stat(path)
        identity = (own.st_dev, own.st_ino)
        if identity in above or len(above) >= _DEEPEST:
            return
        on_folder(path)
        with os.scandir(path) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield Denied(path, os.strerror(error.errno or 0))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if not _is_text(entry.name):
            yield Denied(entry.path.encode("utf-8", "backslashreplace").decode(), "its name is not UTF-8")
            continue
        status = _status(entry)
        if status is not None and stat.S_ISDIR(status.st_mode):
            yield from _walk_folder(entry.path, above | {identity}, on_folder)
        elif is_manifest_name(entry.name):
            yield _leaf(entry, status)


def _leaf(entry: os.DirEntry[str], status: os.stat_result | None) -> File | Strange:
    """What has the name of a manifest file."""
    if status is None or not stat.S_ISREG(status.st_mode):
        return Strange(entry.path)
    return File(entry.path, signature_of(status), entry.is_symlink())


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Of what a link leads to; None where it leads nowhere."""
    try:
        return entry.stat()
    except OSError:
        return None
