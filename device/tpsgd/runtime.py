"""All feature detection: which interpreter this is, what it offers, which engine it can run.

No other module asks what it runs on. The best engine that compiles, imports and passes a small test is used. A firmware
without the native emitter refuses a whole file with SyntaxError; a file compiled for another machine raises ValueError.
"""

import gc
import sys

try:
    from binascii import crc32
except ImportError:  # a small firmware, such as the micro:bit's

    def crc32(data, crc=0):
        """Return the CRC-32 of ``data``, continued from ``crc``, bit by bit."""
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

#: Engine names by their numbers in the link (SPEC 4). The best comes last.
ENGINES = {1: "plain", 2: "np", 4: "viper", 5: "thumb", 6: "native"}

#: Free bytes of heap below which a native module is not tried: building a network takes more with it than with others.
#: Beside a model's file, half of it must be free.
ROOM = 96 * 1024 if sys.maxsize >> 32 else 48 * 1024

#: Matrix cells that an array engine updates at once. Its temporaries are floats, and a board has little room.
ARRAY_CELLS = 1 << 24 if HOST else 256

#: Whether an engine may keep the target columns that it made (classes * units numbers). A board makes them again.
KEEP_TARGETS = HOST

#: Bytes that the console's receive buffer holds for certain, by platform. An unknown platform gets the smallest.
WINDOWS = {"linux": 2048, "darwin": 1024, "rp2": 480, "esp32": 240}

_VERSION = getattr(sys.implementation, "_machine", None) or sys.platform


def machine():
    """Return the names of the interpreter and the machine."""
    version = ".".join([str(part) for part in sys.implementation[1][:3]]) if not HOST else sys.version.split()[0]
    return "{} {}, {}".format("CPython" if HOST else sys.implementation[0], version, _VERSION)


def engine(number=0, model=None):
    """Import and return the kernels of engine ``number``, or with 0 those of the best engine.

    Parameters
    ----------
    number : int
    model : str, optional
        Path of the model's file that the engine is for: a large model may leave no room for a native module.

    Raises
    ------
    ImportError
        When that engine cannot run here.
    """
    for n in sorted(ENGINES, reverse=True):
        if number in (0, n):
            if n == 6 and not number and heap()[1] < max(ROOM, ROOM // 2 + _size(model)):
                continue
            try:
                k = _import("kernels_" + ENGINES[n])
                k = getattr(k, "ENGINE", k)
            except (ImportError, MemoryError, SyntaxError, ValueError) as error:
                if isinstance(error, (MemoryError, ValueError)):  # a native module for another firmware, or too large
                    print("engine", ENGINES[n], "does not fit this board and is not used:", error)  # noqa: T201
                gc.collect()
                continue
            if _right(k):
                return k
            print("engine", ENGINES[n], "computes wrong results here and is not used")  # noqa: T201 - to the console
    raise ImportError("engine " + ENGINES.get(number, str(number)))


def _size(path):
    """Return the bytes of a file; 0 where there is none."""
    try:
        with open(path, "rb") as file:
            return file.seek(0, 2)
    except (OSError, TypeError):
        return 0


def _right(k):
    """Return whether an engine passes the test. A board drops the test's code afterwards."""
    selftest = _import("selftest")
    try:
        right = selftest.answer(k) == selftest.ANSWER
    except (AttributeError, TypeError, ValueError):  # a library that lacks something
        right = False
    del selftest
    forget(("selftest",))
    return right


def forget(names):
    """Drop modules of this package that have done their work: on a board, code takes memory."""
    if HOST:
        return
    package = __name__.rsplit(".", 1)[0]
    for name in names:
        if sys.modules.pop(package + "." + name, None):
            try:
                delattr(sys.modules[package], name)
            except (AttributeError, KeyError, NameError):  # then it stays and takes memory
                pass
    gc.collect()


def settle(k):
    """Drop what engine ``k`` no longer needs: its network is built, and no other is to be built with this ``k``."""
    if getattr(k, "settle", None):
        k.settle()


def _import(name):
    """Import a module of this package by its name."""
    package = __name__.rsplit(".", 1)[0] if "." in __name__ else ""
    full = package + "." + name if package else name
    module = __import__(full)
    for part in full.split(".")[1:]:
        module = getattr(module, part)
    return module


def heap():
    """Return the heap's (bytes in use, bytes free) after a collection; (0, 0) on a host."""
    gc.collect()
    if HOST:
        return 0, 0
    return gc.mem_alloc(), gc.mem_free()


def lock():
    """Lock the heap until :func:`unlock`, where the firmware can. An allocation then raises MemoryError."""
    if hasattr(micropython, "heap_lock"):
        micropython.heap_lock()


def unlock():
    """Unlock the heap."""
    if hasattr(micropython, "heap_unlock"):
        micropython.heap_unlock()


#: Whether the link uses the console. On CircuitPython it does not.
_on_console = True


def interrupts(on):
    """Set whether a byte 0x03 on the console interrupts the program. Binary frames need it off."""
    if _on_console and hasattr(micropython, "kbd_intr"):
        micropython.kbd_intr(3 if on else -1)


def sync():
    """Flush the file system to the flash, where it holds writes back."""
    try:
        from os import sync as flush
    except ImportError:
        return
    flush()


def may_write():
    """Make CircuitPython's drive writable for the board; return whether it is. The computer must have released it."""
    try:
        from storage import remount

        remount("/", False)
    except (ImportError, RuntimeError):
        return False
    return True


def store(write, *args):
    """Call ``write`` with ``args``. Where it raises OSError and :func:`may_write` helps, call it again."""
    try:
        write(*args)
    except OSError:
        if not may_write():
            raise
        write(*args)


def console():
    """Return the binary pipe to the host: the console, or CircuitPython's data port.

    Returns
    -------
    source : stream
        ``readinto(view)`` waits for bytes.
    sink : stream
        ``write(view)`` sends all of ``view``.
    poller : select.poll or None
        Tells whether bytes are waiting.
    window : int
        Bytes that may be on the way while the program computes.

    Raises
    ------
    RuntimeError
        When the firmware has no such pipe.
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
