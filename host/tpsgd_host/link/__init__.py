"""The link to a board: ports, frames, and a session that neither loses nor repeats anything (SPEC 4)."""
