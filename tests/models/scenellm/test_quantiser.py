"""Stage 1: codes are learnt, the gradient goes straight through, and the start decides how many
codes live."""

from __future__ import annotations

import torch
from clips import ENTITY, entity_clip
from models.scenellm.tiny import tiny

from vidsgg.losses.scenellm import SceneLLMCriterion, code_errors
from vidsgg.models.scenellm.quantiser import VectorQuantiser, code_use
from vidsgg.models.scenellm.scenellm import Stage
from vidsgg.structures.clip import Clip


def quantiser(width: int = 5, codes: int = 8) -> VectorQuantiser:
    torch.manual_seed(0)
    return VectorQuantiser(width, codes, dim=4, hidden=16)


def clusters(count: int, rows: int, width: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(count, width, generator=generator)
    return 7 + centres[torch.arange(rows) % count] + 0.05 * torch.randn(rows, width, generator=generator)


def test_values_are_those_of_the_nearest_code_and_gradients_go_straight_through() -> None:
    model, feature = quantiser(), clusters(4, 20)
    out = model(feature)
    assert torch.equal(out.code, torch.cdist(out.latent, model.codebook).argmin(1))
    torch.testing.assert_close(out.vector, model.codebook[out.code])
    torch.testing.assert_close(out.vector, model.discrete(feature))
    weight = torch.randn(out.vector.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((out.vector * weight).sum(), out.latent)
    assert torch.equal(gradient, weight)


def test_each_part_of_the_loss_reaches_what_it_is_for() -> None:
    for part, reached in {
        "reconstruction": {"encoder", "decoder"},
        "codebook": {"codebook"},
        "commitment": {"encoder"},
    }.items():
        model = quantiser()
        code_errors(model(clusters(4, 20)))[part].mean().backward()
        have = {
            name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0
        }
        assert have == reached, part


def test_the_codebook_starts_where_the_data_are() -> None:
    sample = clusters(8, 400)
    cold, warm = quantiser(codes=32), quantiser(codes=32)
    generator = torch.Generator().manual_seed(0)
    use = warm.start_from(sample, generator)
    standardised, _ = warm.encode(sample)
    torch.testing.assert_close(standardised.mean(0), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(standardised.std(0, correction=0), torch.ones(5), atol=1e-4, rtol=0)
    assert bool(warm.started)
    assert use == warm.use_of(sample)
    assert use.used >= 8 > cold.use_of(sample).used
    assert len(warm.discrete(clusters(8, 8)).unique(dim=0)) == 8  # a code of its own for every cluster


def test_training_halves_the_error_and_keeps_the_codes_alive() -> None:
    sample = clusters(12, 300)
    model = quantiser(codes=24)
    model.start_from(sample, torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    errors = []
    for step in range(160):
        if step % 40 == 0:
            model.revive(sample, torch.Generator().manual_seed(step))
        parts = {name: error.mean() for name, error in code_errors(model(sample)).items()}
        optimizer.zero_grad()
        (parts["reconstruction"] + parts["codebook"] + 0.25 * parts["commitment"]).backward()
        optimizer.step()
        errors.append(parts["reconstruction"].item())
    assert errors[-1] < 0.5 * errors[0]
    assert model.use_of(sample).used > 6


def test_unused_codes_are_revived_and_used_ones_stay() -> None:
    model, sample = quantiser(codes=6), clusters(6, 60)
    model.start_from(sample, torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.codebook[2:] = 1000.0
    before = model.codebook.detach().clone()
    use = model.revive(sample, torch.Generator().manual_seed(0))
    assert use.used <= 3
    assert torch.equal(model.codebook[:2], before[:2])
    latents = model.encode(sample)[1]
    assert all((latents == code).all(1).any() for code in model.codebook[3:])
    assert model.use_of(sample).used > use.used


def test_code_use_is_counted() -> None:
    use = code_use(torch.tensor([0, 0, 3, 3]))
    assert (use.used, round(use.perplexity, 6)) == (2, 2.0)
    assert round(code_use(torch.tensor([5, 5, 5])).perplexity, 6) == 1.0


def test_codes_do_not_depend_on_the_precision_around() -> None:
    model, feature = quantiser(), clusters(4, 20)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(feature).vector, model(feature).vector.float())
        half = model(feature)
    assert half.latent.dtype is torch.float32
    assert torch.equal(half.code, model(feature).code)


def test_the_loss_of_a_batch_is_the_mean_of_its_videos() -> None:
    clips = [entity_clip([2, 0], 0, "a"), entity_clip([5, 1, 3], 1, "b")]
    model = tiny().train()
    model.learn(Stage.CODES)
    criterion = SceneLLMCriterion(ENTITY, commitment=0.25)
    together = criterion(model(Clip.cat(clips)), Clip.cat(clips))
    apart = [criterion(model(clip), clip) for clip in clips]
    assert together.keys() == {"reconstruction", "codebook", "commitment", "total"}
    for name, value in together.items():
        torch.testing.assert_close(value, torch.stack([losses[name] for losses in apart]).mean())
    parts = {name: error.mean() for name, error in code_errors(model(clips[0]).quantised).items()}
    torch.testing.assert_close(
        apart[0]["total"], parts["reconstruction"] + parts["codebook"] + 0.25 * parts["commitment"]
    )
