"""Turns files into samples: tables, recordings, windows, scaling, splits."""
