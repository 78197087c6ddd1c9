"""The link to a board: ports, frames, a session that loses and doubles nothing (SPEC 4)."""
