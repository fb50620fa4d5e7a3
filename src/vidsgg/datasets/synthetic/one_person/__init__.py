"""One person and things around it, in the files of Action Genome."""
