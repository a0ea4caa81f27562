"""The audit log: a line before and a line after each call, on disk before the call is made, and in no other file."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from amicleaner.audit import AuditError, AuditLog, Subject
from amicleaner.errors import AwsError, UsageError
from amicleaner.models import Target
from tests.virtual_time import Time

HOME = Target("123456789012", "eu-west-1")
ACTION = "ec2:DeregisterImage"
AMI = Subject(
    HOME,
    "ami-1",
    name="web-1",
    tags=(("environment", "prod"), ("role", "web")),
    groups=("prod.web",),
    reason="old",
    snapshots=("snap-1", "snap-2"),
)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def error(code: str, message: str = "", *, acted: bool = False) -> AwsError:
    return AwsError(ACTION, code, message, acted=acted)


def test_each_call_has_a_line_before_and_a_line_after_with_what_a_restore_needs(tmp_path: Path) -> None:
    path, time = tmp_path / "audit.jsonl", Time()
    with AuditLog(path, clock=time.clock) as audit:
        attempt = audit.before(ACTION, AMI)
        time.sleep(0.5)
        results = [{"SnapshotId": "snap-1", "ReturnCode": "success"}]
        audit.after(attempt, ACTION, AMI, None, answer={"DeleteSnapshotResults": results})
    before, after = lines(path)
    same = {
        "version": 1,
        "attempt": attempt,
        "action": "ec2:DeregisterImage",
        "account": "123456789012",
        "region": "eu-west-1",
        "id": "ami-1",
        "name": "web-1",
        "tags": {"environment": "prod", "role": "web"},
        "group": ["prod.web"],
        "snapshots": ["snap-1", "snap-2"],
        "reason": "old",
    }
    assert before == {"time": "2026-03-01T12:00:00.000Z", "event": "before", **same}
    assert after == {
        "time": "2026-03-01T12:00:00.500Z",
        "event": "after",
        **same,
        "outcome": "done",
        "code": None,
        "message": None,
        "snapshot_results": {"snap-1": "success"},
    }


def test_a_line_on_a_snapshot_names_its_ami(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl") as audit:
        audit.before("ec2:DeleteSnapshot", AMI.snapshot("snap-1"))
    (line,) = lines(tmp_path / "audit.jsonl")
    assert (line["id"], line["ami"], line["reason"]) == ("snap-1", "ami-1", "old")
    assert not {"name", "tags", "group", "snapshots"} & set(line)


@pytest.mark.parametrize(
    "failure, sent, outcome, code",
    [
        (None, True, "done", None),
        (error("UnauthorizedOperation"), True, "refused", "UnauthorizedOperation"),
        (error("ConnectionClosedError", acted=True), True, "unknown", "ConnectionClosedError"),
        (None, False, "not-sent", None),
    ],
)
def test_each_outcome(tmp_path: Path, failure: AwsError | None, sent: bool, outcome: str, code: str | None) -> None:
    with AuditLog(tmp_path / "audit.jsonl") as audit:
        audit.after(audit.before(ACTION, AMI), ACTION, AMI, failure, sent=sent)
    after = lines(tmp_path / "audit.jsonl")[1]
    assert (after["outcome"], after["code"], after["message"]) == (outcome, code, None)


def test_a_message_is_kept_as_it_is_without_control_characters_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as audit:
        audit.after(audit.before(ACTION, AMI), ACTION, AMI, error("Un\nknown", "\x1b[2J\u202e\ud800"))
    assert len(path.read_bytes().splitlines()) == 2
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in path.read_bytes())
    assert lines(path)[1]["message"] == "\x1b[2J\u202e\ud800"


def test_a_line_is_on_disk_when_the_method_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    synced: list[int] = []
    with AuditLog(path) as audit:
        monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
        audit.before(ACTION, AMI)
        assert synced == [path.stat().st_size]
        assert len(lines(path)) == 1


def test_the_file_is_made_for_its_owner_alone_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    before = os.umask(0)
    try:
        AuditLog(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b""


def test_runs_append_and_their_attempts_differ(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    attempts = []
    for _ in range(2):
        with AuditLog(path) as audit:
            attempts.append(audit.before(ACTION, AMI))
    assert [line["attempt"] for line in lines(path)] == attempts
    assert attempts[0] != attempts[1]


def test_a_line_that_a_killed_run_left_unfinished_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"event": "bef')
    with AuditLog(path) as audit:
        audit.before(ACTION, AMI)
        audit.before(ACTION, AMI)
    first, *rest = path.read_text().splitlines()
    assert first == '{"event": "bef'
    assert [json.loads(line)["event"] for line in rest] == ["before", "before"]


def test_a_link_is_refused_whether_or_not_it_leads_anywhere(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "victim")
    with pytest.raises(UsageError, match="symbolic link"):
        AuditLog(link)
    assert not (tmp_path / "victim").exists()
    (tmp_path / "victim").write_text("precious")
    with pytest.raises(UsageError, match="symbolic link"):
        AuditLog(link)


def test_a_link_that_appears_in_the_last_moment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("precious")
    link.symlink_to(victim)
    monkeypatch.setattr(os, "lstat", os.stat)
    with pytest.raises(UsageError, match="symbolic link"):
        AuditLog(link)


def test_what_is_neither_a_file_nor_a_pipe_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", lambda *arguments: pytest.fail("opened"))
    with pytest.raises(UsageError, match="not a regular file"):
        AuditLog("/dev/null")


def test_what_became_a_device_before_it_was_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "lstat", lambda path: (tmp_path / "file").stat())
    with pytest.raises(UsageError, match="not a regular file"):
        AuditLog("/dev/null")


def test_a_pipe_takes_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(os, "fsync", lambda file: pytest.fail("a pipe cannot be synced"))
    with pytest.raises(UsageError, match="nothing reads the pipe"):
        AuditLog(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with AuditLog(pipe) as audit:
        assert os.get_blocking(audit._file)
        attempt = audit.before(ACTION, AMI)
        assert json.loads(os.read(reader, 5000))["attempt"] == attempt
        os.close(reader)
        with pytest.raises(AuditError, match="Broken pipe"):
            audit.before(ACTION, AMI)


def test_closing_does_not_wait_for_a_pipe_that_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, began, read = os.write, Event(), Event()

    def hanging(file: int, data: bytes) -> int:
        began.set()
        read.wait()
        return write(file, data)

    monkeypatch.setattr("amicleaner.audit.CLOSING", 0.01)
    monkeypatch.setattr(os, "write", hanging)
    log = AuditLog(tmp_path / "log")
    with ThreadPoolExecutor(1) as pool:
        line = pool.submit(log.before, ACTION, AMI)
        began.wait()
        log.close()
        read.set()
        line.result()
    log.close()
    assert [entry["event"] for entry in lines(tmp_path / "log")] == ["before"]
    with pytest.raises(AuditError):
        log.before(ACTION, AMI)


def test_a_dash_is_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    with AuditLog("-") as audit:
        attempt = audit.before(ACTION, AMI)
    os.write(1, b"still open\n")
    line, rest = capfd.readouterr().out.splitlines()
    assert json.loads(line)["attempt"] == attempt
    assert rest == "still open"


@pytest.mark.parametrize("path", ["missing/audit.jsonl", ".", "", "nul\0", "file/audit.jsonl", "x" * 5000])
def test_what_cannot_be_opened_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(UsageError, match=r"^--audit-log: ") as raised:
        AuditLog(path)
    assert raised.value.exit_status == 2


def test_a_full_disk_is_an_error_and_leaves_the_next_line_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    write = os.write
    with AuditLog(path) as audit:

        def full(file: int, data: bytes) -> int:
            if path.stat().st_size:
                raise OSError(28, "No space left on device")
            return write(file, data[:30])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(AuditError, match="No space left"):
            audit.before(ACTION, AMI)
        monkeypatch.setattr(os, "write", write)
        attempt = audit.before(ACTION, AMI)
    assert json.loads(path.read_text().splitlines()[-1])["attempt"] == attempt


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    write = os.write
    with AuditLog(path) as audit:
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
        audit.before(ACTION, AMI)
    assert len(lines(path)) == 1


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as audit, ThreadPoolExecutor(8) as pool:
        attempts = list(pool.map(lambda _: audit.before(ACTION, AMI), range(100)))
    assert {line["attempt"] for line in lines(path)} == set(attempts)
    assert len(set(attempts)) == 100


def test_without_a_log_nothing_is_written_down() -> None:
    audit = AuditLog(None)
    audit.after(audit.before(ACTION, AMI), ACTION, AMI, None)
    audit.close()
