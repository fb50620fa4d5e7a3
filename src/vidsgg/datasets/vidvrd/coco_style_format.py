"""ImageNet-VidVRD in COCO style as a data set format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidsgg.datasets.coco_video.format import TableFormat

if TYPE_CHECKING:
    from vidsgg.datasets.relation_sets import Parsed
    from vidsgg.io.locations import Location

FILES = {
    "train": "annotations/instances_train_base.json",
    "val": "annotations/instances_val.json",
    "test": "annotations/instances_test.json",
}


class VidvrdCocoFormat(TableFormat):
    """OvDSGG's files. Its validation file is VidVRD's test part."""

    name = "vidvrd_coco"
    title = "ImageNet-VidVRD in COCO style"
    marks = (FILES["train"], FILES["val"])
    published = {  # noqa: RUF012
        "train": {"videos": 800},
        "val": {"videos": 200, "tracks": 587, "relation instances": 4_835},
    }

    def file(self, folder: Location, part: str) -> Location:
        return folder / FILES[part]

    def parse(self, file: Location, split: str) -> Parsed:
        from vidsgg.datasets.vidvrd.coco_style import parse_vidvrd_coco

        return parse_vidvrd_coco(file, split, self.name, self.title)


FORMAT = VidvrdCocoFormat()
