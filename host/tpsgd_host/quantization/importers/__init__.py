"""Reads trained networks from the files of other tools."""
