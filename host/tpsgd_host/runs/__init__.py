"""Runs: the records, the driver, events, log and folder; ``view`` shows them live and as pictures."""
