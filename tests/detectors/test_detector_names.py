"""Names of the published detector's weights; that all of them fit is what the ``published`` fixture
and the goldens show."""

import pytest

from vidsgg.detectors.authors import our_name


@pytest.mark.parametrize(
    "name", ["RCNN_base.60.weight", "RCNN_base.2.weight", "RCNN_base.1.num_batches_tracked", "RCNN_top.10.weight"]
)
def test_names_of_other_parts_have_no_place(name):
    assert our_name(name) is None


def test_names_may_have_the_wrapper_of_sttran():
    assert (
        our_name("fasterRCNN.RCNN_top.0.0.conv1.weight")
        == our_name("RCNN_top.0.0.conv1.weight")
        == "backbone.layer4.0.conv1.weight"
    )
