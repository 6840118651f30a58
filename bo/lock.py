"""One process on a campaign directory: a file lock that the system releases however the process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphs.errors import CampaignBusy, StoreError


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Create `folder` where needed and hold it.

    Raises:
        CampaignBusy: another process holds it.
        StoreError: it cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot write here ({error.strerror}); choose another directory with --dir"
        ) from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(file, 32).decode(errors="replace").strip()
            raise CampaignBusy(
                f"{folder}: process {holder or '?'} works on this campaign; wait for it or choose another --dir"
            ) from error
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)
