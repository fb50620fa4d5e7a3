"""Graphs in the formats of others, a module for each: pure functions from graphs to the content of
a file, or to another library's object."""
