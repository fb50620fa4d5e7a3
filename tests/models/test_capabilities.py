"""What models say of themselves is checked against data sets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clips import ACTION, ENTITY

from vidsgg.errors import ConfigError
from vidsgg.models.capabilities import Capabilities

CAN = Capabilities(modes={"entity": ("predcls", "sgcls")})


def test_what_is_lacking_is_named():
    CAN.check("toy", "sgcls", ENTITY)
    with pytest.raises(ConfigError, match="model 'toy' has no mode 'sgdet' on 'toy_frames'; it has predcls, sgcls"):
        CAN.check("toy", "sgdet", ENTITY)
    with pytest.raises(ConfigError, match="data set 'toy_frames' has no mode 'sgcls'; it has predcls"):
        CAN.check("toy", "sgcls", replace(ENTITY, modes=("predcls",)))
    with pytest.raises(ConfigError, match="does not work on 'toy_events', whose subjects are of kind 'action'"):
        CAN.check("toy", "predcls", ACTION)


def test_whoever_reads_no_pictures_needs_a_detector_where_something_is_to_be_guessed():
    blind = replace(CAN, visual=False)
    assert [blind.needs_detector(mode) for mode in ("predcls", "sgcls", "sgdet")] == [False, True, True]
    assert CAN.needs_detector("predcls")
