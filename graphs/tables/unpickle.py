"""A pickle reader that admits dicts, numbers and NumPy scalars and nothing else, so that a table cannot run code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from graphs.errors import TableError

_SCALAR = np.float64(0).__reduce__()[0]
_ALLOWED = {
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("numpy", "dtype"): np.dtype,
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise TableError(f"the table asks for {module}.{name}, which a table of plain numbers never needs")
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise TableError("the table holds a persistent reference, which a table of plain numbers never needs")


def read_plain_pickle(path: Path) -> dict[Any, Any]:
    """The dict pickled in `path`.

    Raises:
        TableError: the file is missing, cut short, no pickle of a dict, or names anything but dicts and numbers.
    """
    try:
        data = path.read_bytes()
        loaded = _PlainUnpickler(io.BytesIO(data)).load()
    except TableError as error:
        raise TableError(f"{path}: refused, {error}; reinstall the package that ships it") from None
    except OSError as error:
        raise TableError(
            f"{path}: cannot read the table ({error.strerror}); reinstall the package that ships it"
        ) from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise TableError(
            f"{path}: damaged or no pickle ({type(error).__name__}: {error}); reinstall the package that ships it"
        ) from error
    if not isinstance(loaded, dict):
        raise TableError(f"{path}: expected a dict of rows, got {type(loaded).__name__}; reinstall the package")
    return loaded
