"""Chips in emulators that you bring: the firmware on them is as it is on a board, and they count what it costs."""
