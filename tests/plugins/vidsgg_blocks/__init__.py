"""Blocks on a table: what other people's code for vidsgg looks like."""
