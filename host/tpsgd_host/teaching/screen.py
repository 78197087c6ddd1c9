"""The screen of a lesson, with Textual. The board is reached from a thread; the screen only reads the progress."""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable
from typing import ClassVar

from rich.console import Group
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from tpsgd_host.errors import TpsgdError
from tpsgd_host.teaching.teach import Scene
from tpsgd_host.teaching.view import (
    KEYS,
    class_lines,
    doing,
    level_lines,
    note_line,
    state_lines,
    teaching_keys,
)
from tpsgd_host.terminal import one_line

#: Seconds from picture to picture.
EVERY = 0.1

#: Samples to practise with the key p, as passes over all that are kept.
PASSES = 10


class Stopped(Exception):  # noqa: N818 - it is no error
    """The user has left."""


class Leaving(ModalScreen[str]):
    """Asks what to do with what is not saved."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "choose('save')", "Save and leave"),
        Binding("n", "choose('leave')", "Leave"),
        Binding("escape", "choose('stay')", "Stay"),
    ]
    CSS = "Leaving { align: center middle; } #question { width: 54; height: 7; border: round $warning; padding: 1 2; }"

    def compose(self) -> ComposeResult:
        """Show the question."""
        yield Static(
            "What the board has learned since the last save\nis lost when its power goes.\n"
            "y save and leave   n leave   Esc stay",
            id="question",
            markup=False,
        )

    def action_choose(self, choice: str) -> None:
        """Hand on the answer."""
        self.dismiss(choice)


class LessonApp(App[None]):
    """The screen.

    Parameters
    ----------
    scene : Scene
    title : str
        The first line.

    Attributes
    ----------
    error : Exception or None
        Why the lesson ended early.
    """

    CSS = """
    Screen { layout: vertical; }
    #head, #state { height: auto; padding: 0 1; }
    #classes { height: 1fr; min-height: 3; padding: 0 1; }
    #bars { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "undo", "take back"),
        Binding("p", "practise", "practise"),
        Binding("s", "save", "save"),
        Binding("q", "leave", "quit"),
        Binding("ctrl+c", "leave", show=False, priority=True),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, scene: Scene, title: str) -> None:
        super().__init__()
        self.scene, self.lesson, self.heading = scene, scene.lesson, one_line(title)
        self.error: BaseException | None = None
        self._teaches = scene.conductor is None  # else the recordings' labels do
        self._jobs: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._stopping = False
        self._motion = not self.lesson.session.model.layout.hears
        self._unicode = (sys.stdout.encoding or "").lower().startswith("utf")

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Vertical():
            yield Static(id="head", markup=False)
            with VerticalScroll(id="classes", can_focus=False):
                yield Static(id="bars", markup=False)
            yield Static(id="state", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin: the board in its thread, pictures in this one."""
        self.run_worker(self._teach, thread=True, exit_on_error=False)
        self.set_interval(EVERY, self.show)
        self.show()

    # -- the board, in its own thread

    def _teach(self) -> None:
        try:
            if self.scene.conductor is not None:
                self.scene.conductor.run(self._step)
                self.lesson.progress.note = "all was played: q ends"
            while True:
                self._step()
                self.lesson.poll(0.05)
        except Stopped:
            return
        except (TpsgdError, OSError) as error:
            self.error = error
        self.call_from_thread(self.exit)

    def _step(self) -> None:
        """Do what the user has asked for."""
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            job()
        if self._stopping:
            raise Stopped
        self.scene.check()

    def _stop(self) -> None:
        self._stopping = True

    # -- the user

    def on_key(self, event: Key) -> None:
        """Teach the newest word as one of the class of a key."""
        key = event.character or ""
        classes = self.lesson.progress.classes
        if self._teaches and key and key in KEYS[: len(classes)] and len(self.screen_stack) == 1:
            label = classes[KEYS.index(key)]
            self._jobs.put(lambda: self.lesson.teach(label))
            event.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Show only the keys that do something: where labels teach, nothing is taken back or practised."""
        return self._teaches or action not in ("undo", "practise")

    def action_undo(self) -> None:
        """Take the last taught word back."""
        self._jobs.put(self.lesson.undo)

    def action_practise(self) -> None:
        """Practise what is kept."""
        self._jobs.put(self._practise)

    def _practise(self) -> None:
        progress = self.lesson.progress
        done = self.lesson.practise(PASSES * progress.kept)
        progress.note = f"practised {done} samples" if done else "nothing to practise: teach some words first"

    def action_save(self) -> None:
        """Have the board write a checkpoint."""
        self._jobs.put(self.lesson.save)

    def action_leave(self) -> None:
        """Leave; ask first if something is not saved. Asked again while it asks, leave."""
        if isinstance(self.screen, Leaving):
            self.screen.dismiss("leave")
        elif self.lesson.progress.unsaved:
            self.push_screen(Leaving(), self._leave)
        else:
            self._leave("leave")

    def _leave(self, choice: str | None) -> None:
        if choice == "save":
            self._jobs.put(self.lesson.save)
        if choice in ("save", "leave"):
            self._jobs.put(self._stop)
            self.run_worker(self._wait(), exclusive=False)

    async def _wait(self) -> None:
        """Leave when the board's thread has ended."""
        for worker in list(self.workers):
            if worker.name == "_teach":
                await worker.wait()
        self.exit()

    # -- the picture

    def show(self) -> None:
        """Draw what is known."""
        progress = self.lesson.progress
        if self._teaches:
            progress.playing = self.scene.playing()
        width = max(20, self.size.width - 2)
        keys = f"{teaching_keys(progress.classes)} teach the word that it heard" if self._teaches else ""
        heading = f"{self.heading}{'  (all played)' if self.scene.over() else ''}"
        head = [Text(heading[:width], "bold"), doing(progress)]
        head += [*level_lines(progress, width, self._unicode, self._motion), Text("")]
        self.query_one("#head", Static).update(Group(*head))
        self.query_one("#bars", Static).update(Group(*class_lines(progress, width, self._unicode)))
        tail = [*state_lines(progress), note_line(progress, width), Text(keys[:width], "dim")]
        self.query_one("#state", Static).update(Group(*tail))
