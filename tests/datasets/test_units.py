"""Label units one by one: every one is what it is in its video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets.easg_files import write_easg, write_features
from toys import ToyVideos

from vidsgg.datasets.easg import EASG
from vidsgg.datasets.units import LabelUnits
from vidsgg.errors import ConfigError


def test_units_put_together_are_the_videos(tmp_path: Path) -> None:
    write_features(write_easg(tmp_path, clips=3, graphs=4))
    data = EASG(tmp_path, "train")
    units = LabelUnits(data)
    assert len(units) == data.report()["units"] == len(set(units.video_ids))
    at = 0
    for index, video in enumerate(data):
        features = data.features(index)
        for unit in range(video.units):
            found, columns = units.annotation(at), units.features(at)
            assert found.video_id == f"{video.video_id}#{unit}"
            frames = np.flatnonzero(video.frame_unit == unit)
            nodes = np.flatnonzero(np.isin(video.node_frame, frames))
            pairs = np.flatnonzero(np.isin(video.pair_frame, frames))
            assert (found.units, found.frames, found.nodes) == (1, len(frames), len(nodes))
            assert found.frame_key == tuple(video.frame_key[i] for i in frames)
            assert found.action_class.tolist() == [video.action_class[unit]]
            np.testing.assert_array_equal(found.node_box, video.node_box[nodes])
            np.testing.assert_array_equal(found.node_frame, video.node_frame[nodes] - frames[0])
            np.testing.assert_array_equal(found.pair_object, video.pair_object[pairs] - nodes[0])
            np.testing.assert_array_equal(found.labels["relation"], video.labels["relation"][pairs])
            for name in ("node_feature", "node_rows"):
                np.testing.assert_array_equal(columns[name], features[name][nodes])
            np.testing.assert_array_equal(columns["action_feature"], features["action_feature"][[unit]])
            at += 1
    assert at == len(units)
    other = units.in_mode("sgdet")
    assert other.mode == "sgdet"
    assert other.annotation(1) == units.annotation(1)


def test_units_of_frames_are_the_frames() -> None:
    videos = ToyVideos(2)
    units = LabelUnits(videos)
    whole = videos.annotation(1)
    first = videos.annotation(0).units
    unit = units.annotation(first + 1)
    (pairs,) = np.nonzero(whole.pair_frame == 1)
    start = np.searchsorted(whole.node_frame, 1)
    np.testing.assert_array_equal(unit.pair_subject, whole.pair_subject[pairs] - start)
    assert (unit.frames, unit.nodes) == (1, int((whole.node_frame == 1).sum()))
    np.testing.assert_array_equal(units.features(first + 1)["pair_union"], videos.features(1)["pair_union"][pairs])
    with pytest.raises(ConfigError, match="is a label unit of a video"):
        units.video_frames(0)
