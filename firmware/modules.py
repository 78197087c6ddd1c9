"""Build the native modules for boards: ``python firmware/modules.py [--check] [ARCH ...]``.

It writes ``device/tpsgd/native_ARCH.mpy``, the trainer, and ``logmel_ARCH.mpy``, the front end for sound, for every
architecture, or those named, whose compiler is installed; modules that no board gets yet are only compiled.
``--check`` compares instead of writing.
"""

from __future__ import annotations

import sys

from tpsgd_host.native.build import MODULES, SHIPPED, TARGETS, build, compiler, path


def main(arguments: list[str]) -> int:
    """Write or compare modules; return 1 where one differs."""
    check = "--check" in arguments
    wanted = [name for name in arguments if name != "--check"] or list(TARGETS)
    wrong = 0
    for arch in wanted:
        if compiler(arch) is None:
            print(f"{arch}: skipped, {TARGETS[arch].prefix}gcc is not installed")
            continue
        wrong += sum(not bring(arch, module, check) for module in MODULES)
    return min(wrong, 1)


def bring(arch: str, module: str, check: bool) -> bool:
    """Compile a module, write it unless ``check``, and return whether it is the file in the package."""
    made = build(arch, module)
    said = f"{module}_{arch}: {len(made):,} bytes"
    if arch not in SHIPPED:
        print(f"{said}, for no board yet")
        return True
    file = path(arch, module)
    if not check:
        file.write_bytes(made)
    same = file.is_file() and file.read_bytes() == made
    print(said + ("" if same else ", NOT the file in the package: build it again"))
    return same


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
