"""Files of the methods' authors, turned into ours: one module a method."""
