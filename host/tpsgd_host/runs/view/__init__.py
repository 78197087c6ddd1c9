"""Shows a run: live in the terminal, as a report, and as pictures."""
