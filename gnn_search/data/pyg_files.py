"""PyG's data sets, made from raw files that are there already, else downloaded; never written beside the raw files."""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch_geometric
from torch_geometric.data import Data

from gnn_search.data.features import laid_out, quiet
from gnn_search.data.sources import DataSource
from graphs.errors import ArchgenError, DataError, UnknownName

OFFICIAL_PARTS = ("train", "val", "test")


def load_pyg(source: DataSource, root: Path | None) -> list[list[Any]]:
    """The graphs of a data set: one list, or three where PyG has its official parts apart.

    Args:
        source: which.
        root: a folder with the raw files in place of what ARCHGEN_DATA names.

    Raises:
        UnknownName: the class has no such data set.
        DataError: raw files that are neither there nor to be had, or that cannot be read.
    """
    from torch_geometric import datasets  # Loads a hundred modules.

    family = getattr(datasets, source.family)
    arguments = _arguments(source, family)
    try:
        if "root" not in inspect.signature(family).parameters:
            return _graphs(family, arguments)
        raw = _raw_folder(source, root)
        return _made(family, arguments, raw, source.member or "", _home(source, raw))
    except ArchgenError:
        raise
    except AssertionError as error:
        if source.member is None:
            raise _failed(source, _raw_folder(source, root), error) from error
        raise UnknownName(
            f"torch_geometric.datasets.{source.family} has no data set {source.member!r}; its documentation lists them"
        ) from error
    except Exception as error:  # Whatever PyG, fsspec or a parser raises.
        raise _failed(source, _raw_folder(source, root), error) from error


def cache_folder() -> Path:
    """Where made data sets are kept: what ARCHGEN_CACHE names, else `archgen` in the user's cache folder."""
    named = os.environ.get("ARCHGEN_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archgen"


def _home(source: DataSource, raw: Path | None) -> Path:
    """The folder of a data set as made from these files, in a folder that is there."""
    home = cache_folder() / "datasets" / source.family
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{home} cannot be made ({error}); set ARCHGEN_CACHE to a folder that can be written"
        ) from error
    return home / f"{source.member or 'all'}-{_fingerprint(raw)}"


def _made(family: Any, arguments: dict[str, Any], raw: Path | None, member: str, final: Path) -> list[list[Any]]:
    """Made once in a folder of its own, which then takes its final name in one step, so others see all or nothing."""
    if final.is_dir():
        return _graphs(family, arguments | {"root": str(final)})
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=final.parent))
    try:
        if raw is not None:
            _copy(raw, making / member / "raw")
        graphs = _graphs(family, arguments | {"root": str(making)})
        if not final.is_dir():
            try:
                making.rename(final)
            except OSError:
                if not final.is_dir():  # Else another process was faster.
                    raise
        return graphs
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _graphs(family: Any, arguments: dict[str, Any]) -> list[list[Any]]:
    split = inspect.signature(family).parameters.get("split")
    with quiet():
        if split is not None and split.default == "train":
            return [list(family(**arguments, split=part)) for part in OFFICIAL_PARTS]
        return [list(family(**arguments))]


def _arguments(source: DataSource, family: Any) -> dict[str, Any]:
    """What the class takes beside the folder."""
    parameters = inspect.signature(family).parameters
    if "name" in parameters and source.member is None:
        raise UnknownName(f"{source.family} holds several data sets, so name one: '{source.family}:NAME'")
    if "name" not in parameters and source.member is not None:
        raise UnknownName(f"{source.family} holds one data set, so leave out ':{source.member}'")
    needed = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and name not in ("root", "name", "args", "kwargs")
    ]
    if needed:
        raise UnknownName(
            f"torch_geometric.datasets.{source.family} needs more than a name: {', '.join(needed)}; make it yourself "
            "and pass it to task_from_data"
        )
    arguments: dict[str, Any] = {} if source.member is None else {"name": source.member}
    if source.words and "pre_transform" in parameters:
        arguments["pre_transform"] = _sparse_features
    return arguments


def _sparse_features(data: Data) -> Data:
    """Physics takes 1.2 GB dense and 15 MB sparse."""
    if data.x is not None:
        data.x = laid_out(data.x)
    return data


def _raw_folder(source: DataSource, root: Path | None) -> Path | None:
    """The folder `raw` of a data set, in any of the layouts that people keep."""
    named = os.environ.get("ARCHGEN_DATA")
    if root is None and not named:
        return None
    top = root or Path(str(named))
    if not top.is_dir():
        raise DataError(f"{top} is not a folder, expected that of the data; correct root or ARCHGEN_DATA")
    member = (source.member or source.family).lower()
    for place in (source.family, source.family.lower(), f"graphs/{source.family}", "graphs", "."):
        for folder in sorted((top / place).iterdir()) if (top / place).is_dir() else []:
            if folder.name.lower() == member and (folder / "raw").is_dir():
                return folder / "raw"
    if root is not None:
        raise DataError(f"{source.label}: no folder {member}/raw in {root}, expected PyG's raw files there")
    return None


def _fingerprint(raw: Path | None) -> str:
    """Changes with the raw files and with PyG's version."""
    files = [] if raw is None else sorted(path for path in raw.rglob("*") if path.is_file())
    facts = [(str(path.relative_to(raw)), path.stat().st_size, path.stat().st_mtime_ns) for path in files if raw]
    digest = hashlib.sha256(repr((torch_geometric.__version__, facts)).encode()).hexdigest()[:12]
    return f"{'downloaded' if raw is None else 'copied'}-{digest}"


def _copy(raw: Path, target: Path) -> None:
    """Contents only: folders that nobody may write must not stay so."""
    for path in sorted(raw.rglob("*")):
        if path.is_file():
            place = target / path.relative_to(raw)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _failed(source: DataSource, raw: Path | None, error: Exception) -> DataError:
    came = f"{type(error).__name__}: {error}"
    if raw is not None:
        return DataError(
            f"{source.label}: torch_geometric cannot read {raw} ({came}); put the original raw files there or, if they "
            f"are, remove what was made of them before from {cache_folder() / 'datasets' / source.family}"
        )
    return DataError(
        f"{source.label} could not be downloaded or made ({came}); connect to the network, or put its raw files into "
        f"{source.family}/{source.member or source.family}/raw under the folder that ARCHGEN_DATA names; "
        f"{cache_folder()}, which ARCHGEN_CACHE can replace, must be writable"
    )
