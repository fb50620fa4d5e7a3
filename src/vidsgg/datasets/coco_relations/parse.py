"""SGG-Benchmark's files as entries of COCO-video with relations: each picture is a video of one
frame.

Source of the format: Maelic/SGG-Benchmark (documentation and loaders). What its loader does and
this does not: it loses the class and the predicate with id 0, passes over pictures that are
missing, and keeps one predicate of a pair at random.
"""

from __future__ import annotations

from msgspec import Struct, structs

from vidsgg.datasets.coco_video.parse import DocumentReader, read_lists
from vidsgg.datasets.coco_video.records import Annotation, Category, CocoVideo, Id, Name, Picture, Predicate, Relation
from vidsgg.datasets.faults import Faults
from vidsgg.datasets.relation_sets import Parsed
from vidsgg.io.locations import Location
from vidsgg.structures.vocabulary import BACKGROUND

NAME, TITLE = "coco_relations", "COCO with relations (SGG-Benchmark)"


class RelationCategory(Struct, gc=False):
    id: Id
    name: Name


class RelationAnnotation(Struct, gc=False):
    """subject_id, object_id: ids of annotations."""

    id: Id
    image_id: Id
    subject_id: Id
    object_id: Id
    predicate_id: Id


class CocoRelations(Struct):
    """A whole file. Entries that are not named here are passed over."""

    images: list[Picture]
    annotations: list[Annotation]
    categories: list[Category]
    rel_categories: list[RelationCategory]
    rel_annotations: list[RelationAnnotation]


_ENTRY: dict[str, type[Struct]] = {
    "images": Picture,
    "annotations": Annotation,
    "categories": Category,
    "rel_categories": RelationCategory,
    "rel_annotations": RelationAnnotation,
}


def parse_coco_relations(path: Location, split: str) -> Parsed:
    """Read a file; pictures lie in its folder. Raises DataError if it is no such file at all, or
    has no usable picture.
    """
    faults = Faults()
    document = read_lists(path, faults, CocoRelations, list(_ENTRY), _ENTRY)
    folder = path.parent.name
    return DocumentReader(
        f"{folder}/{path.name}",
        split,
        CocoVideo(
            images=[
                structs.replace(image, file_name=f"{folder}/{image.file_name}", video_id=None, frame_id=None)
                for image in document.images
            ],
            categories=[category for category in document.categories if category.name != BACKGROUND],
            annotations=[structs.replace(annotation, track_id=None) for annotation in document.annotations],
            predicates=[Predicate(p.id, p.name) for p in document.rel_categories if p.name != BACKGROUND],
            relations=[
                Relation(r.id, r.predicate_id, r.image_id, r.subject_id, r.object_id) for r in document.rel_annotations
            ],
        ),
        faults,
        form=NAME,
        title=TITLE,
        lists={"predicates": "rel_categories", "relations": "rel_annotations"},
    ).read()
