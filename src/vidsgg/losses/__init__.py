"""Criteria, each naming its paper."""
