"""Drafts of layer files from files of records: types that values prove, words to fill in."""

from layers.definition.drafts.layer_file import draft_layer

__all__ = ["draft_layer"]
