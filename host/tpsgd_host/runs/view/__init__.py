"""What a run looks like: live in the terminal, as a report, and as pictures."""
