"""Boards: profiles, connections to real ones, and the virtual board, which needs no hardware."""
