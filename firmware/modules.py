"""Build the native modules for boards: ``python firmware/modules.py [--check] [ARCH ...]``.

It writes ``device/tpsgd/native_ARCH.mpy`` for every architecture, or those named, whose compiler is installed;
modules that no board gets yet are only compiled. ``--check`` compares instead of writing.
"""

from __future__ import annotations

import sys

from tpsgd_host.native.build import SHIPPED, TARGETS, build, compiler, path


def main(arguments: list[str]) -> int:
    """Write or compare modules; return 1 where one differs."""
    check = "--check" in arguments
    wanted = [name for name in arguments if name != "--check"] or list(TARGETS)
    wrong = 0
    for arch in wanted:
        if compiler(arch) is None:
            print(f"{arch}: skipped, {TARGETS[arch].prefix}gcc is not installed")
            continue
        made = build(arch)
        if arch not in SHIPPED:
            print(f"{arch}: {len(made):,} bytes, for no board yet")
            continue
        if not check:
            path(arch).write_bytes(made)
        same = path(arch).is_file() and path(arch).read_bytes() == made
        wrong += not same
        print(f"{arch}: {len(made):,} bytes" + ("" if same else ", NOT the file in the package: build it again"))
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
