"""What computes the frozen parts of a detector: torch, its compiler, OpenVINO or ONNX Runtime."""
