"""The local web app: upload a video, watch its graph being made, look at it, take it along."""
