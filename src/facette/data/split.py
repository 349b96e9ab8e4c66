"""Who trains and who validates, when nobody has said so: by a hash of the picture's name, never by order.

In: names. Out: one of TRAIN, VALID, TEST for each. A picture keeps its side when others are added or removed.
Knows nothing of pixels or files.
"""

import numpy as np

from facette.data.names import NameTable
from facette.errors import UsageError

TRAIN, VALID, TEST = 0, 1, 2  # the codes of CelebA's list_eval_partition.txt
PARTITIONS = {"train": TRAIN, "valid": VALID, "test": TEST}
VALID_SHARE = 0.05

FOLDERS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALID,
    "valid": VALID,
    "validation": VALID,
    "test": TEST,
    "testing": TEST,
}


def split_by_name(names: NameTable, valid_share: float = VALID_SHARE) -> np.ndarray:
    """(N,) int8 of TRAIN and VALID; about `valid_share` of the names are VALID.

    A name's side depends on the name alone, with one exception: when a set is so small that fewer than two would
    be VALID, or none TRAIN, the names with the lowest (the highest) hashes are moved there, for of one picture nothing
    can be said of how pictures differ. Of two or three one is VALID; a single picture is TRAIN.
    """
    if not 0 < valid_share < 1:
        raise UsageError(f"the validation share is {valid_share}; it lies between 0 and 1.")
    hashes = names.hashes()  # (N,) uint64, uniform
    partition = np.where(hashes < np.uint64(valid_share * 2**64), VALID, TRAIN).astype(np.int8)
    fewest = 0 if len(names) < 2 else 1 if len(names) < 4 else 2
    if np.count_nonzero(partition == VALID) < fewest:
        partition[np.argsort(hashes, kind="stable")[:fewest]] = VALID
    if len(names) > 0 and not (partition == TRAIN).any():
        partition[hashes.argmax()] = TRAIN
    return partition


def rows_of(partition: np.ndarray, part: str) -> np.ndarray:
    """(K,) int64, ascending: rows of "train", "valid", "test" or "all" in a partition (N,). Raises UsageError for
    another part."""
    if part == "all":
        return np.arange(len(partition))
    if part not in PARTITIONS:
        raise UsageError(f"no partition {part!r}; there are {', '.join(PARTITIONS)} and all.")
    return np.flatnonzero(partition == PARTITIONS[part])


def split_by_folder(names: NameTable) -> np.ndarray | None:
    """(N,) int8 when every picture lies below a folder called train, valid (val, validation) or test.

    None when that is not so, or when only one of the three is there: then the folders say nothing.
    """
    partition = np.empty(len(names), np.int8)
    for i, name in enumerate(names):
        top, below, _ = name.partition("/")
        code = FOLDERS.get(top.lower()) if below else None
        if code is None:
            return None
        partition[i] = code
    return partition if len(np.unique(partition)) > 1 else None
