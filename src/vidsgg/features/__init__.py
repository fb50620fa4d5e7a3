"""The feature store: what a detector gives for every video, kept on disk."""
