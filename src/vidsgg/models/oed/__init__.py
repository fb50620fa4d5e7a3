"""OED: one-stage dynamic scene graphs from pictures (Wang et al., CVPR 2024)."""
