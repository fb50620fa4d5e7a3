"""The nouns: what flows through the house. Nothing here imports another room of it."""
