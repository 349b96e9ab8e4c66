"""Finds out what kind of source it is given, and opens it.

In: a path, the name of a generated data set, or a Python data set; the input part of a recipe. Out: an
`ImageStore` with partition and attributes, its pictures decoded once; a `VectorStore` for vectors. The only
file that knows every kind of source.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facette.data.aligned import Align, AlignedSource, in_frame
from facette.data.attributes import AttributeTable, join_rows, spread_table
from facette.data.celeba import find_celeba
from facette.data.class_folders import asks_for_folders, classes_of_folders
from facette.data.folder import FolderSource, others_spoken
from facette.data.generated import FacesSource
from facette.data.joined import JoinedStore
from facette.data.labels import find_labels, read_labels
from facette.data.mixture import SOURCE as MIXTURE
from facette.data.mixture import VectorStore, is_mixture, open_mixture
from facette.data.packed import STORE, ImageStore, read_description
from facette.data.packing import edition, pack, store_name
from facette.data.sequence import SequenceSource
from facette.data.source import PictureSource
from facette.data.split import split_by_name
from facette.data.tarred import TarSource, is_tarred
from facette.data.zipped import ZipSource
from facette.errors import DataError, UsageError
from facette.files import is_address, user_cache
from facette.progress import Progress, untold
from facette.recipe import ImageInput, VectorInput

LOOKED_AT = 128  # pictures of a store that are compared with their digests whenever it is opened
FACES = "synthetic-faces"
DEFAULT_COUNT = 2_000  # generated faces


def open_dataset(
    source: str | Path | Any,
    spec: ImageInput | VectorInput,
    cache_dir: str | Path | None = None,
    strict: bool = False,
    progress: Progress = untold,
    *,
    attributes: str | Path | None = None,
    align: Align = "auto",
    fresh: bool = False,
    workers: int | None = None,
) -> ImageStore | VectorStore:
    """Opens a data set, decoding its pictures unless that has been done before.

    `source`: a folder, zip or tar of pictures, a folder of tars as webdataset writes them, a folder in CelebA's layout,
    `synthetic-faces[:COUNT]`, or a Python object with `__len__` and `__getitem__` (torch's and torchvision's data sets,
    rows as Hugging Face's `datasets` have them, arrays; see `facette.data.sequence`); for vectors
    `synthetic-mixture[:COUNT]` (`open_mixture` says what else may stand there).
    `spec`: a recipe's `input`. `cache_dir`: see `cache_folder`. `attributes`: a CSV (or CelebA's list_attr file)
    instead of those found beside the pictures, or "folders": the folders are classes, as they also are where every
    picture lies in one and nothing else is said. `align`: whether photos are brought into the frame of a model of faces
    first, see `in_frame`. `fresh`: decode again. `workers`: decoding threads, one per core
    when None. `progress(stage, done, total)` is called as pictures are settled, not at all when there is nothing to do.
    Raises DataError when the source is no data set, holds no readable picture or, if `strict`, any unreadable one.
    """
    if isinstance(spec, VectorInput):
        return _mixture(source, spec)
    if is_mixture(source):
        raise DataError(f"{source!r} is made of vectors, but this recipe takes pictures.")
    count = _faces(source)
    cache = cache_folder(cache_dir)
    options: dict[str, Any] = {"strict": strict, "fresh": fresh, "workers": workers, "progress": progress}
    if count is not None:
        faces = FacesSource(count)
        store = _packed(faces, spec, cache, options)
        store.partition = split_by_name(faces.names)
        store.attributes, store.factors = faces.labels()
        return store
    if not isinstance(source, str | os.PathLike):
        return _python(source, spec, cache, options)
    path = Path(source).expanduser()
    celeba = find_celeba(path)
    files = _pictures(path if celeba is None else celeba.pictures)
    if not len(files.names):
        raise DataError(
            f"there are no pictures in {files.location!r}{others_spoken(files.others, ', but ')}."
        )
    store = _packed(_as_before(files, spec, align, cache), spec, cache, options)
    store.passed_over = others_spoken(files.others)
    store.verify(LOOKED_AT)
    by_folder = asks_for_folders(attributes)
    if isinstance(files, TarSource) and (attributes is None or by_folder):
        store.partition = split_by_name(store.names)
        store.attributes = _own_labels(files, store)
    else:
        named = None if attributes is None or by_folder else Path(attributes).expanduser()
        labels = read_labels(find_labels(path, celeba, named), store.names, store.path, strict=strict)
        store.partition, store.attributes, store.listings = (
            labels.partition,
            labels.attributes,
            labels.listings,
        )
    if by_folder or store.attributes is None:
        classes = classes_of_folders(store.names, by_folder, outer=isinstance(files, TarSource))
        if classes is not None:
            store.attributes, store.listings = classes[0], (*store.listings, classes[1])
    return store


def open_datasets(
    sources: Sequence[str | Path],
    spec: ImageInput | VectorInput,
    cache_dir: str | Path | None = None,
    strict: bool = False,
    progress: Progress = untold,
    *,
    attributes: str | Path | None = None,
    align: Align = "auto",
    fresh: bool = False,
) -> ImageStore | JoinedStore | VectorStore:
    """Opens one data set or several, which are then read as one; see `open_dataset`.

    Raises UsageError for several data sets of vectors, and DataError as `open_dataset` does.
    """
    stores = [
        open_dataset(
            source, spec, cache_dir, strict, progress, attributes=attributes, align=align, fresh=fresh
        )
        for source in sources
    ]
    if len(stores) == 1:
        return stores[0]
    pictures = [store for store in stores if isinstance(store, ImageStore)]
    if len(pictures) < len(stores):
        raise UsageError("only data sets of pictures can be joined; give one of vectors")
    return JoinedStore(pictures, [Path(source).name for source in sources])


def _as_before(
    pictures: FolderSource | ZipSource | TarSource, spec: ImageInput, align: Align, cache: Path
) -> PictureSource:
    """As `in_frame`; what was decided when the pictures were packed holds, and no picture is looked at again."""
    for decided in (pictures, AlignedSource(pictures)) if align == "auto" and spec.frame is not None else ():
        store = cache / store_name(decided, spec)
        if (store / STORE).exists() and read_description(store).get("kind"):
            return decided
    return in_frame(pictures, spec, align)


def find_pictures(source: str | Path, spec: ImageInput | None = None, align: Align = "auto") -> PictureSource:
    """The pictures of a folder, a zip, CelebA's layout or `synthetic-faces[:COUNT]`: listed, none of them decoded.

    With the `spec` of a model of faces, photos are aligned as `in_frame` says. Raises DataError when the source is none
    of these.
    """
    count = _faces(source)
    if count is not None:
        return FacesSource(count)
    path = Path(source).expanduser()
    celeba = find_celeba(path)
    pictures = _pictures(path if celeba is None else celeba.pictures)
    return pictures if spec is None else in_frame(pictures, spec, align)


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Where packed stores are kept: `cache_dir`, else this user's cache."""
    return Path(cache_dir).expanduser() if cache_dir else user_cache()


def _pictures(path: Path) -> FolderSource | ZipSource | TarSource:
    if is_tarred(path):
        return TarSource(path)
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        return ZipSource(path)
    if is_address(path):
        raise DataError(
            f"{str(path)!r} is an address, and nothing is fetched: save the pictures and name them."
        )
    raise DataError(
        f"there is no {str(path)!r}; give a folder or a zip of pictures, a CelebA folder, or {FACES}[:COUNT]."
    )


def _python(dataset: Any, spec: ImageInput, cache: Path, options: dict[str, Any]) -> ImageStore:
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise DataError(
            f"a data set is a path, {FACES}, or an object with __len__ and __getitem__, "
            f"not {type(dataset).__name__}."
        )
    rows = SequenceSource(dataset)
    store = _packed(rows, spec, cache, options)
    store.partition = split_by_name(store.names)
    store.attributes = _own_labels(rows, store)
    return store


def _own_labels(source: SequenceSource | TarSource, store: ImageStore) -> AttributeTable | None:
    """The labels that come with the pictures of a source."""
    labels = source.labels()
    if labels is None:
        return None
    return spread_table(labels, join_rows(Path(source.location), labels, store.names))


def _packed(source: PictureSource, spec: ImageInput, cache: Path, options: dict[str, Any]) -> ImageStore:
    """The store of a source, packed where it is not there; again where another process has just put a new one there."""
    path = pack(source, spec, cache, **options)
    before = edition(path)
    try:
        return ImageStore(path)
    except DataError:
        if edition(path) == before and before is not None:
            raise
        again: dict[str, Any] = {**options, "fresh": False}
        return ImageStore(pack(source, spec, cache, **again))


def _faces(source: Any) -> int | None:
    """How many generated faces a source asks for; None for any other source."""
    name, colon, number = str(source).partition(":") if isinstance(source, str) else ("", "", "")
    if name != FACES:
        return None
    if not colon:
        return DEFAULT_COUNT
    if not number.isascii() or not number.isdigit() or int(number) < 1:
        raise DataError(f"{source!r}: behind the colon stands how many to draw, such as {name}:1000.")
    return int(number)


def _mixture(source: Any, spec: VectorInput) -> VectorStore:
    if not is_mixture(source):
        raise DataError(f"{source!r} holds no vectors, but this recipe takes them; give {MIXTURE}[:COUNT].")
    return open_mixture(source, spec.size)
