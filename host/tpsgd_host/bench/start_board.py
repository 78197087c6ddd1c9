"""Measure how a board starts. This program runs on a board and is not imported by the host.

    micropython start_board.py

prints a line for each part of a start: its name, microseconds, and the bytes of heap in use after it, garbage
collected. The last line names the modules that are loaded then.
"""

import gc
import sys
import time

PACKAGE = "tpsgd."


def main():
    """Start as main.py does, up to the first sample learned, and print what each part took."""
    gc.collect()
    rows = [("nothing", 0, gc.mem_alloc())]

    def mark(name, begun):
        spent = time.ticks_diff(time.ticks_us(), begun)
        gc.collect()
        rows.append((name, spent, gc.mem_alloc()))

    begun = time.ticks_us()
    from tpsgd import frames, runtime, serve

    mark("import", begun)
    begun = time.ticks_us()
    k = runtime.engine()
    mark("engine", begun)
    runtime.engine = lambda wanted, model: k  # the engine is chosen once
    server = serve.Server(frames.Frames(None, None), None, 0)
    begun = time.ticks_us()
    server.load()
    mark("model", begun)
    begun = time.ticks_us()
    server.network.train(0)
    mark("first sample", begun)
    for row in rows:
        print("{}:{}:{}".format(*row))
    print(k.NAME, *sorted([name[len(PACKAGE) :] for name in sys.modules if name.startswith(PACKAGE)]))


main()
