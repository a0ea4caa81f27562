"""AMI ids written in files: Terraform code and state, CloudFormation, Kubernetes, lists (`--used-by-files`)."""

import errno
import os
import re
import stat
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from .errors import UsageError
from .models import Reference, Use

STANDARD_INPUT = "-"

AMI_ID = re.compile(rb"ami-(?:[0-9a-f]{17}|[0-9a-f]{8})(?![0-9A-Za-z])")
"""AWS's ids have 8 or 17 digits (EC2 guide, "Resource IDs").  A letter before one may be the end of an escape, as in the
JSON of Terraform's state (`\\nami-…`, `\\u003eami-…`).  An id too many only keeps more."""

HEAD = 8192
"""Bytes at the start of a file in which a NUL makes it binary, as in git."""

SKIPPED = ".git"


def read_files(paths: Iterable[str], stdin: BinaryIO | None = None) -> list[Reference]:
    """References to every AMI id in these files and folders, one per file, sorted; `-` is `stdin`.

    Folders are read with everything below them, symbolic links are followed.  Whatever is called `.git` and binary files are
    skipped; UTF-16 with its byte order mark is text.  Raises UsageError for what cannot be read.
    """
    references: set[Reference] = set()
    for path in dict.fromkeys(paths):
        if path == STANDARD_INPUT:
            if stdin is None:
                raise UsageError("--used-by-files -: standard input is closed.")
            references.update(_references("standard input", _text(stdin.read())))
        else:
            for file in _files(path):
                references.update(_references(f"file {file}", _read(file)))
    return sorted(references)


def _files(path: str) -> Iterator[str]:
    """The file itself, or all files in and below a folder, each folder once however many links lead there."""
    if not os.path.isdir(path):
        yield os.path.normpath(path)
        return
    seen: set[tuple[int, int]] = set()
    try:
        for folder, folders, names in os.walk(os.path.normpath(path), onerror=_raise, followlinks=True):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            folders[:] = [name for name in folders if name != SKIPPED]
            for name in names:
                file = os.path.normpath(os.path.join(folder, name))
                if name != SKIPPED and _is_file(file):
                    yield file
    except OSError as error:
        raise _unreadable(os.path.normpath(error.filename or path), error) from error


def _raise(error: OSError) -> None:
    raise error


def _is_file(path: str) -> bool:
    """Whether it is a file, not a pipe or a symbolic link that leads back to itself.  Raises OSError if the target of a link
    is missing: it is unknown what would be written there."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return False


def _read(file: str) -> bytes:
    """The content of a text file, nothing of a binary one."""
    try:
        with open(file, "rb", buffering=0) as opened:
            head = opened.read(HEAD) or b""
            if b"\0" in head and not _is_utf16(head):
                return b""
            # A file that fits into its head is most files; a pipe gives less than asked for, long before its end.
            return _text(head + opened.readall())
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error


def _is_utf16(content: bytes) -> bool:
    return content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))


def _text(content: bytes) -> bytes:
    return content.decode("utf-16", "replace").encode() if _is_utf16(content) else content


def _references(label: str, content: bytes) -> Iterator[Reference]:
    """One per AMI: `label` with the number of the first line that names it (`file infra/prod.tf:41`)."""
    line, counted = 1, 0
    seen: set[bytes] = set()
    for found in AMI_ID.finditer(content):
        if found[0] in seen:
            continue
        seen.add(found[0])
        line += content.count(b"\n", counted, found.start())
        counted = found.start()
        place = f"{label}:{line}"
        yield Reference(found[0].decode(), Use("file", place.removeprefix("file "), "", "", place))


def _unreadable(path: str, error: Exception) -> UsageError:
    return UsageError(f"--used-by-files: {path}: {getattr(error, 'strerror', None) or error}.")
