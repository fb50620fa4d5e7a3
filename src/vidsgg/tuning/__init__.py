"""Search for good options: what to search over, how, and many processes on one study."""
