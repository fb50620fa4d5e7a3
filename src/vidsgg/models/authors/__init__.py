"""Names in the authors' published checkpoints, mapped on ours: one module a method."""
