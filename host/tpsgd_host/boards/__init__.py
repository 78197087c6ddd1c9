"""Boards: what is known of them before one is connected, and the one that needs no hardware."""
