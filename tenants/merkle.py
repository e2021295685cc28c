"""The Merkle tree of RFC 6962 section 2.1, with SHA-256: hashes, growth by a frontier, proofs and their verification.

The functions that verify need nothing but what they are handed (RFC 9162 sections 2.1.3.2 and 2.1.4.2).
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""
LENGTH = 32
"""Bytes of a hash."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf; its first byte tells it from a node's."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """All that a tree needs to grow: the roots of its full subtrees, from the left, one for each bit of its size.

    Raises ValueError for hashes that do not fit the size.
    """

    def __init__(self, size: int = 0, hashes: bytes = b"") -> None:
        if len(hashes) != LENGTH * size.bit_count():
            raise ValueError(f"A tree of {size} leaves has another frontier.")
        self.size = size
        self._hashes = [hashes[start : start + LENGTH] for start in range(0, len(hashes), LENGTH)]

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf: where two subtrees have become equally large, they become one."""
        hash_, equals = leaf, self.size
        while equals & 1:
            hash_ = node_hash(self._hashes.pop(), hash_)
            equals >>= 1
        self._hashes.append(hash_)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        if not self._hashes:
            return EMPTY
        *others, root = self._hashes
        for left in reversed(others):
            root = node_hash(left, root)
        return root

    def __bytes__(self) -> bytes:
        """To be stored, and handed in again with the size."""
        return b"".join(self._hashes)


class Tree:
    """All hashes of a tree, layer by layer, for proofs. It takes twice the room of its leaves' hashes."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        layer = list(leaves)
        self.size = len(layer)
        self._layers = [layer]
        while len(layer) > 1:
            layer = [node_hash(layer[at], layer[at + 1]) for at in range(0, len(layer) - 1, 2)]
            self._layers.append(layer)

    def root(self, size: int | None = None) -> bytes:
        """The root, also of what it was when it had only so many leaves."""
        size = self._within(self.size if size is None else size)
        return self._over(0, size) if size else EMPTY

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The hashes that lead from a leaf to the root (RFC 6962 section 2.1.1)."""
        size = self._within(self.size if size is None else size)
        if not 0 <= index < size:
            raise ValueError("There is no such leaf.")
        return self._path(index, 0, size)

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """The hashes that show that the tree of `old` leaves is the beginning of this one (section 2.1.2)."""
        size = self._within(self.size if size is None else size)
        if not 0 < old <= size:
            raise ValueError("The older tree has between one leaf and all of them.")
        return self._difference(old, 0, size, whole=True)

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError("The tree never had that many leaves.")
        return size

    def _over(self, start: int, end: int) -> bytes:
        """The root over a range that a split has made."""
        count = end - start
        if count & (count - 1) == 0:
            layer = count.bit_length() - 1
            return self._layers[layer][start >> layer]
        middle = start + _split(count)
        return node_hash(self._over(start, middle), self._over(middle, end))

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self._over(middle, end)]
        return [*self._path(index, middle, end), self._over(start, middle)]

    def _difference(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        """`whole` as long as the older tree itself is on the way, whose root the verifier has."""
        if old == end:
            return [] if whole else [self._over(start, end)]
        middle = start + _split(end - start)
        if old <= middle:
            return [*self._difference(old, start, middle, whole=whole), self._over(middle, end)]
        return [*self._difference(old, middle, end, whole=False), self._over(start, middle)]


def _split(count: int) -> int:
    """The largest power of two below `count`: so many leaves are in the left subtree."""
    return 1 << (count - 1).bit_length() - 1


def includes(root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the leaf with this hash is number `index` of the tree."""
    if not 0 <= index < size:
        return False
    at, last, hash_ = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            hash_ = node_hash(step, hash_)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, step)
        at, last = at >> 1, last >> 1
    return last == 0 and hash_ == root


def extends(old_root: bytes, old: int, root: bytes, size: int, proof: Sequence[bytes]) -> bool:
    """Whether the tree is the older one with leaves added behind: nothing before was changed."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    steps = list(proof) if old & (old - 1) else [old_root, *proof]
    if not steps:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, step)
        at, last = at >> 1, last >> 1
    return last == 0 and (before, after) == (old_root, root)
