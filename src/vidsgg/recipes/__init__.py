"""Complete runs as typed configuration: the one place where names meet."""
