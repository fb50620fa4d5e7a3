"""One function over many items: in this process, in several, or on a cluster."""
