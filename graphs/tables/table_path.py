"""Where published tables lie that do not come with a package."""

import os
from pathlib import Path

from graphs.errors import TableError


def table_path(needed: str, file: str, folder: Path | None) -> Path:
    """The path of `file` in `folder`, or in what ARCHGEN_DATA names.

    Args:
        needed: who needs it for what, e.g. "NAS-Bench-201 needs its table".
        file: where the table lies in the folder.
        folder: the folder, if it is known.

    Raises:
        TableError: it is not, and ARCHGEN_DATA names nothing.
    """
    named = os.environ.get("ARCHGEN_DATA")
    if folder is None and not named:
        raise TableError(f"{needed}: set ARCHGEN_DATA to the folder that holds {file}")
    return (folder or Path(str(named))) / file
