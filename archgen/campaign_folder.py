"""What lies in a campaign's directory, and a campaign opened for reading."""

from __future__ import annotations

from pathlib import Path

from bo.campaign import Campaign
from bo.store_place import FILE, open_store
from graphs.errors import StoreError
from graphs.spaces.catalogue import get_space

STORE = FILE
REPORT = "report.html"
GENERATOR = "generator.safetensors"


def read_campaign(folder: Path | str) -> Campaign:
    """The campaign in `folder`, for reading, also while another process works on it.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    store = open_store(Path(folder))
    config = store.read_config()
    if config is None:
        raise StoreError(f"{folder}: the campaign was never begun; run archgen search with this --dir")
    return Campaign(get_space(config.space), config, store)
