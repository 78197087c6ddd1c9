"""A board as an executor, which a run's driver can drive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zlib import crc32

from tpsgd import runtime
from tpsgd_host.errors import BoardError, MismatchError
from tpsgd_host.link.lesson import LessonLink
from tpsgd_host.link.messages import Info
from tpsgd_host.link.session import Session
from tpsgd_host.link.tape import TapeLink
from tpsgd_host.model.modelfile import Model, parse_model
from tpsgd_host.training.executor import Bytes, Outcome, RecordExecutor, Records

#: Engines: their names in options, and their numbers on the link.
ENGINES = {"auto": 0, **{name: number for number, name in runtime.ENGINES.items()}}


class Board(RecordExecutor):
    """A board with an open session; an :class:`~tpsgd_host.training.executor.Executor`.

    Parameters
    ----------
    session : Session
    engine : str
        The wanted engine; ``auto`` for the board's best.
    every : int
        Training samples between two checkpoints; 0 for a checkpoint only at the end.
    receive_buffer : int, optional
        Maximum bytes under way, where the board would take more.

    Attributes
    ----------
    info : Info
        The board's description of itself when the session was opened.
    """

    def __init__(
        self, session: Session, engine: str = "auto", every: int = 0, receive_buffer: int | None = None
    ) -> None:
        self._session = session
        self._every = every
        self._classes = 255  # until the model is known
        self._prototypes = 0  # bytes, as above
        self.info: Info = session.hello(ENGINES[engine], receive_buffer)

    def start(self, run_id: int, total: int, fresh: bool) -> None:
        """Begin a run of ``total`` training samples; ``fresh``: with its model file's weights, else the present."""
        self._session.start(run_id, total, fresh, self._every)

    def go_on(self, run_id: int, have: int) -> Info:
        """Continue a run of which the host has ``have`` results; see :meth:`Session.go_on`."""
        return self._session.go_on(run_id, have, self._every)

    def save(self) -> None:
        """Have the board write a checkpoint."""
        self._session.sync(save=True)

    def stream(self, records: Records) -> Iterator[Bytes]:
        """Send records; yield results as they arrive, arrays (r, 2)."""
        for results in self._session.stream(records):
            if len(results) and results[:, 0].max() >= self._classes:
                raise MismatchError(
                    f"the board says class {results[:, 0].max()}, but its model has {self._classes}",
                    "put the model on it again with: tpsgd-host flash MODEL",
                )
            yield results

    def lesson(self, model: Model) -> LessonLink:
        """Return the link for a lesson; ``model`` is the board's.

        Raises
        ------
        BoardError
            When its program is too old for lessons.
        """
        self._can_listen()
        layout = model.layout
        return LessonLink(self._session, len(model.classes), layout.channels, layout.steps * layout.channels)

    def _can_listen(self) -> None:
        if not self.info.lessons:
            raise BoardError(
                f"the board's program, version {self.info.version}, cannot listen to its sensor for the host",
                "flash it again: tpsgd-host flash MODEL",
            )

    def tape(self) -> TapeLink:
        """Return the link for a tape of the board's sensor.

        Raises
        ------
        BoardError
            When its program is too old for lessons and tapes.
        """
        self._can_listen()
        return TapeLink(self._session)

    def finish(self, save: bool = True) -> Outcome:
        """End the run and have the board write a checkpoint."""
        done = self._session.sync(save)
        details: dict[str, object] = {
            "engine": self.info.engine, "machine": self.info.machine, "state_bytes": done.measured,
            "planned_bytes": self.info.planned, "heap_used": done.heap_used, "heap_free": done.heap_free,
            "checkpoint": done.generation, "checkpoint_failed": done.failed, "frames_resent": self._session.resent,
        }  # fmt: skip
        return Outcome(done.applied, done.seen, done.weights_crc, details)

    def weights(self, progress: Callable[[int], None] = lambda n: None) -> bytes:
        """Return the live weights of all layers.

        Raises
        ------
        MismatchError
            When the CRC of the received weights is not the one that the board reports.
        """
        data = self._session.read(1, progress, self._prototypes)
        arrived, said = crc32(data), self._session.sync(save=False).weights_crc
        if arrived != said:
            raise MismatchError(
                f"the received weights have CRC {arrived:08x}, but the board has {said:08x}",
                "is another program talking to the board? Close it and try again",
            )
        return data

    def model(self, progress: Callable[[int], None] = lambda n: None) -> Model:
        """Return the model on the board as in its file, with the weights that were flashed."""
        model = parse_model(self._session.read(0, progress), "the board's model")
        self.require(model)
        return model

    def pull(self, progress: Callable[[int], None] = lambda n: None) -> Model:
        """Return the model on the board with its present weights."""
        return self.model(progress).with_weights(self.weights(progress))

    def require(self, model: Model) -> None:
        """Raise if the board reports another model than ``model``."""
        if self.info.model_crc != model.crc:
            raise MismatchError(
                f"the board reports model {self.info.model_crc:08x}, but the file is {model.crc:08x}",
                "put the file on the board with: tpsgd-host flash MODEL, or leave out --model",
            )
        self._classes = len(model.classes)
        self._prototypes = 0 if model.prototypes is None else model.prototypes.vectors.nbytes

    def close(self) -> None:
        """End the session."""
        self._session.bye()
