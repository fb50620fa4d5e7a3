"""The files of this world: videos and Action Genome's annotations."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

import numpy as np

from vidsgg.datasets.action_genome import CLASS_FILES
from vidsgg.datasets.synthetic.known import name_of, split_of
from vidsgg.datasets.synthetic.one_person.annotate import VideoEntries, annotate
from vidsgg.datasets.synthetic.one_person.render import Scene
from vidsgg.datasets.synthetic.one_person.script import write_story
from vidsgg.datasets.synthetic.world import DrawnVideo, World
from vidsgg.errors import DataError
from vidsgg.io.atomic import write_whole

_KEYS = (12, 24)  # annotated frames of a video
_PICKLES = ("person_bbox.pkl", "object_bbox_and_relationship.pkl")


class OnePerson(World):
    name = "person"
    title = "one person and things, in Action Genome's own file format"
    # Annotations first: without them nothing looks complete.
    made = MappingProxyType(
        {
            "annotations": (*_PICKLES, *CLASS_FILES, "frame_list.txt", ".vidsgg/columns*.npz"),
            "videos": ("S[0-9]*.mp4",),
            "frames": ("S[0-9]*.mp4/[0-9]*.png",),
        }
    )
    needed = tuple(f"annotations/{name}" for name in _PICKLES)

    def video(self, rng: np.random.Generator, index: int, width: int, height: int) -> DrawnVideo:
        story = write_story(rng, int(rng.integers(_KEYS[0], _KEYS[1] + 1)))
        scene = Scene(story, rng, width, height)
        entries = annotate(story, scene, rng, name_of(index), split_of(index))
        return DrawnVideo(scene.frames(), pickle.dumps(entries))

    def write(self, root: Path, seed: int, videos: Iterable[bytes]) -> None:
        persons: dict[str, object] = {}
        objects: dict[str, object] = {}
        for pickled in videos:
            entries: VideoEntries = pickle.loads(pickled)  # our own, from our own process
            persons.update(entries.persons)
            objects.update(entries.objects)
        if not persons:
            raise DataError(f"{root}: no video has an annotation.")
        # The published files leave out the separators: 'closetcabinet', 'lookingat'.
        lists = {
            name: [word.replace("/", "").replace("_", "") for word in classes] for name, classes in CLASS_FILES.items()
        }
        contents = {
            name: ("\n".join(lines) + "\n").encode()
            for name, lines in {**lists, "frame_list.txt": list(persons)}.items()
        }
        # As in the published file, the order of the object entries means nothing.
        keys = list(objects)
        scrambled = {keys[i]: objects[keys[i]] for i in np.random.default_rng([seed]).permutation(len(keys))}
        for name, content in zip(_PICKLES, (persons, scrambled), strict=True):
            contents[name] = pickle.dumps(content, protocol=4)
        (root / "annotations").mkdir(exist_ok=True)
        for name, data in contents.items():  # the pickles last: a data set is known by them
            write_whole(root / "annotations" / name, data)
