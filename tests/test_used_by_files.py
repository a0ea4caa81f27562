"""AMI ids in files and folders."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.errors import UsageError
from amicleaner.used_by_files import read_files

LONG, OTHER, SHORT = "ami-0123456789abcdef0", "ami-0fedcba9876543210", "ami-1a2b3c4d"


def write(root: Path, **files: str | bytes) -> Path:
    """Files by their paths below a folder, with `__` for a slash."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def found(*paths: str, stdin: bytes | None = None) -> list[tuple[str, str]]:
    references = read_files(paths, None if stdin is None else io.BytesIO(stdin))
    return [(reference.ami, reference.use.label) for reference in references]


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_reference_is_a_use_of_no_account(tmp_path: Path) -> None:
    write(tmp_path, list=f"{LONG}\n")
    [reference] = read_files(["list"])
    use = reference.use
    assert (use.kind, use.id, use.account, use.region) == ("file", "list:1", "", "")


@pytest.mark.parametrize(
    "text",
    [f"{LONG}0", f"{LONG}x", "ami-0123456", "ami-123456789", LONG.upper(), "ami-0123456789abcdeg0", "ami-"],
)
def test_what_is_no_whole_id_is_none(text: str) -> None:
    assert found("-", stdin=text.encode()) == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '"{}"',
        "my-{}-old",
        "x_{}_y",
        "{};",
        "image/{}",
        "é{}é",
        "a,{},b",
        "\0{}",
        r"\n{}\n",
        r"\u003e{}\u003c",
        "%22{}%22",
    ],
)
def test_an_id_counts_after_anything_and_before_anything_but_letters_and_digits(text: str) -> None:
    assert found("-", stdin=text.format(SHORT).encode()) == [(SHORT, "standard input:1")]


def test_standard_input(tmp_path: Path) -> None:
    assert found("-", stdin=f"first\n{LONG}\r\n\n{SHORT}".encode()) == [
        (LONG, "standard input:2"),
        (SHORT, "standard input:4"),
    ]
    with pytest.raises(UsageError, match="standard input is closed"):
        read_files(["-"], None)


def test_git_folders_and_binary_files_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, _git=b"", sub__x=LONG, binary=b"\x7fELF\0" + LONG.encode(), late=b"a" * 9000 + b"\0" + LONG.encode())
    write(tmp_path / ".git", refs=LONG)
    write(tmp_path / "sub" / ".git" / "deep", refs=LONG)
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / ".git").write_text(LONG)  # of a submodule
    assert [label for _, label in found(".")] == ["file late:1", "file sub/x:1"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, image=f"# é\n{LONG}\n".encode(encoding))
    assert found("image") == [(LONG, "file image:2")]


def test_an_id_on_the_edge_of_the_first_bytes_is_whole(tmp_path: Path) -> None:
    write(tmp_path, **{f"f{shift}": b"-" * (8192 - shift) + LONG.encode() for shift in range(22)})
    assert len(found(".")) == 22


def test_each_file_counts_once_with_its_first_line(tmp_path: Path) -> None:
    write(tmp_path, image=f"\n{LONG} {LONG}\n{LONG}\n", other=LONG)
    assert [label for _, label in found("image", "image", "./image", "other")] == ["file image:2", "file other:1"]


@pytest.mark.parametrize("path", ["lost", "lost/also", "file/below"])
def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path, path: str) -> None:
    write(tmp_path, file="x")
    with pytest.raises(UsageError, match=f"--used-by-files: {path}: (No such file|Not a directory)") as caught:
        read_files([path])
    assert caught.value.exit_status == 2


def test_a_path_that_no_file_can_have_is_an_error() -> None:
    with pytest.raises(UsageError, match="embedded null"):
        read_files(["a\0b"])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("name", ["folder", "folder/file"])
def test_what_may_not_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    write(tmp_path, folder__file=LONG)
    (tmp_path / name).chmod(0)
    try:
        with pytest.raises(UsageError, match=f"{name}: Permission denied"):
            read_files(["."])
    finally:
        (tmp_path / name).chmod(0o700)


def test_a_file_that_breaks_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, folder__file=LONG)

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error", "folder/file")

    monkeypatch.setattr("builtins.open", fail)
    with pytest.raises(UsageError, match="folder/file: Input/output error"):
        read_files(["folder"])


def test_symbolic_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path, shared__image=LONG, tree__own=SHORT)
    (tmp_path / "tree" / "up").symlink_to("..")
    (tmp_path / "tree" / "linked").symlink_to("../shared/image")
    (tmp_path / "tree" / "self").symlink_to("self")
    labels = [label for _, label in found("tree")]
    assert "file tree/own:1" in labels
    assert "file tree/linked:1" in labels
    assert len(labels) == 3  # and the shared folder, through the link upwards


def test_a_link_to_nothing_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, tree__own=SHORT)
    (tmp_path / "tree" / "lost").symlink_to("nowhere")
    with pytest.raises(UsageError, match="tree/lost: No such file"):
        read_files(["tree"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, tree__own=SHORT)
    os.mkfifo(tmp_path / "tree" / "pipe")
    assert found("tree") == [(SHORT, "file tree/own:1")]


def test_a_path_that_is_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"first\n")
    os.write(writing, LONG.encode())
    os.close(writing)
    assert [id for id, _ in found(f"/dev/fd/{reading}")] == [LONG]
    os.close(reading)


@given(st.lists(st.sampled_from(["text", "\n", LONG, SHORT, " ", "ami-", "é", "\r\n"]), max_size=60), st.integers(0, 9000))
def test_every_id_is_found_with_its_line(parts: list[str], padding: int) -> None:
    text = " " * padding + " ".join(parts)
    expected: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for id in (LONG, SHORT):
            if id in line.split():
                expected.setdefault(id, f"standard input:{number}")
    assert found("-", stdin=text.encode()) == sorted(expected.items())
