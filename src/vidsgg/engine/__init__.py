"""Fit, evaluate, checkpoint, log."""
