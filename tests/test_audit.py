"""The audit log is there before AWS is called, on disk before a change is made, and never somewhere else."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from amicleaner.audit import AuditError, AuditLog, Change, NullAudit
from amicleaner.errors import UsageError
from tests.aws.deletion.simulation import HOME, Time

CHANGE = Change("ec2:DeregisterImage", HOME, "ami-1")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_before_and_a_line_after_each_call(tmp_path: Path) -> None:
    path, time = tmp_path / "audit.jsonl", Time()
    with AuditLog(path, clock=time.clock) as audit:
        attempt = audit.before(CHANGE)
        time.advance(0.5)
        audit.after(attempt, CHANGE, "done", snapshots={"snap-1": "success"})
    before, after = lines(path)
    same = {
        "attempt": attempt,
        "action": "ec2:DeregisterImage",
        "account": HOME.account,
        "region": "eu-west-1",
        "id": "ami-1",
    }
    assert before == {"time": "2026-01-01T00:16:40.000Z", "event": "before", **same}
    assert after == {
        "time": "2026-01-01T00:16:40.500Z",
        "event": "after",
        **same,
        "outcome": "done",
        "code": None,
        "message": None,
        "snapshots": {"snap-1": "success"},
    }


def test_a_refusal_has_its_code_and_message_and_no_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as audit:
        audit.after(audit.before(CHANGE), CHANGE, "refused", code="Un\nknown", message="\x1b[2J\u202e\ud800")
    assert len(path.read_bytes().splitlines()) == 2
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in path.read_bytes())
    assert lines(path)[1]["outcome"] == "refused"
    assert lines(path)[1]["message"] == "\x1b[2J\u202e\ud800"


def test_a_line_is_on_disk_when_the_method_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    synced: list[int] = []
    with AuditLog(path) as audit:
        monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
        audit.before(CHANGE)
        assert synced == [path.stat().st_size]
        assert len(lines(path)) == 1


def test_it_is_made_for_its_owner_alone_and_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    before = os.umask(0)
    try:
        AuditLog(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b""


def test_it_is_appended_to_and_attempts_of_two_runs_differ(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    attempts = []
    for _ in range(2):
        with AuditLog(path) as audit:
            attempts.append(audit.before(CHANGE))
    assert [line["attempt"] for line in lines(path)] == attempts
    assert attempts[0] != attempts[1]


def test_a_line_that_a_killed_run_left_unfinished_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"event": "bef')
    with AuditLog(path) as audit:
        audit.before(CHANGE)
        audit.before(CHANGE)
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


def test_a_link_that_is_put_there_in_the_last_moment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("precious")
    link.symlink_to(victim)
    monkeypatch.setattr(os, "lstat", os.stat)
    with pytest.raises(UsageError, match="symbolic link"):
        AuditLog(link)


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev")
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/null"])
def test_what_cannot_be_kept_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="it is"):
        AuditLog(path)


def test_what_is_no_file_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(os, "open", lambda *arguments: pytest.fail("opened"))
    with pytest.raises(UsageError, match="no regular file"):
        AuditLog(tmp_path / "pipe")


def test_a_pipe_is_refused_without_waiting_for_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        AuditLog(tmp_path / "pipe")
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "lstat", lambda path: (tmp_path / "file").stat())
    with pytest.raises(UsageError, match="no regular file"):
        AuditLog(tmp_path / "pipe")


@pytest.mark.parametrize("path", ["missing/audit.jsonl", ".", "", "nul\0", "file/audit.jsonl", "x" * 5000])
def test_what_cannot_be_opened_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(UsageError, match=r"^The audit log .* can't be opened") as raised:
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
            audit.before(CHANGE)
        monkeypatch.setattr(os, "write", write)
        attempt = audit.before(CHANGE)
    assert json.loads(path.read_text().splitlines()[-1])["attempt"] == attempt


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    write = os.write
    with AuditLog(path) as audit:
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
        audit.before(CHANGE)
    assert len(lines(path)) == 1


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as audit, ThreadPoolExecutor(8) as pool:
        attempts = list(pool.map(lambda _: audit.before(CHANGE), range(100)))
    assert {line["attempt"] for line in lines(path)} == set(attempts)
    assert len(set(attempts)) == 100


def test_without_a_log_nothing_is_noted_and_closing_twice_is_no_error(tmp_path: Path) -> None:
    audit = NullAudit()
    audit.after(audit.before(CHANGE), CHANGE, "done")
    log = AuditLog(tmp_path / "audit.jsonl")
    log.close()
    log.close()
