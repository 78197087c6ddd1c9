"""Find the descriptions, models and data files in a folder, which is a project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tpsgd_host.data.records import TABLES
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.settings import read_document

MODEL, DESCRIPTION = ".tpsgd", ".toml"

#: Tables that count as data where the user names no file; a .txt may well be something else.
DATA = tuple(suffix for suffix in TABLES if suffix != ".txt")


def descriptions(folders: Iterable[Path]) -> list[Path]:
    """Return the TOML files in ``folders`` that describe a model; leave out those of other tools."""
    return [path for path in _files(folders, (DESCRIPTION,)) if _describes_model(path)]


def models(folder: Path) -> list[Path]:
    """Return the model files in a folder, and those that its descriptions would make."""
    made = [path.with_suffix(MODEL) for path in descriptions([folder])]
    return sorted({*_files([folder], (MODEL,)), *made})


def data_files(folder: Path) -> list[Path]:
    """Return the data files in a folder: its tables, else its ``.npz`` files."""
    return _files([folder], DATA) or _files([folder], (".npz",))


def outdated(model: Path) -> Path | None:
    """Return the description beside a model if it is newer or the model was not made from it; else None."""
    source = model.with_suffix(DESCRIPTION)
    if source not in descriptions([model.parent]):
        return None
    if model.is_file() and model.stat().st_mtime >= source.stat().st_mtime:
        return None
    return source


def set_aside(path: Path) -> Path:
    """Move a file aside for a new one, which may be worth less; return its new name."""
    kept = path.with_name(path.name + ".old")
    number = 2
    while kept.exists():
        kept = path.with_name(f"{path.name}.old{number}")
        number += 1
    path.replace(kept)
    return kept


def _files(folders: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files with some suffixes, folder by folder and each once, without hidden ones."""
    unique = {folder.resolve(): folder for folder in reversed(list(folders))}
    return [
        path
        for folder in reversed(unique.values())
        for path in sorted(folder.iterdir() if folder.is_dir() else ())
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    ]


def _describes_model(path: Path) -> bool:
    try:
        return {"data", "layer"} <= set(read_document(path).values)
    except ConfigError:
        return False
