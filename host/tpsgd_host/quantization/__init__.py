"""Turns a trained network in floating point into one in integers."""
