"""A saved PyG `Data` object, read without running code that the file might hold."""

import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

from gnn_search.data.features import quiet
from gnn_search.data.memory import available_bytes, check_bytes
from graphs.errors import DataError

DATA_CLASSES = [Data, DataEdgeAttr, DataTensorAttr, GlobalStorage]
"""What a saved `Data` object is made of beside tensors; unpickling these sets attributes and no more."""

HOW = "torch.save(Data(x=..., edge_index=..., y=..., train_mask=..., val_mask=..., test_mask=...), path)"


def read_saved(path: Path) -> list[Any]:
    """The graphs in a file of `torch.save`: a `Data`, its `to_dict()`, or a list of these.

    Raises:
        DataError: no such file, or one that holds something else, or objects that could run code.
        TooLarge: the file is larger than the memory that is left.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file, expected a saved PyG Data object; write one with {HOW}")
    check_bytes(f"{path}: reading it", path.stat().st_size, available_bytes())
    try:
        with torch.serialization.safe_globals(DATA_CLASSES), quiet():
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"found {foreign[1]}" if foreign else str(error).splitlines()[-1]
        raise DataError(
            f"{path}: holds more than a Data object of tensors, which could run code when it is opened, so it is not "
            f"opened ({reason}). Where you trust the file, open it with torch.load(path, weights_only=False), take the "
            f"tensors out and write them with {HOW}"
        ) from error
    except (EOFError, RuntimeError, OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read ({error}), expected what torch.save wrote; write it again with {HOW}"
        ) from error
    entries = content if isinstance(content, list) and content else [content]
    graphs = [Data.from_dict(entry) if _is_dict(entry) else entry for entry in entries]
    for graph in graphs:
        if not isinstance(graph, Data):
            raise DataError(f"{path}: holds a {type(graph).__name__}, expected a PyG Data object; write one with {HOW}")
    return graphs


def _is_dict(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(key, str) for key in entry)
