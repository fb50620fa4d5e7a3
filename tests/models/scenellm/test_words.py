"""Words: segmentation against a loop that anybody can check, and planted words that the transport
finds again."""

from __future__ import annotations

import random

import pytest
import torch
from clips import entity_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.models.scenellm.transport import find_frame_words
from vidsgg.models.scenellm.words import LONGEST, SceneWords, word_starts
from vidsgg.structures.clip import Clip

PLANTED = ((1, 2, 3), (4, 5), (6,), (7, 8), (2, 9))


def table(words: list[tuple[int, ...]]) -> torch.Tensor:
    rows = [[*word, *[-1] * (LONGEST - len(word))] for word in words]
    return torch.tensor(rows, dtype=torch.int64).view(-1, LONGEST)


def starts_by_hand(videos: list[list[int]], words: set[tuple[int, ...]]) -> list[bool]:
    opens = []
    for kinds in videos:
        at = 0
        while at < len(kinds):
            length = next(n for n in range(LONGEST, 0, -1) if n == 1 or tuple(kinds[at : at + n]) in words)
            length = min(length, len(kinds) - at)
            opens += [True] + [False] * (length - 1)
            at += length
    return opens


def flat(videos: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    video = torch.arange(len(videos)).repeat_interleave(torch.tensor([len(kinds) for kinds in videos]))
    return torch.tensor([kind for kinds in videos for kind in kinds]), video


kinds_of_videos = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(kinds_of_videos, st.sets(st.lists(st.integers(0, 2), min_size=2, max_size=LONGEST).map(tuple), max_size=8))
def test_segmentation_is_greedy_and_a_partition(videos: list[list[int]], words: set[tuple[int, ...]]) -> None:
    kind, video = flat(videos)
    opens = word_starts(kind, video, table(sorted(words)))
    assert opens.tolist() == starts_by_hand(videos, words)


def planted_videos(count: int = 60, words: int = 12) -> list[list[int]]:
    chooser = random.Random(0)
    return [[kind for _ in range(words) for kind in chooser.choice(PLANTED)] for _ in range(count)]


def test_the_transport_recovers_planted_words() -> None:
    videos = planted_videos()
    kind, video = flat(videos)
    found = find_frame_words(kind, video, most_words=24, step=2)
    kept = {tuple(k for k in row if k >= 0) for row in found.words.tolist()}
    assert {word for word in PLANTED if len(word) > 1} <= kept
    # the words that were planted, not one more
    assert int(word_starts(kind, video, found.words).sum()) == 12 * len(videos)
    assert found.entropy < 0.5 * found.entropy_of_frames
    assert found.mean_length == pytest.approx(len(kind) / (12 * len(videos)))


def test_without_order_there_is_little_to_gain() -> None:
    chooser = random.Random(0)
    videos = [[chooser.randrange(1, 10) for _ in range(25)] for _ in range(60)]
    kind, video = flat(videos)
    assert (
        find_frame_words(kind, video, most_words=24, step=2).entropy
        > 0.9 * find_frame_words(*flat(videos), 0, 2).entropy_of_frames
    )


@pytest.mark.parametrize("videos", [[[3]], [[1, 2]], [[1], [2]]], ids=str)
def test_a_handful_of_frames_has_no_words(videos: list[list[int]]) -> None:
    assert find_frame_words(*flat(videos), most_words=8, step=2).words.shape == (0, LONGEST)


def learnt(mode: str) -> SceneWords:
    """Frame tokens are numbers here, whose kinds are 0 to 3; words are (0, 1) and (2, 3, 2)."""
    torch.manual_seed(0)
    words = SceneWords(mode, dim=2, kinds=4, most_words=5)
    if words.has_kinds:
        words.learn(
            torch.tensor([[0.0, 0], [1, 0], [2, 0], [3, 0]]), table([(0, 1), (2, 3, 2)]) if mode == "words" else None
        )
    return words


def tokens(*numbers: float) -> torch.Tensor:
    return torch.tensor([[number, 1.0] for number in numbers])


def test_frames_become_words_and_back() -> None:
    clip = Clip.cat([entity_clip([1] * 6, name="a"), entity_clip([1, 1], name="b")])
    token = tokens(0, 1.1, 2, 3, 2, 2, 1, 0)
    words = learnt("words")(token, clip)
    assert words.of_frame.tolist() == [0, 0, 1, 1, 1, 2, 3, 4]
    assert words.video.tolist() == [0, 0, 0, 1, 1]
    torch.testing.assert_close(words.vector[:2], torch.tensor([[0.55, 1.0], [7 / 3, 1.0]]))
    words = learnt("cluster")(tokens(0, 0.2, 2, 3, 2.1, 2, 2, 2), clip)
    assert words.of_frame.tolist() == [0, 0, 1, 2, 3, 3, 4, 4]  # not beyond the end of a video


@pytest.mark.parametrize("mode", ["none", "tconv"])
def test_every_frame_is_a_word(mode: str) -> None:
    clip = Clip.cat([entity_clip([1] * 3, name="a"), entity_clip([1], name="b")])
    module, token = learnt(mode), tokens(0, 1, 2, 3)
    words = module(token, clip)
    assert words.of_frame.tolist() == [0, 1, 2, 3]
    if mode == "none":
        assert torch.equal(words.vector, token)
        return
    nothing = torch.zeros(2)
    around = [
        (nothing, token[0], token[1]),
        (token[0], token[1], token[2]),
        (token[1], token[2], nothing),
        (nothing, token[3], nothing),
    ]
    torch.testing.assert_close(
        words.vector, token + module.convolution(torch.stack([torch.cat(three) for three in around]))
    )


def test_before_kinds_are_learnt_every_frame_is_a_word() -> None:
    module = SceneWords("words", dim=2, kinds=4, most_words=5)
    assert module(tokens(0, 0, 0), entity_clip([1] * 3)).of_frame.tolist() == [0, 1, 2]


def test_frame_tokens_get_gradients_through_their_words() -> None:
    token = tokens(0, 1, 2).requires_grad_()
    learnt("words")(token, entity_clip([1] * 3)).vector.sum().backward()
    torch.testing.assert_close(token.grad, torch.tensor([[0.5, 0.5], [0.5, 0.5], [1.0, 1.0]]))
