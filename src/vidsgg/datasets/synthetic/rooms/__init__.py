"""Rooms with several people and things, and relations between any two of them, in the files of own data."""
