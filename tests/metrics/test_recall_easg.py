"""The ceiling of edge classification on the real EASG annotations: multi-label pairs get one slot
under "with"."""

import os
from pathlib import Path

import numpy as np
import pytest

from vidsgg.datasets.easg import EASG
from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.protocol import protocol_for
from vidsgg.structures.prediction import VideoPrediction

pytestmark = pytest.mark.skipif(
    not os.environ.get("VIDSGG_EASG"), reason="set VIDSGG_EASG to the folder of the EASG annotations"
)


def test_an_oracle_reaches_the_published_ceiling():
    data = EASG(Path(os.environ["VIDSGG_EASG"]), "test")
    accumulator = RecallAccumulator(protocol_for(data.schema, "predcls"), data.schema.vocabulary)
    for a in data:
        prediction = VideoPrediction(
            schema=data.schema,
            video_id=a.video_id,
            frame_unit=a.frame_unit,
            node_box=a.node_box,
            node_class=a.node_class,
            node_score=np.ones(a.nodes),
            node_frame=a.node_frame,
            node_identity=a.node_identity,
            action_class=a.action_class,
            pair_subject=a.pair_subject,
            pair_object=a.pair_object,
            pair_frame=a.pair_frame,
            scores={name: labels.astype(np.float32) for name, labels in a.labels.items()},
        )
        accumulator.update(a, prediction)
    result = accumulator.compute()
    assert (result.units, int(result.relations.sum())) == (2382, 5299)
    np.testing.assert_allclose(100 * result.R[0], 97.8184, rtol=0, atol=5e-5)
    np.testing.assert_allclose(100 * result.R[1], 100, rtol=0, atol=1e-9)
