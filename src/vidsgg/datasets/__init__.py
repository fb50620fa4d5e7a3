"""Data sets: from files to annotations."""
