"""All feature detection: which interpreter this is, what it brings, which engine it can run.

Nothing else in the package asks what it runs on. An engine is chosen by what compiles, imports and answers a small
question right, best first; a firmware without the native emitter refuses a whole file with SyntaxError, a file compiled
for another machine raises ValueError.
"""

import gc
import sys

try:
    from binascii import crc32
except ImportError:  # a small firmware, such as the micro:bit's

    def crc32(data, crc=0):
        """Return the CRC-32 of ``data``, begun at ``crc``, bit by bit."""
        crc ^= 0xFFFFFFFF
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
        return crc ^ 0xFFFFFFFF


try:
    import micropython

    HOST = False
except ImportError:
    micropython = None
    HOST = True

#: Engine names by the number that the link gives them (SPEC 4); the best comes last.
ENGINES = {1: "plain", 2: "np", 4: "viper", 5: "thumb"}

#: Cells of a matrix that an array engine takes at once: its temporaries are floats, and a board has little room.
ARRAY_CELLS = 1 << 24 if HOST else 256

#: Whether an engine may keep the target columns it has made (bytes: classes * units); a board regenerates them.
KEEP_TARGETS = HOST

#: Bytes that the console's receive buffer holds for certain, by platform; unknown ones get the smallest.
WINDOWS = {"linux": 2048, "darwin": 1024, "rp2": 480, "esp32": 240}

_VERSION = getattr(sys.implementation, "_machine", None) or sys.platform


def machine():
    """Return the interpreter and the machine in a few words."""
    version = ".".join([str(part) for part in sys.implementation[1][:3]]) if not HOST else sys.version.split()[0]
    return "{} {}, {}".format("CPython" if HOST else sys.implementation[0], version, _VERSION)


def engine(number=0):
    """Import and return the kernels of engine ``number``, or of the best one there is.

    Raises
    ------
    ImportError
        When the engine that was asked for cannot run here.
    """
    for n in sorted(ENGINES, reverse=True):
        if number in (0, n):
            try:
                k = _import("kernels_" + ENGINES[n])
            except (ImportError, SyntaxError, ValueError):
                gc.collect()
                continue
            if _right(k):
                return k
            print("engine", ENGINES[n], "answers wrong here and is left out")  # noqa: T201 - the user's console
    raise ImportError("engine " + ENGINES.get(number, str(number)))


def _right(k):
    """Whether an engine passes the test, whose code is let go of afterwards."""
    selftest = _import("selftest")
    try:
        right = selftest.answer(k) == selftest.ANSWER
    except (AttributeError, TypeError, ValueError):  # a library that lacks something
        right = False
    if not HOST:
        name = selftest.__name__
        del selftest, sys.modules[name]
        try:
            delattr(sys.modules[name.rsplit(".", 1)[0]], "selftest")
        except (AttributeError, KeyError, NameError):  # it stays then, and costs its room
            pass
        gc.collect()
    return right


def _import(name):
    """Import a module of this package by its name."""
    package = __name__.rsplit(".", 1)[0] if "." in __name__ else ""
    full = package + "." + name if package else name
    module = __import__(full)
    for part in full.split(".")[1:]:
        module = getattr(module, part)
    return module


def heap():
    """Return the heap's (bytes in use, bytes free) after a collection; (0, 0) where nobody counts them."""
    gc.collect()
    if HOST:
        return 0, 0
    return gc.mem_alloc(), gc.mem_free()


def lock():
    """Forbid the heap until :func:`unlock`, where the firmware can: a train step that allocates raises MemoryError."""
    if hasattr(micropython, "heap_lock"):
        micropython.heap_lock()


def unlock():
    """Allow the heap again."""
    if hasattr(micropython, "heap_unlock"):
        micropython.heap_unlock()


#: Whether the link goes over the console; it does not on CircuitPython.
_on_console = True


def interrupts(on):
    """Say whether a byte 0x03 on the console interrupts the program; off while binary frames travel there."""
    if _on_console and hasattr(micropython, "kbd_intr"):
        micropython.kbd_intr(3 if on else -1)


def sync():
    """Have the file system write what it holds back, where it does that."""
    try:
        from os import sync as flush
    except ImportError:
        return
    flush()


def may_write():
    """Have CircuitPython's drive take the board's writes; whether it does now. The computer must have let go of it."""
    try:
        from storage import remount

        remount("/", False)
    except (ImportError, RuntimeError):
        return False
    return True


def store(write, *args):
    """Call ``write`` with ``args``; where it fails and :func:`may_write` helps, once more."""
    try:
        write(*args)
    except OSError:
        if not may_write():
            raise
        write(*args)


def console():
    """Return (source, sink, poller, window) of the binary pipe to the host: the console, or CircuitPython's data port.

    ``source.readinto(view)`` waits for bytes; ``sink.write(view)`` sends all of it; the poller, None where there is
    none, tells whether bytes are waiting; window is the bytes that may be under way while the program computes.

    Raises
    ------
    RuntimeError
        When the firmware gives programs no such pipe.
    """
    try:
        import usb_cdc
    except ImportError:
        pass
    else:
        global _on_console
        _on_console = False
        cdc = _import("cdc")
        pipe = cdc.Pipe(usb_cdc.data)
        return pipe, pipe, pipe, cdc.WINDOW
    if not hasattr(sys.stdin, "buffer"):
        raise RuntimeError("this firmware gives programs no binary pipe to the host: no sys.stdin.buffer, no usb_cdc")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    if HOST:
        source, sink = source.raw, sink.raw
    try:
        from select import POLLIN, poll

        poller = poll()
        poller.register(source, POLLIN)
    except (ImportError, OSError):
        poller = None
    return source, sink, poller, WINDOWS.get(sys.platform, 240)
