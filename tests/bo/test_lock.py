"""Two processes and one directory."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bo.lock import LOCK, hold
from graphs.errors import CampaignBusy, StoreError

HOLDER = """
import sys
from pathlib import Path
from bo.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds `folder` until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(CampaignBusy, match=f"process {process.pid} works on this campaign; wait for it or choose"):
            hold(tmp_path).__enter__()
        assert process.poll() is None, "the refusal harms the holder"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_the_lock_goes_with_its_process_however_that_ends(tmp_path: Path, end: signal.Signals | None) -> None:
    with holder(tmp_path) as process:
        if end is None:
            process.communicate()
        else:
            process.send_signal(end)
            process.wait()
        with hold(tmp_path):
            assert (tmp_path / LOCK).read_text() == str(os.getpid())


def test_the_lock_is_taken_once_in_a_process_and_free_after_an_error(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(CampaignBusy, match=f"process {os.getpid()} works"):
        hold(tmp_path).__enter__()
    with pytest.raises(RuntimeError, match="in between"), hold(tmp_path):
        raise RuntimeError("in between")
    with hold(tmp_path):
        pass
    assert (tmp_path / LOCK).read_text() == ""


def test_missing_folders_are_made(tmp_path: Path) -> None:
    with hold(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_place_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        with pytest.raises(StoreError, match=r"cannot write here .*choose another directory with --dir"):
            hold(folder).__enter__()
    assert (tmp_path / "file").read_text() == "mine"


def test_those_who_share_a_directory_keep_out_who_wants_it_alone(tmp_path: Path) -> None:
    refused = pytest.raises(CampaignBusy, match="or start all of its processes with --share")
    with hold(tmp_path, shared=True), hold(tmp_path, shared=True), refused:
        hold(tmp_path).__enter__()
    with hold(tmp_path), pytest.raises(CampaignBusy):
        hold(tmp_path, shared=True).__enter__()
