"""Parts of runs and trained models, put together from names and options."""
