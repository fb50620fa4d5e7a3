"""Parse, call, print. Imported by nobody."""
