"""A lesson: a board that listens, what is known of it, and the data that are kept of it."""

from __future__ import annotations

from tpsgd_host.boards.live import Heard, LiveSession, Returned
from tpsgd_host.errors import BoardError
from tpsgd_host.link.messages import Level, unsaved
from tpsgd_host.teaching.keeping import Keeper
from tpsgd_host.teaching.progress import Progress


class Lesson:
    """Hands on what a user wants to a board, and takes note of what it says.

    Parameters
    ----------
    session : LiveSession
        Open.
    keeper : Keeper
        Keeps the taught samples.
    passes : int
        How often the board practises the kept samples by itself.

    Attributes
    ----------
    progress : Progress
    """

    def __init__(self, session: LiveSession, keeper: Keeper, passes: int = 0) -> None:
        self.session, self.keeper, self.passes = session, keeper, passes
        self.progress = Progress(session.classes)
        self.progress.learn(session.state.seen)
        self.progress.kept, self.progress.room = session.state.kept, session.state.room

    def poll(self, timeout: float) -> list[Heard]:
        """Take note of what has happened; return the words among it."""
        words = []
        for event in self.session.poll(timeout):
            if isinstance(event, Level):
                self.progress.measure(event)
            elif isinstance(event, Heard):
                self.progress.hear(event)
                words.append(event)
            elif isinstance(event, Returned):
                self.progress.come_back(event)
        return words

    def teach(self, label: str) -> bool:
        """Teach the newest word as one of class ``label``, and keep it as data; return whether it was taught."""
        progress, heard = self.progress, self.progress.heard
        if heard is None:
            progress.note = "nothing was heard yet: say or show something, then press the key"
            return False
        if progress.label:
            progress.note = f"that was taught as {progress.label}: u takes it back"
            return False
        try:
            taught = self.session.teach(heard.event, label)
        except BoardError as error:
            if "event" not in error.message:
                raise
            progress.note = error.message
            return False
        progress.teach(taught)
        sample = taught.sample or self.session.sample(heard.event)
        if sample is not None:
            self.keeper.add(sample, label)
        return True

    def undo(self) -> None:
        """Take the last taught word back, on the board and among the data."""
        taught = self.session.undo()
        self.progress.undo(taught)
        if taught.label is not None:
            self.keeper.undo()

    def practise(self, n: int) -> int:
        """Have the board learn n of its kept samples again; return how many it learned."""
        done = self.session.practise(n)
        self.progress.learn(self.session.state.seen)
        return done

    def sync(self) -> None:
        """Wait until the board has dealt with what it has read from its sensor."""
        self.session.set_passes(self.passes)

    def save(self) -> int:
        """Have the board write a checkpoint; return the weights' CRC. Where that fails, the note says why."""
        outcome = self.session.save()
        failed = int(str(outcome.details["checkpoint_failed"]))
        if failed:
            why, todo = unsaved(failed)
            self.progress.note = f"not saved: {why}; {todo}"
        else:
            self.progress.save()
        return outcome.weights_crc
