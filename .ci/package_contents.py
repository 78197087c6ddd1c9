"""Check what an sdist and a wheel hold: ``python .ci/package_contents.py dist``.

A wheel has every file of the two packages that Git knows, and nothing of tests or docs.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {"tpsgd/": "device/tpsgd", "tpsgd_host/": "host/tpsgd_host"}


def tracked(folder: str) -> set[str]:
    """Return the files that Git knows in a folder, relative to it."""
    done = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return {line.removeprefix(folder + "/") for line in done.stdout.splitlines() if (ROOT / line).is_file()}


def wheel_faults(path: Path) -> list[str]:
    """Return what is wrong with the contents of a wheel."""
    names = set(zipfile.ZipFile(path).namelist())
    wanted = {prefix + name for prefix, folder in SOURCES.items() for name in tracked(folder)}
    faults = [f"{path.name} lacks {name}" for name in sorted(wanted - names)]
    for name in sorted(names - wanted):
        compiled = name.startswith("tpsgd_host/native/_trainer.")
        if not compiled and not name.split("/")[0].endswith(".dist-info"):
            faults.append(f"{path.name} has {name}, which is none of the packages' files")
    if not any(name.startswith("tpsgd_host/native/_trainer.") for name in names):
        faults.append(f"{path.name} lacks the compiled trainer: is there a C compiler?")
    return faults


def sdist_faults(path: Path) -> list[str]:
    """Return what an sdist lacks of the files that a wheel is built from."""
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {f"{folder}/{name}" for folder in SOURCES.values() for name in tracked(folder)}
    wanted |= {"LICENSE", "README.md", "pyproject.toml"}
    return [f"{path.name} lacks {name}" for name in sorted(wanted - names)]


def main() -> int:
    """Print the faults of the one sdist and the one wheel in a folder; 1 where there are any."""
    folder = Path(sys.argv[1])
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    faults = wheel_faults(wheel) + sdist_faults(sdist)
    print("\n".join(faults) or f"{wheel.name}, {sdist.name}: complete")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
