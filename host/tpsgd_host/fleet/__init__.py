"""Boards that learn together: their weights are averaged, and their samples stay where they are."""
