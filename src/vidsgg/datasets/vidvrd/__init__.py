"""ImageNet-VidVRD and VidOR: a JSON file for each video, trajectories and relation instances."""
