"""Trained networks in floating point, from the files of other tools."""
