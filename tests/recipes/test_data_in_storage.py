"""A data set and its features in object storage: what commands make of it is what they make here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from buckets import KEYS, Buckets, upload
from datasets import test_pvsg, test_vidvrd
from datasets.ag_files import plain, write, write_video
from datasets.coco_sets import small_document, write_set
from datasets.easg_files import write_all_features, write_easg
from detectors.tiny import tiny_detector
from PIL import Image

from vidsgg.cli.main import main
from vidsgg.datasets.action_genome import OBJECTS
from vidsgg.datasets.base import Subset, VideoDataset
from vidsgg.datasets.format import DatasetFormat
from vidsgg.datasets.pictures import count_pictures
from vidsgg.datasets.registry import FORMATS, identify, open_whole_split
from vidsgg.detectors.files import save_detector
from vidsgg.errors import DataError
from vidsgg.features.stored_clip import RecordSource, annotation_digest
from vidsgg.io.locations import RemotePath
from vidsgg.plugins import _Installed

OPTIONS = {
    "model": "dsgdetr",
    "hidden_dim": 8,
    "embedding_dim": 8,
    "feedforward_dim": 16,
    "epochs": 1,
    "warmup_steps": 1,
}
SMALL = [word for name, value in OPTIONS.items() for word in (f"-{name}", str(value))]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with a dumped picture, and a detector beside it."""
    root = tmp_path_factory.mktemp("here") / "set"
    videos = {f"V{i}": ("train" if i < 3 else "test", [1, 3, 8]) for i in range(4)}
    write(root, *plain(videos))
    first = write_video(root, "V0", 10)
    for name in list(videos)[1:]:
        shutil.copy(first, first.with_name(f"{name}.mp4"))
    save_detector(root.parent / "detector.pth", tiny_detector(OBJECTS))
    return root


def lifted(root: Path, there: RemotePath) -> RemotePath:
    """The files of a folder in object storage."""
    for file in sorted(root.rglob("*")):
        if file.is_file() and not {".vidsgg", "features"} & set(file.parts):
            upload(file, there, file.relative_to(root).as_posix())
    return there


@pytest.fixture(scope="module")
def there(here: Path, buckets: Buckets) -> RemotePath:
    return lifted(here, buckets.new() / "set")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDSGG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_whole_way(
    here: Path, there: RemotePath, buckets: Buckets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", "-data_path", str(there), "-images", "all"]) == 0
    assert "verdict: the data set can be used" in capsys.readouterr().out

    looks = ["-mode", "predcls", "-detector", str(here.parent / "detector.pth"), "-num_workers"]
    assert main(["features", "-data_path", str(there), *looks, "1", "-device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert f"folder: {there}/features/predcls_" in said and "written: 4 records" in said
    assert main(["features", "-data_path", str(there), *looks, "1", "-device", "cpu"]) == 0
    assert "written: 0 records" in capsys.readouterr().out

    run, words = tmp_path / "run", [*SMALL, *looks, "1", "-device", "cpu", "-logger", "none"]
    assert main(["train", "-data_path", str(there), *words, "-save_path", str(run)]) == 0
    said = "".join(capsys.readouterr())
    assert f"features: float16 from {there}/features/predcls_" in said
    assert main(["evaluate", "-checkpoint", str(run)]) == 2  # which may be somebody else's
    assert f"only a file names is not contacted; if it is yours, add -data_path {there}" in capsys.readouterr().err
    assert main(["train", *words, "-resume_from", str(run)]) == 2
    assert f"only a file names is not contacted; if it is yours, add -data_path {there}" in capsys.readouterr().err
    assert main(["evaluate", "-checkpoint", str(run), "-data_path", str(there)]) == 0
    scores = json.loads((run / "evaluation_test.json").read_text())
    assert scores["data_path"] == str(there)

    (stored,) = (there / "features").iterdir()
    other = ["-data_path", here.as_uri(), "-features", str(stored), "-save_path", str(tmp_path / "other")]
    assert main(["evaluate", "-checkpoint", str(run), *other]) == 0
    same = json.loads((tmp_path / "other" / "evaluation_test.json").read_text())
    assert same["data_path"] == str(here) and same["recall"] == scores["recall"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEYS["AWS_SECRET_ACCESS_KEY"].encode() in path.read_bytes() for path in files)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in said + "".join(capsys.readouterr())


def test_annotations_are_fetched_once_and_videos_by_ranges(
    here: Path, there: RemotePath, buckets: Buckets, cache: Path
) -> None:
    pickle = there / "annotations" / "person_bbox.pkl"
    open_whole_split(there, "train", "predcls")
    begun = buckets.sent[pickle.key]
    data, same = open_whole_split(there, "train", "predcls"), open_whole_split(here, "train", "predcls")
    assert buckets.sent[pickle.key] == begun and [path.name for path in cache.iterdir()]
    listed = sum(buckets.requests.values())
    for index in range(len(data)):
        assert all(source.there for source in data.frame_sources(index))
    assert sum(buckets.requests.values()) - listed <= 15  # of folders, whatever the number of videos
    for picture, other in zip(data.images(0), same.images(0), strict=True):
        assert (picture == other).all()

    changed = here.parent / "changed"
    shutil.copytree(here / "annotations", changed / "annotations", ignore=shutil.ignore_patterns(".vidsgg"))
    write(changed, *plain({f"W{i}": ("train", [1, 3, 8]) for i in range(3)}))
    other = lifted(changed, there.parent / "other")
    assert len(open_whole_split(other, "train", "predcls")) == 3
    write(changed, *plain({f"U{i}": ("train", [1, 3, 8]) for i in range(3)}))
    lifted(changed, other)  # of the same size
    assert open_whole_split(other, "train", "predcls").video_ids == ["U0", "U1", "U2"]


def test_a_table_with_pictures(buckets: Buckets, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_set(tmp_path / "set", train=small_document(2, 3), test=small_document(1, 3, first="t"))
    from recipes.test_whole_flow import add_pictures

    add_pictures(root)
    there = lifted(root, buckets.new() / "set")
    data, same = (open_whole_split(place, "train", "predcls") for place in (there, root))
    assert data.fingerprint() == same.fingerprint()
    for picture, other in zip(data.images(1), same.images(1), strict=True):
        assert (picture == other).all()
    assert main(["data", "check", "-data_path", str(there), "-images", "all"]) == 0
    assert "verdict: the data set can be used" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["vidvrd", "vidor", "pvsg"])
def test_annotations_in_many_files(buckets: Buckets, tmp_path: Path, form: str) -> None:
    root = tmp_path / "set"
    if form == "pvsg":
        test_pvsg.write(root)
    else:
        test_vidvrd.small(root, form=form)
    there = lifted(root, buckets.new() / "set")
    data, same = (open_whole_split(place, "train", "predcls") for place in (there, root))
    assert data.fingerprint() == same.fingerprint() and data.video_ids == same.video_ids
    masks = [list(place.masks(0)) for place in (data, same)]
    assert len(masks[0]) == len(masks[1]) == (len(data.annotation(0).node_class) if form == "pvsg" else 0)
    assert all((mask == other).all() for mask, other in zip(*masks, strict=True))
    files = [(there / p.relative_to(root).as_posix()).key for p in root.rglob("*.*") if ".vidsgg" not in p.parts]
    sent = {name: buckets.sent[name] for name in files if name != f"{there.key}/pvsg.json"}
    open_whole_split(there, "train", "predcls")
    assert sent and sent == {name: buckets.sent[name] for name in sent}  # nothing is read again

    before = there / min(path.relative_to(root).as_posix() for path in root.rglob("*.json"))
    changed = tmp_path / "changed.json"
    changed.write_text("{")
    before.put(changed)
    with pytest.raises(DataError, match=str(before)):
        open_whole_split(there, "test", "predcls")


def test_features_in_files_of_their_own(buckets: Buckets, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """EASG's pickles, word lists, features and the note beside them."""
    root = tmp_path / "set"
    write_easg(root / "annts_in_new_format", clips=2, graphs=3)
    write_all_features(root / "annts_in_new_format")
    there = lifted(root, buckets.new() / "set")
    data, same = (open_whole_split(place, "test", "sgdet") for place in (there, root))
    assert data.schema == same.schema and data.video_ids == same.video_ids
    for index in range(len(data)):
        assert annotation_digest(data.annotation(index)) == annotation_digest(same.annotation(index))
        for name, values in same.features(index).items():
            assert (data.features(index)[name] == values).all()
    assert main(["data", "check", "-data_path", str(there)]) == 0
    assert f"features of actions: {there}/annts_in_new_format/verb_features.pt" in capsys.readouterr().out

    features = there / "annts_in_new_format" / "verb_features.pt"
    damaged = bytearray(features.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    (tmp_path / "damaged").write_bytes(damaged)
    features.put(tmp_path / "damaged")
    with pytest.raises(DataError, match="is damaged"):
        open_whole_split(there, "test", "sgdet").features(0)


@pytest.fixture
def annotations(here: Path, tmp_path: Path) -> Path:
    """The data set without its videos."""
    ignored = shutil.ignore_patterns("videos", "frames", ".vidsgg", "features")
    return Path(shutil.copytree(here, tmp_path / "annotations only", ignore=ignored))


def test_videos_in_another_place(annotations: Path, here: Path, there: RemotePath) -> None:
    whole = open_whole_split(here, "train", "predcls")
    wanted = [RecordSource.of(whole, i, whole.annotation(i)) for i in range(len(whole))]
    for place in (there, there / "videos", here, here / "videos"):
        data = open_whole_split(annotations, "train", "sgcls", videos_path=place).in_mode("predcls")
        assert [RecordSource.of(data, i, data.annotation(i)) for i in range(len(data))] == wanted
        assert all(source.file.is_relative_to(place) for source in data.frame_sources(1))
        assert data.picture_size(data.picture_files(1)[0]) and not count_pictures(Subset(data, [0, 2])).unusable
    for picture, other in zip(data.images(1), whole.images(1), strict=True):
        assert (picture == other).all()


def test_dumped_frames_in_another_place(annotations: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    for name in ("000001.png", "000003.jpg", "000008.png"):
        (frames / "V0.mp4").mkdir(parents=True, exist_ok=True)
        (frames / "V0.mp4" / name).write_bytes(b"")
    for place in (frames, tmp_path):
        data = open_whole_split(annotations, "train", "predcls", videos_path=place)
        sources = data.frame_sources(0)
        assert [s.name for s in sources] == [f"frames/V0.mp4/{n}" for n in ("000001.png", "000003.jpg", "000008.png")]
        assert all(s.there and s.file == frames / "V0.mp4" / s.name.rpartition("/")[2] for s in sources)
        with pytest.raises(DataError, match="has no pictures of video 'V1'"):
            data.images(1)


@pytest.mark.parametrize("form", ["vidvrd", "pvsg"])
def test_pictures_of_tables_in_another_place(buckets: Buckets, tmp_path: Path, form: str) -> None:
    root, media, direct = tmp_path / "set", tmp_path / "media", tmp_path / "direct"
    test_pvsg.write(root) if form == "pvsg" else test_vidvrd.small(root)
    data = open_whole_split(root, "test", "predcls")
    names = []
    for f, (key, (width, height)) in enumerate(
        zip(data.annotation(0).frame_key, data.annotation(0).frame_size, strict=True)
    ):
        names.append(key if key.endswith(".png") else f"{key}.png")
        for folder, name in ((media, names[-1]), (direct, names[-1].removeprefix("frames/"))):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (int(width), int(height)), (f, 0, 0)).save(folder / name)
    for place in (media, direct, lifted(direct, buckets.new() / "frames")):
        data = open_whole_split(root, "test", "predcls", videos_path=place).every_frame()
        sources = data.frame_sources(0)
        assert [source.name for source in sources] == names and all(source.there for source in sources)
        assert [int(image[0, 0, 0]) for image in data.images(0)] == list(range(len(names)))
        assert not count_pictures(data, [0]).unusable
    shutil.copytree(media, root, dirs_exist_ok=True)
    whole = open_whole_split(root, "test", "predcls").every_frame()
    annotation = whole.annotation(0)
    assert RecordSource.of(whole, 0, annotation) == RecordSource.of(data, 0, annotation)


def test_a_run_with_videos_in_another_place(
    annotations: Path, here: Path, there: RemotePath, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos, run = str(there / "videos"), tmp_path / "run"
    named = ["-data_path", str(annotations), "-videos_path", videos]
    assert main(["data", "check", *named]) == 0
    assert f"pictures of 9 frames: 9 from {videos}\n" in capsys.readouterr().out
    detector, quick = ["-detector", str(here.parent / "detector.pth")], ["-device", "cpu", "-num_workers", "0"]
    assert main(["train", *SMALL, *named, *detector, *quick, "-save_path", str(run), "-logger", "none"]) == 0
    said = "".join(capsys.readouterr())
    assert f"videos: {videos}" in said and f"videos_path: {videos}" in (run / "config.yaml").read_text()
    scored = ["evaluate", "-checkpoint", str(run), *quick]
    assert main(scored) == 2
    assert f"only a file names is not contacted; if it is yours, add -videos_path {videos}" in capsys.readouterr().err
    assert main([*scored, "-videos_path", videos]) == 0
    recall = json.loads((run / "evaluation_test.json").read_text())["recall"]
    assert main([*scored, "-data_path", str(here), "-save_path", str(tmp_path / "other")]) == 0
    assert json.loads((tmp_path / "other" / "evaluation_test.json").read_text())["recall"] == recall

    assert main(["train", *SMALL, *quick, "-resume_from", str(run), "-epochs", "2"]) == 2
    assert f"add -videos_path {videos}" in capsys.readouterr().err
    secret = "s3://me:a-secret-that-nobody-may-see@lab/videos"
    for place, message in (
        (secret, "credentials in an address would end in logs"),
        (f"{there}/none", "there is no such file or folder"),
        (str(tmp_path / "none"), "there is no such folder"),
        (f"{videos}/V0.mp4", "is a file, not a folder"),
    ):
        assert main([*scored, "-videos_path", place]) == 2
        said = "".join(capsys.readouterr())
        assert message in said and "a-secret" not in said and "Traceback" not in said


def test_an_installed_format_that_fails_there_costs_itself_only(
    there: RemotePath, buckets: Buckets, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(DatasetFormat):
        name, title, marks, remote = "broken", "Broken", ("broken.txt",), True

        def recognises(self, folder: Path) -> bool:
            raise KeyError("kind")

        def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
            raise AssertionError

    installed = {"broken": [_Installed("their-data", "theirs:FORMAT")]}
    monkeypatch.setitem(vars(FORMATS), "_installed", installed)
    monkeypatch.setitem(FORMATS._found, "broken", Broken())
    said = "the data set format 'broken' of the installed package their-data failed on"
    assert identify(there) == ("action_genome", there)
    assert f"warning: {said} {there}: KeyError: 'kind'." in capsys.readouterr().err
    with pytest.raises(DataError, match=f"holds no data set that another format recognises, and {said}"):
        identify(buckets.new())


def test_what_cannot_be_is_one_message(
    here: Path, there: RemotePath, buckets: Buckets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = buckets.new()
    other = tmp_path / "notes.json"
    other.write_text("{}")
    upload(other, empty)
    release = buckets.new()
    upload(other, release, "EASG/EASG_unict_master_final.json")
    trained = lifted(here, buckets.new())
    upload(here.parent / "detector.pth", trained)
    for words, message in (
        (["train", "-data_path", str(empty)], f"error: data set folder {empty} holds no known data set. Looked for"),
        (["train", "-data_path", str(release)], f"error: data set folder {release} holds EASG's full release"),
        (["train", "-data_path", f"{there}/annotations"], f"did you mean its folder, '{there}'?"),
        (["train", "-data_path", f"{there}/none"], "there is no such file or folder"),
        (["features", "-data_path", str(trained)], "copy it to this machine and name it with -detector"),
        (["features", "-data_path", str(here), "-out", "hf://datasets/me/mine"], "hf:// is only read"),
        (["features", "-data_path", str(here), "-out", f"{there}/annotations"], "is not empty and no feature store"),
        (["train", "-data_path", str(here), "-features", f"{there}/annotations"], "is no feature store"),
    ):
        assert main(words) == 2, words
        said = capsys.readouterr().err
        assert message in said and "Traceback" not in said
