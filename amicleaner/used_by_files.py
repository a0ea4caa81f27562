"""AMI ids written in files: Terraform code and state, CloudFormation, Kubernetes, lists (`--used-by-files`)."""

import errno
import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from .errors import UsageError
from .models import Reference, Use

STANDARD_INPUT = "-"

AMI_ID = re.compile(rb"(?<![0-9A-Za-z])ami-(?:[0-9a-f]{17}|[0-9a-f]{8})(?![0-9A-Za-z])")
"""An id as a whole word: AWS's ids have 8 or 17 digits (EC2 guide, "Resource IDs")."""

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
    try:
        if not os.path.isdir(path):
            yield os.path.normpath(path)
            return
        seen: set[tuple[int, int]] = set()
        folders = [os.path.normpath(path)]
        while folders:
            folder = folders.pop()
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == SKIPPED or _leads_nowhere(entry):
                        continue
                    name = entry.name if folder == os.curdir else entry.path
                    if entry.is_dir():
                        folders.append(name)
                    elif entry.is_file():
                        yield name
    except OSError as error:
        raise _unreadable(error.filename or path, error) from error


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Whether it is a symbolic link that leads back to itself.  Raises OSError if its target is missing: it is
    unknown what would be written there."""
    if not entry.is_symlink():
        return False
    try:
        os.stat(entry.path)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return True
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
