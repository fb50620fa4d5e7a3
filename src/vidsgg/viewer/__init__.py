"""Draws annotations and graphs; needs no model."""
