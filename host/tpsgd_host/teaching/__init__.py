"""Teaches a board live: it hears words or gestures, predicts, and learns those that get a label."""
