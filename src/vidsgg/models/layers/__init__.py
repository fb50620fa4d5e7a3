"""What several methods share unchanged."""
