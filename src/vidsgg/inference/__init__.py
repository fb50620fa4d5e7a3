"""From a trained model to graphs of a video."""
