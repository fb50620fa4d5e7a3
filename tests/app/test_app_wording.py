"""Messages of commands in the app: options are called as the page calls them, or their command is named."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from vidsgg.app.jobs import Asked
from vidsgg.app.uploads import asked_for
from vidsgg.app.wording import _fields, in_app
from vidsgg.recipes.predict_video import _Found, _why_nothing


def test_every_wish_has_a_field_on_the_page() -> None:
    assert {*_fields(), "checkpoint"} == {field.name for field in fields(Asked)}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (_Found(5, 0, 0, 0), "-detector may find some. Things count from a score of 0.3 on; a smaller 'least score of things'"
         " keeps more. -detector is an option of 'vidsgg app'."),
        (_Found(5, 2, 0, 0), "a smaller 'least score of things' keeps more."),
        (_Found(5, 2, 2, 0), "a smaller 'least score of relations' keeps more. Things"),
    ],
    ids=["no thing", "no pair", "no relation"],
)  # fmt: skip
def test_why_a_graph_is_empty(found: _Found, said: str) -> None:
    text = in_app(_why_nothing(found, ["person"], 0.3))
    assert said in text and "-least_score" not in text and "-threshold" not in text


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("options -begin and -end: no frame", "options -begin and -end: no frame. -begin and -end are options of 'vidsgg view'."),
        ("take -backend torch.", "take -backend torch. -backend is an option of 'vidsgg app'."),
        ("run 'vidsgg predict x -fps 2' once", "run 'vidsgg predict x -fps 2' once"),
        ("a well-known file in-fps/-threshold.mp4 is 3 - 2", "a well-known file in-fps/-threshold.mp4 is 3 - 2"),
        ("option -nothing: is none", "option -nothing: is none"),
        ("option fps: it is empty; leave the option out", "'graphs a second': it is empty; leave the option out"),
    ],
)  # fmt: skip
def test_other_options_and_what_is_none(text: str, becomes: str) -> None:
    assert in_app(text) == becomes


def test_a_wish_that_cannot_be_names_its_field() -> None:
    with pytest.raises(HTTPException) as error:
        asked_for({"threshold": "2"}, Path("c"))
    assert error.value.detail.startswith("'least score of relations': 2 is too large")
