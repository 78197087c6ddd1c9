"""What a board's sensor gives, as pieces for a recording (SPEC 4.2).

Shapes: R values of a piece, C channels.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress

import numpy as np

from tpsgd_host.boards.player import Player
from tpsgd_host.data.playing import Piece, Values
from tpsgd_host.errors import BoardError, TpsgdError
from tpsgd_host.link.tape import COMPRESSED, VALUES, TapeLink, TapePiece

#: Seconds to wait for a piece before the keys are looked at.
LOOK = 0.05

#: After so many seconds without a piece the tape is begun anew, at most TRIES times in a row.
SILENCE, TRIES = 3.0, 3


class Taping:
    """Pieces of a board's sensor, without end, or until all that is played to it has come.

    Parameters
    ----------
    link : TapeLink
    rate, channels : int
        What the front end takes: values a second and channel, and C.
    compressed : bool
        Whether sound travels as four bits a value.
    player : Player, optional
        What plays to the board, if it is a virtual one.
    by_place : bool
        Whether a piece's label follows from its place in what is played: only where none is lost.

    Attributes
    ----------
    overruns, missed : int
        Times that values were lost on the board; pieces that the link lost.
    """

    def __init__(
        self,
        link: TapeLink,
        rate: int,
        channels: int,
        compressed: bool = False,
        player: Player | None = None,
        by_place: bool = False,
    ) -> None:
        self._link, self._rate, self._channels = link, rate, channels
        self._form = COMPRESSED if compressed and channels == 1 else VALUES
        self._player, self._by_place = player, by_place
        self._received = self._largest = 0  # values of a channel: in all, and in a full piece
        self.overruns = self.missed = 0

    def pieces(self) -> Generator[Piece, None, None]:
        """Yield what comes; an empty piece where nothing has come for a moment. Close it where it is left early.

        Raises
        ------
        BoardError, PortError
            When the board is gone, or its sensor gives nothing or something else.
        """
        self._begin()
        heard, tries = time.monotonic(), 0
        try:
            while not self._all_here(time.monotonic() - heard):
                piece = self._link.piece(LOOK)
                if piece is not None:
                    heard, tries = time.monotonic(), 0
                    yield self._labelled(piece)
                    continue
                yield Piece(self._nothing())
                if self._player is None and time.monotonic() - heard > SILENCE:
                    tries += 1
                    if tries > TRIES:
                        raise BoardError(
                            f"the board's sensor has given nothing for {TRIES * SILENCE:.0f} s",
                            "check its wires and the pins in sensor.py; tpsgd-host sensors says which pins it has",
                        )
                    self._begin()  # a board that is gone is noticed here
                    heard = time.monotonic()
                    yield Piece(self._nothing(), lost=True)
        except GeneratorExit:  # the user has ended it
            with suppress(TpsgdError):
                self._link.end()
            raise
        self._link.end()
        while (rest := self._link.piece(0)) is not None:
            yield self._labelled(rest)
        if self._player is not None and self._player.error:
            raise self._player.error

    def _begin(self) -> None:
        tape = self._link.begin(self._form, self._rate)
        if tape.channels != self._channels:
            raise BoardError(
                f"the board's sensor has {tape.channels} channels, {self._channels} are wanted",
                "name the model that is on the board with --model, or flash it again with --sensor",
            )

    def _all_here(self, silent: float) -> bool:
        """Return whether all that was played has come, but for a piece that is not full."""
        player = self._player
        if player is None or not player.ended:
            return False
        read = not player.unread and self._received > player.values - self._largest
        return read or silent > SILENCE

    def _labelled(self, piece: TapePiece) -> Piece:
        self.overruns += piece.lost
        self.missed += piece.missed
        label = ""
        if self._player is not None:
            middle = self._received + len(piece.values) // 2
            label = self._player.label_at(middle) if self._by_place else self._player.label
        self._received += len(piece.values)
        self._largest = max(self._largest, len(piece.values))
        return Piece(piece.values, label, bool(piece.lost or piece.missed), piece.pressed)

    def _nothing(self) -> Values:
        return np.zeros((0, self._channels), np.int16)
