"""Draws numbers as PNG files: counts of a data set, scores and curves of runs, searches."""
