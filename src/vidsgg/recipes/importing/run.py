"""``vidsgg import-checkpoint``: what is it, what of it has a place, and what is left out and why."""

from __future__ import annotations

from dataclasses import fields

from vidsgg.detectors.authors import is_detector
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.recipes.importing.authors_file import AuthorsFile, Imported
from vidsgg.recipes.importing.detector import import_detector
from vidsgg.recipes.importing.method import Method, import_relation_model
from vidsgg.recipes.importing.options import ImportOptions
from vidsgg.recipes.importing.stket import STKET
from vidsgg.recipes.importing.sttran import STTRAN
from vidsgg.recipes.importing.tempura import TEMPURA

# The first that recognises a file has it: those whose names are others' and more stand before them.
METHODS: tuple[Method, ...] = (TEMPURA, STTRAN, STKET)
_OF_EVERY_METHOD = ("file", "out", "mode", "model")


def run_import(options: ImportOptions) -> Imported:
    """Write a detector's or a model's file in our format, by default beside it as ``<name>_vidsgg``.

    Raises CheckpointError if the file is of no kind that we know or does not fit, ConfigError if the options do not fit it, one is lacking,
    or something lies where it is to be written.
    """
    file = AuthorsFile.read(options.file)
    path = options.out or options.file.with_name(f"{options.file.stem}_vidsgg{options.file.suffix}")
    if path.exists():
        raise ConfigError(f"option -out: {path} is there already; choose another place or delete it.")
    if is_detector(file.state):
        if options.mode is not None or options.model is not None:
            raise ConfigError(f"{file.path} holds a detector, which has no mode and is no relation model; leave out -mode and -model.")
        return import_detector(file, path)
    method = next((method for method in METHODS if method.recognises(file.state)), None)
    if method is None:
        known = ", ".join(f"{method.title.split(' (')[0]} ({method.known_by})" for method in METHODS)
        raise CheckpointError(
            f"{file.path} is neither the detector (entries such as RCNN_base.0.weight) nor any of {known}."
            f" Its first entries are {', '.join(map(repr, list(file.state)[:3]))}."
        )
    name = method.title.split(" (")[0]
    if options.model not in (None, method.model):
        raise ConfigError(f"option -model: {file.path} holds {name}, not {options.model!r}.")
    for field in fields(options):
        if getattr(options, field.name) is not None and field.name not in (*_OF_EVERY_METHOD, *method.choices):
            raise ConfigError(f"option -{field.name}: {file.path} holds {name}, which has no such option; leave it out.")
    return import_relation_model(method, file, options, path)
