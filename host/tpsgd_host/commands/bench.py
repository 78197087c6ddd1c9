"""``tpsgd-host bench``: measurements that anyone can repeat."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from rich import box
from rich.table import Table

from tpsgd_host import __version__
from tpsgd_host.bench.depth import KINDS, RULES, DepthResult, measure_depth
from tpsgd_host.bench.depth import TASKS as IMAGES
from tpsgd_host.bench.emulated import esp32, rp2040
from tpsgd_host.bench.hearing import Hearing, measure_hearing
from tpsgd_host.bench.link import measure_link
from tpsgd_host.bench.listening import measure_listening
from tpsgd_host.bench.m0 import measure as m0
from tpsgd_host.bench.m0.microbit import missing
from tpsgd_host.bench.m0.series import STEPS, series_costs
from tpsgd_host.bench.memory import measure_memory
from tpsgd_host.bench.practice import Practice, measure_practice
from tpsgd_host.bench.starting import Start, measure_start
from tpsgd_host.bench.steps import Step, measure_steps
from tpsgd_host.bench.timing import FLAGS, MATRIX, ROUNDS, SIZES, measure, network
from tpsgd_host.commands.options import FILE, json_option
from tpsgd_host.comparison.jobs import cores
from tpsgd_host.comparison.tables import spread
from tpsgd_host.console import Console
from tpsgd_host.model.parsing import load_config
from tpsgd_host.tasks.task import NAMES
from tpsgd_host.terminal import echo

DATA_OPTION = click.option(
    "--data", "data_dir", type=FILE, metavar="DIR",
    help="Folder with the data that no package ships (fsdd, wand, mnist).",
)  # fmt: skip

HOW_TIMED = f"nanoseconds: the best of {ROUNDS} rounds, engines in turn; C: cc {' '.join(FLAGS)}"


@click.group("bench")
def command() -> None:
    """Measure speed, memory and the cost of depth.

    For accuracy use tpsgd-host compare.

    \b
    Examples:
      tpsgd-host bench kernels
      tpsgd-host bench step --json
    """


@command.command("depth")
@click.argument("tasks", nargs=-1, type=click.Choice(IMAGES))
@DATA_OPTION
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Networks.  [default: all]")
@click.option("--samples", type=click.IntRange(50), default=1500, show_default=True, help="Maximum training samples.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Runs of each network.")
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: one per core]")
@json_option
def depth(
    tasks: tuple[str, ...], data_dir: Path | None, kinds: tuple[str, ...], samples: int, seeds: int, jobs: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Train deeper and deeper networks on images of TASKS.

    Integers learn by feedback; floats by tpSGD, backprop and its rivals.

    For each rule and depth, rates are chosen on the last of the training samples.

    \b
    Example:
      tpsgd-host bench depth digits --kind mlp
    """
    with click.progressbar(length=1000, label="depth", file=sys.stderr) as bar:
        results = measure_depth(
            tasks or ("digits",), data_dir, kinds or tuple(KINDS), samples, seeds, jobs or cores(),
            lambda share: bar.update(int(1000 * share) - bar.pos),
        )  # fmt: skip
    if as_json:
        echo(json.dumps({**_taken(), "results": [r.as_dict() for r in results]}, indent=2))
        return
    Console(highlight=False).print(_depth_table(results))


def _depth_table(results: list[DepthResult]) -> Table:
    table = _table(
        "test accuracy in %, mean and deviation over seeds, one sample at a time", "network",
        "layers", *RULES, left=1,
    )  # fmt: skip
    for i in range(0, len(results), len(RULES)):
        row = results[i : i + len(RULES)]
        first = row[0]
        table.add_row(
            f"{first.task} {first.kind}", str(first.depth), *(spread(r.accuracies).replace(" ± ", "±") for r in row)
        )
    return table


@command.command("kernels")
@json_option
def kernels(as_json: bool) -> None:
    """Time the two main kernels on every available engine.

    The same arithmetic in C is the reference.

    Inline assembler runs on an emulated Cortex-M0, which counts instructions.

    \b
    Example:
      tpsgd-host bench kernels
    """
    timings = [t for t in measure() if t.forward is not None]
    cells = MATRIX[0] * MATRIX[1]
    rows = [(t, (t.forward or 0.0) / cells, (t.update or 0.0) / cells) for t in timings]
    yardstick = rows[0] if rows[0][0].engine == "-" else None
    if as_json:
        results = [{**asdict(t), "forward_ns_per_mac": f, "update_ns_per_weight": u} for t, f, u in rows]
        emulated = _emulated(lambda: [asdict(cost) for cost in m0.kernel_costs()])
        said = {**_taken(), "how_taken": HOW_TIMED, "matrix": MATRIX, "results": results, "emulated": emulated}
        echo(json.dumps(said, indent=2))
        return
    table = _table(
        f"matrix {MATRIX[0]} x {MATRIX[1]}; ratios: times the C of the first line, in this run",
        "where",
        "engine",
        "ns/MAC",
        "ratio",
        "ns/weight updated",
        "ratio",
    )
    for t, forward, update in rows:
        table.add_row(
            t.where, t.engine, f"{forward:.2f}", f"{forward / yardstick[1]:.1f}" if yardstick else "-",
            f"{update:.2f}", f"{update / yardstick[2]:.1f}" if yardstick else "-",
        )  # fmt: skip
    Console(highlight=False).print(table)
    _print_emulated(_kernels_emulated)


def _kernels_emulated() -> Table:
    table = _table(
        "instructions per MAC and per updated weight, without and with feedback, the cost of rows included",
        "where",
        "engine",
        "rows of",
        "per MAC",
        "per weight",
        "with feedback",
    )
    for cost in m0.kernel_costs():
        figures = (f"{cost.forward:.2f}", f"{cost.update:.2f}", f"{cost.backward:.2f}")
        table.add_row("micro:bit, emulated", "thumb", str(cost.n), *figures)
    return table


@command.command("step")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Also draw it, as .png or .svg.")
@json_option
def step(picture: Path | None, as_json: bool) -> None:
    """Time a training step on every available engine.

    The net is 60-32-16-6; ratios are taken within one run.

    Inline assembler runs on an emulated Cortex-M0, which counts instructions. A recurrent and a temporal network of
    equal memory also learn a time series there.

    Then it says where a step's time goes: kernels, the interpreter between them (glue), and what the link adds. Besides
    the virtual board it measures an emulated RP2040, in cycles, and an emulated ESP32, in instructions, if you have the
    emulators; this takes minutes.

    \b
    Examples:
      tpsgd-host bench step
      tpsgd-host bench step --picture step.png
    """
    with Console(stderr=True).status("") as status:
        steps = measure_steps(status.update)
    if picture:
        from tpsgd_host.bench.step_picture import plot_steps  # matplotlib is slow to import

        plot_steps(steps, picture)
    timings = measure()
    plain = next(t for t in timings if t.engine == "plain")
    yardstick = timings[0] if timings[0].engine == "-" else None
    if as_json:
        rows = [{**asdict(t), "rate": t.rate, "times_plain": plain.step / t.step} for t in timings]
        emulated = _emulated(lambda: [asdict(m0.step_cost()), *map(asdict, series_costs())])
        said = {**_taken(), "how_taken": HOW_TIMED, "network": SIZES, "results": rows, "emulated": emulated}
        echo(json.dumps({**said, "parts": [{**asdict(s), "step": s.step} for s in steps]}, indent=2))
        return
    parameters = network().parameters
    table = _table(
        f"net {'-'.join(map(str, SIZES))}, {parameters:,} parameters; heap: the network, objects included",
        "where",
        "engine",
        "µs",
        "samples/s",
        "plain = 1",
        "C = 1",
        "heap",
        "B/param",
    )
    for t in timings:
        table.add_row(
            t.where, t.engine, f"{t.step / 1000:.1f}", f"{t.rate:,.0f}", f"{plain.step / t.step:.1f}x",
            f"{t.step / yardstick.step:.1f}" if yardstick else "-", f"{t.heap:,}" if t.heap else "-",
            f"{t.heap / parameters:.2f}" if t.heap else "-",
        )  # fmt: skip
    Console(highlight=False).print(table)
    _print_emulated(_step_emulated)
    _print_emulated(_series_emulated)
    Console(highlight=False).print(_parts_table(steps))
    for lack in (rp2040.missing(), esp32.missing()):
        if lack:
            echo(lack)


def _parts_table(steps: list[Step]) -> Table:
    table = _table(
        "where a step's time goes, in thousands; glue: the interpreter between kernels; "
        "link: to receive the sample and answer",
        "network",
        "where",
        "engine",
        "kernels",
        "glue",
        "step",
        "link",
        "",
        left=3,
    )
    for s in steps:
        figures = (f"{n / 1000:,.1f}" for n in (s.kernels, s.glue, s.step, s.link))
        table.add_row(s.network, s.where, s.engine, *figures, "instr." if s.unit == "instructions" else s.unit)
    return table


def _step_emulated() -> Table:
    cost = m0.step_cost()
    table = _table(
        "one step, including the interpreter; heap: on 32 bits",
        "where",
        "engine",
        "instructions",
        "kernels",
        "heap",
        "B/param",
    )
    table.add_row(
        "micro:bit, emulated", "thumb", f"{max(cost.instructions):,.0f}", f"{cost.share.kernels:,.0f}",
        f"{cost.heap:,}", f"{cost.heap / m0.PARAMETERS:.2f}",
    )  # fmt: skip
    return table


def _series_emulated() -> Table:
    table = _table(
        f"one step with feedback on a sample of {STEPS} steps; two networks of equal memory; in thousands",
        "network",
        "engine",
        "planned bytes",
        "instructions, mean",
        "least",
        "most",
    )
    for c in series_costs():
        said = (c.mean, min(c.instructions), max(c.instructions))
        table.add_row(c.network, "thumb", f"{c.planned:,}", *(f"{count / 1000:,.0f}" for count in said))
    return table


@command.command("words")
@click.argument("data", type=FILE)
@click.option("--model", "-m", type=FILE, required=True, metavar="TOML", help="Network and front end.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="Each is tested on once.")
@click.option("--epochs", "-e", type=click.IntRange(1), default=20, show_default=True, help="Passes over the samples.")
@click.option("--hours", type=click.FloatRange(0.01), default=1.0, show_default=True, help="Noise without words.")
@json_option
def words(data: Path, model: Path, folds: int, epochs: int, hours: float, as_json: bool) -> None:
    """Count the words that are found and recognized in noise.

    DATA is a folder of WAV files with one word each. They are joined to a stream of pink noise, as a microphone would
    hear them; a missed word counts as an error.

    \b
    Example:
      tpsgd-host bench words recordings/ --model words.toml
    """
    with Console(stderr=True).status("") as status:
        found = measure_listening(data, load_config(model), folds, epochs, hours, status.update)
    if as_json:
        echo(json.dumps({**_taken(), **asdict(found)}, indent=2))
        return
    table = _table("percent", "noise, dB below the words", "found", "false", "known")
    table.add_row("none", "-", "-", f"{found.accuracy:.1%}")
    for level in found.levels:
        table.add_row(f"{level.decibels:g}", f"{level.found:.2%}", str(level.false), f"{level.accuracy:.1%}")
    Console(highlight=False).print(table)
    echo(f"{found.words:,} words in {found.folds} folds; {found.false_per_hour:g} false words an hour of noise alone")


@command.command("frontend")
@json_option
def frontend(as_json: bool) -> None:
    """Measure what hearing costs, and how long an answer takes.

    A frame of sound, and the time from the end of a word to its answer: the quiet that ends the word, its last
    frame, the sample, and the network's forward pass.

    Besides the virtual board it measures an emulated RP2040, in cycles, and an emulated ESP32, in instructions, if you
    have the emulators.

    \b
    Example:
      tpsgd-host bench frontend
    """
    with Console(stderr=True).status("") as status:
        found = measure_hearing(status.update)
    lacks = [lack for lack in (rp2040.missing(), esp32.missing()) if lack]
    if as_json:
        rows = [{**asdict(h), "share": h.share, "computed": h.computed, "answer": h.answer} for h in found]
        echo(json.dumps({**_taken(), "results": rows, "missing": lacks}, indent=2))
        return
    Console(highlight=False).print(_frames_table(found))
    Console(highlight=False).print(_answers_table(found))
    for lack in lacks:
        echo(lack)


def _frames_table(found: list[Hearing]) -> Table:
    table = _table(
        f"a frame within a word, one every {1000 * found[0].every:.0f} ms, in thousands; 8 kHz, 16 bands; "
        "share: of the board's time; heap: the front end, objects included",
        "where",
        "engine",
        "frame",
        "",
        "plain = 1",
        "share",
        "heap",
    )
    plain = next(h.frame for h in found if h.engine == "plain")
    first = {(h.where, h.engine): h for h in reversed(found)}  # frames do not depend on the network
    for h in reversed(first.values()):
        ratio = f"{plain / h.frame:.1f}x" if h.unit == "ns" else "-"
        share = "-" if h.share is None else f"{h.share:.2%}" if h.share < 0.01 else f"{h.share:.1%}"
        table.add_row(h.where, h.engine, f"{h.frame / 1000:,.0f}", _unit(h), ratio, share, f"{h.heap:,}")
    return table


def _answers_table(found: list[Hearing]) -> Table:
    table = _table(
        "from the end of a word to its answer, in thousands; last: its last frame, with the sample made of the word; "
        f"computed: without the {found[0].hold:.3f} s of quiet that end a word",
        "network",
        "where",
        "engine",
        "last",
        "forward",
        "",
        "computed",
        "answer",
        left=3,
    )
    for h in found:
        figures = (f"{h.last / 1000:,.0f}", f"{h.forward / 1000:,.0f}")
        computed, answer = ("-", "-") if h.computed is None else (f"{1000 * h.computed:.1f} ms", f"{h.answer:.3f} s")
        table.add_row(h.network, h.where, h.engine, *figures, _unit(h), computed, answer)
    return table


def _unit(h: Hearing) -> str:
    return "instr." if h.unit == "instructions" else h.unit


@command.command("practice")
@click.option("--samples", type=click.IntRange(1), default=5, show_default=True, help="Samples of each of ten classes.")
@json_option
def practice(samples: int, as_json: bool) -> None:
    """Measure what knowing somebody new costs a board.

    Somebody shows samples of ten words to networks with prototypes of three persons: an answer, teaching a sample, all
    passes of practice, and the RAM of what is kept.

    Besides the virtual board it measures an emulated RP2040 at 125 MHz, if you have the emulator.

    \b
    Example:
      tpsgd-host bench practice
    """
    with Console(stderr=True).status("") as status:
        found = measure_practice(samples, status.update)
    lack = rp2040.missing()
    if as_json:
        rows = [asdict(one) for one in found]
        echo(json.dumps({**_taken(), "results": rows, "missing": [lack] if lack else []}, indent=2))
        return
    Console(highlight=False).print(_practice_table(found))
    if lack:
        echo(lack)


def _practice_table(found: list[Practice]) -> Table:
    table = _table(
        f"{found[0].count} samples of each of ten words; practice: all passes; heap: what is kept, objects included",
        "network", "where", "way", "answer", "teach", "practice", "heap", left=3,
    )  # fmt: skip
    for one in found:
        seconds = f"{one.practice:.1f} s" if one.practice else "-"
        table.add_row(
            one.network, one.where, one.way, f"{1000 * one.answer:.1f} ms", f"{1000 * one.teach:.1f} ms", seconds,
            f"{one.heap:,}",
        )  # fmt: skip
    return table


@command.command("memory")
@click.argument("tasks", nargs=-1, type=click.Choice(NAMES))
@DATA_OPTION
@json_option
def memory(tasks: tuple[str, ...], data_dir: Path | None, as_json: bool) -> None:
    """Measure the memory that training needs.

    It counts bytes on the virtual board, and finds the smallest heap that still trains.

    \b
    Example:
      tpsgd-host bench memory gesture
    """
    results = [measure_memory(name, data_dir) for name in tasks or ("gesture",)]
    if as_json:
        echo(json.dumps({**_taken(), "results": [asdict(r) for r in results]}, indent=2))
        return
    table = _table(
        "bytes; measured: by the board's garbage collector; heap: the smallest that still trains",
        "task",
        "network",
        "weights",
        "planned",
        "measured",
        "smallest heap",
    )
    for r in results:
        table.add_row(r.task, r.network, f"{r.weights:,}", f"{r.planned:,}", f"{r.measured:,}", f"{r.smallest_heap:,}")
    Console(highlight=False).print(table)


@command.command("start")
@json_option
def start(as_json: bool) -> None:
    """Measure the seconds and the heap of a start.

    A start goes up to the first sample learned, part by part.

    The virtual board starts from source and from compiled files. If you have the emulators, an RP2040 and an ESP32
    start, too; the ESP32 reads its files from RAM.

    \b
    Example:
      tpsgd-host bench start
    """
    with Console(stderr=True).status("") as status:
        found = measure_start(status.update)
    lacks = [lack for lack in (rp2040.missing(), esp32.missing()) if lack]
    if as_json:
        echo(json.dumps({**_taken(), "results": [asdict(s) for s in found], "missing": lacks}, indent=2))
        return
    Console(highlight=False).print(_start_table(found))
    for lack in lacks:
        echo(lack)


def _start_table(found: list[Start]) -> Table:
    table = _table(
        "ms, and bytes of heap in use then; RP2040: at 125 MHz; ESP32: 8 ns an instruction",
        "where",
        "engine",
        "network",
        *(part.name for part in found[0].parts[1:]),
        "all",
        left=3,
    )
    for s in found:
        figures = [f"{1000 * part.seconds:.1f}\n{part.heap:,}" for part in s.parts[1:]]
        kind, _, sizes = s.network.partition(" ")
        table.add_row(f"{s.where}\n{s.form}", s.engine, f"{kind}\n{sizes}", *figures, f"{1000 * s.seconds:.0f}")
    return table


@command.command("link")
@click.option("--baud", default=115200, show_default=True, help="Speed of the line.")
@click.option(
    "--receive-buffer",
    type=click.IntRange(64),
    metavar="BYTES",
    help="Maximum bytes under way, such as 240 for an ESP32's UART.  [default: the board's]",
)
@click.option("--seconds", default=5.0, show_default=True, help="How long the line is busy, for each net.")
@json_option
def link(baud: int, receive_buffer: int | None, seconds: float, as_json: bool) -> None:
    """Measure how well streaming uses a slow line.

    It streams to the virtual board over a line of a given speed, and shows use and overlap.

    \b
    Example:
      tpsgd-host bench link --baud 115200 --receive-buffer 240
    """
    results = measure_link(baud, seconds, receive_buffer)
    if as_json:
        rows = [{**asdict(r), "overlap": r.overlap} for r in results]
        echo(json.dumps({**_taken(), "results": rows}, indent=2))
        return
    table = _table(
        f"{baud} baud, receive buffer {results[0].receive_buffer} bytes; seconds: line alone, trainer alone, both",
        "network",
        "engine",
        "samples",
        "line used",
        "line",
        "trainer",
        "both",
        "overlap",
    )
    for r in results:
        table.add_row(
            r.network, r.engine, str(r.samples), f"{100 * r.share:.1f}%", f"{r.line:.2f}", f"{r.compute:.2f}",
            f"{r.both:.2f}", f"{100 * r.overlap:.0f}%",
        )  # fmt: skip
    Console(highlight=False).print(table)


def _print_emulated(table: Callable[[], Table]) -> None:
    """Print the emulated micro:bit's costs, or what to install for it."""
    lack = missing()
    if lack:
        echo(lack)
    else:
        Console(highlight=False).print(table())


def _emulated(results: Callable[[], list[dict[str, object]]]) -> dict[str, object]:
    """Return the emulated micro:bit's costs with versions, or what to install for it."""
    lack = missing()
    if lack:
        return {"missing": lack}
    return {
        "where": "micro:bit, emulated", "engine": "thumb", **m0.versions(), "how_taken": m0.HOW_TAKEN,
        "results": results(),
    }  # fmt: skip


def _table(caption: str, *columns: str, left: int = 2) -> Table:
    """Return a table that fits 80 columns; the first ``left`` columns hold words."""
    table = Table(caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i < left else "right")
    return table


def _taken() -> dict[str, object]:
    """Return the versions that a measurement was taken with."""
    return {"tpsgd": __version__, "python": platform.python_version(), "machine": platform.machine()}
