"""Detectors and the features of given boxes."""
