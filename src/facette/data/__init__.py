"""Data sets: from a folder, a zip, CelebA's layout or a generator to one packed store that is read at random.

In: a source and the input part of a recipe. Out: an `ImageStore` (a `VectorStore` for vectors). Knows no model.
"""

from facette.data.attributes import AttributeTable, FactorTable
from facette.data.open import cache_folder, open_dataset
from facette.data.packed import ImageStore, Unreadable

__all__ = ["AttributeTable", "FactorTable", "ImageStore", "Unreadable", "cache_folder", "open_dataset"]
