"""What the toolkit knows of each method; see ``method.py``."""
