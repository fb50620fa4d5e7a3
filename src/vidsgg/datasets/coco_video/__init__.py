"""COCO-video with relations: the package's own format for anybody's data."""
