"""SceneLLM, re-implemented from the paper: one module for each of its parts."""
