"""Video scene graph generation: from a video to a graph per frame.

Importing this package is cheap; torch is imported by the modules that compute with it.
"""

__version__ = "0.1.0"
