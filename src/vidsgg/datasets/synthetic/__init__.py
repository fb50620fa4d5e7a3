"""Drawn worlds of real frames, real files and made up scenes: one person with Action Genome's files, and rooms of own data."""
