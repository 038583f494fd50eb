"""Images with the same pixels, found without comparing every pair."""

import numpy as np

_CHUNK = 64 * 2**20  # bytes of images multiplied at a time


def firsts(images: np.ndarray) -> np.ndarray:
    """Return for each image the position of the first one with exactly its pixels.

    Parameters
    ----------
    images : ndarray
        uint8 [N, ...].

    Returns
    -------
    ndarray
        int64 [N]; its own position for an image that is the first of its kind.

    Examples
    --------
    >>> firsts(np.array([[1, 2], [3, 4], [1, 2]], dtype=np.uint8))
    array([0, 1, 0])
    """
    flat = images.reshape(len(images), -1)
    sums = _sums(flat)
    _, first, kind = np.unique(sums, return_index=True, return_inverse=True)
    found = first[kind].astype(np.int64)
    # equal images have equal sums, but the reverse is only likely
    seen: dict[int, dict[bytes, int]] = {}
    for i in np.flatnonzero(found != np.arange(len(found))).tolist():
        start = int(found[i])
        known = seen.setdefault(start, {flat[start].tobytes(): start})
        found[i] = known.setdefault(flat[i].tobytes(), i)
    return found


def _sums(flat: np.ndarray) -> np.ndarray:
    """Return a sum of each row modulo 2**64 with fixed odd factors, uint64 [N]."""
    n, size = flat.shape
    words = -(-size // 8)
    factors = np.random.Generator(np.random.PCG64(0)).integers(0, 2**63, words, dtype=np.uint64)
    factors = factors * np.uint64(2) + np.uint64(1)
    sums = np.empty(n, dtype=np.uint64)
    rows = max(1, _CHUNK // max(size, 1))
    for start in range(0, n, rows):
        part = np.ascontiguousarray(flat[start : start + rows])
        if size % 8:
            part = np.pad(part, ((0, 0), (0, 8 * words - size)))
        sums[start : start + rows] = np.einsum("nw,w->n", part.view(np.uint64), factors)
    return sums
