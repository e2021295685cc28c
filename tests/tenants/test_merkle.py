"""The Merkle tree: known roots and proofs, and everything held against the definition of RFC 6962, word by word."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.merkle import EMPTY, Frontier, Tree, extends, includes, leaf_hash, node_hash

LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The eight leaves that implementations of certificate transparency are tried with."""

ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Their roots, after one leaf, after two, and so on."""

leaves_of = st.lists(st.binary(max_size=3), min_size=1, max_size=40)


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path_of(m: int, leaves: list[bytes]) -> list[bytes]:
    """Section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path_of(m, leaves[:k]), root_of(leaves[k:])]
    return [*path_of(m - k, leaves[k:]), root_of(leaves[:k])]


def proof_of(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """Section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*proof_of(m, leaves[:k], whole), root_of(leaves[k:])]
    return [*proof_of(m - k, leaves[k:], False), root_of(leaves[:k])]


def tree_of(leaves: list[bytes]) -> Tree:
    return Tree(leaf_hash(leaf) for leaf in leaves)


def test_the_known_roots() -> None:
    frontier, tree = Frontier(), tree_of(LEAVES)
    assert (
        frontier.root()
        == tree.root(0)
        == EMPTY
        == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )
    for size, (leaf, root) in enumerate(zip(LEAVES, ROOTS, strict=True), 1):
        frontier.append(leaf_hash(leaf))
        assert frontier.root().hex() == tree.root(size).hex() == root


@given(leaves_of)
def test_a_tree_that_grew_is_the_one_defined(leaves: list[bytes]) -> None:
    frontier, tree = Frontier(), tree_of(leaves)
    for size, leaf in enumerate(leaves, 1):
        frontier.append(leaf_hash(leaf))
        assert frontier.root() == tree.root(size) == root_of(leaves[:size])
        frontier = Frontier(frontier.size, bytes(frontier))
    assert frontier.size == tree.size == len(leaves)


@given(leaves_of, st.data())
def test_each_leaf_is_shown_to_be_in_it(leaves: list[bytes], data: st.DataObject) -> None:
    tree, size = tree_of(leaves), data.draw(st.integers(1, len(leaves)))
    root = tree.root(size)
    for index in range(size):
        proof = tree.inclusion(index, size)
        assert proof == path_of(index, leaves[:size])
        assert includes(root, size, index, leaf_hash(leaves[index]), proof)


@given(leaves_of, st.data())
def test_no_other_leaf_place_or_proof_passes(leaves: list[bytes], data: st.DataObject) -> None:
    tree, size = tree_of(leaves), len(leaves)
    index = data.draw(st.integers(0, size - 1))
    root, leaf, proof = tree.root(), leaf_hash(leaves[index]), tree.inclusion(index)
    other = leaf_hash(b"something else")
    assert not includes(root, size, index, other, proof)
    assert not includes(other, size, index, leaf, proof)
    assert not includes(root, size, index, leaf, [*proof, other])
    assert not includes(root, size, size, leaf, proof)
    assert not includes(root, size, -1, leaf, proof)
    for at in range(len(proof)):
        assert not includes(root, size, index, leaf, proof[:at] + proof[at + 1 :])
        assert not includes(root, size, index, leaf, [*proof[:at], other, *proof[at + 1 :]])


@given(leaves_of, st.data())
def test_an_older_tree_is_shown_to_be_its_beginning(leaves: list[bytes], data: st.DataObject) -> None:
    tree, size = tree_of(leaves), data.draw(st.integers(1, len(leaves)))
    for old in range(1, size + 1):
        proof = tree.consistency(old, size)
        assert proof == proof_of(old, leaves[:size])
        assert extends(tree.root(old), old, tree.root(size), size, proof)


@given(leaves_of, st.data())
def test_a_tree_that_was_changed_is_no_continuation(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    old = data.draw(st.integers(1, size))
    tree, other = tree_of(leaves), leaf_hash(b"something else")
    before, root, proof = tree.root(old), tree.root(), tree.consistency(old)
    assert not extends(other, old, root, size, proof)
    assert not extends(before, old, other, size, proof)
    assert not extends(before, old, root, size, [*proof, other])
    assert not extends(before, 0, root, size, proof)
    assert not extends(before, size + 1, root, size, proof)
    for at in range(len(proof)):
        assert not extends(before, old, root, size, proof[:at] + proof[at + 1 :])
        assert not extends(before, old, root, size, [*proof[:at], other, *proof[at + 1 :]])


def test_a_leaf_never_passes_for_a_node() -> None:
    """Two leaves, and one leaf that is made of their hashes."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


def test_what_was_never_there_has_no_proof() -> None:
    tree = tree_of(LEAVES)
    for asked in (
        lambda: tree.inclusion(8),
        lambda: tree.inclusion(-1),
        lambda: tree.inclusion(3, 3),
        lambda: tree.consistency(0),
        lambda: tree.consistency(5, 4),
        lambda: tree.root(9),
        lambda: Frontier(3, b"x" * 32),
    ):
        with pytest.raises(ValueError, match=r"leaf|leaves"):
            asked()
