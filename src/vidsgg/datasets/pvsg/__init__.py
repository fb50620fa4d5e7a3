"""PVSG: panoptic video scene graphs, whose masks become boxes."""
