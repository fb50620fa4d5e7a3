"""The authors' STTran, imported."""

from __future__ import annotations

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import ConfigError
from vidsgg.methods.sttran import STTranOptions
from vidsgg.models.authors.sttran import infer_sttran, is_sttran, sttran_state
from vidsgg.recipes.importing.authors_file import AuthorsFile
from vidsgg.recipes.importing.method import Found, Method
from vidsgg.recipes.importing.options import ImportOptions
from vidsgg.structures.schema import MODES


def _read(file: AuthorsFile, asked: ImportOptions) -> Found:
    if asked.mode is None:
        raise ConfigError(
            f"option -mode is required: {file.path} holds STTran, whose file does not tell its mode. Name the one that it was trained in:"
            f" {', '.join(MODES)}."
        )
    sizes, widths = infer_sttran(file.state)
    vocabulary = SCHEMA.vocabulary
    heads = {f"{group.name[0]}_rel_compress.weight": len(group) for group in vocabulary.groups}
    file.check_rows({"obj_embed.weight": len(vocabulary.objects)} | heads)
    state, left_over = sttran_state(file.state, asked.mode)
    return Found(
        STTranOptions(mode=asked.mode, reference_compat=True, **sizes),
        widths,
        state,
        tuple(f"{name}: {size}" for name, size in sizes.items()),
        tuple(left_over),
        "the object classifier, which predcls does not use" if asked.mode == "predcls" else "no place for them",
    )


STTRAN = Method("sttran", "STTran (Cong et al., ICCV 2021)", "glocal_transformer...", is_sttran, _read)
