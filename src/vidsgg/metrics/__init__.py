"""Recall in every protocol, as functions and one accumulator."""
