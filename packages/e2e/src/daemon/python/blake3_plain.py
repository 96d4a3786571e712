"""BLAKE3 as its specification describes it, for content of a few hundred KiB.

It shares no code with what is tested.
"""

import struct

IV = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MASK = 0xFFFFFFFF
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
CHUNK_LENGTH, BLOCK_LENGTH = 1024, 64
COLUMNS_AND_DIAGONALS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)


def compress(value, words, counter, length, flags):
    v = [*value, *IV[:4], counter & MASK, counter >> 32, length, flags]
    m = words
    for _ in range(7):
        i = 0
        for a, b, c, d in COLUMNS_AND_DIAGONALS:
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            va = (va + vb + m[i]) & MASK
            vd ^= va
            vd = (vd >> 16 | vd << 16) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            vb = (vb >> 12 | vb << 20) & MASK
            va = (va + vb + m[i + 1]) & MASK
            vd ^= va
            vd = (vd >> 8 | vd << 24) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            v[a], v[b], v[c], v[d] = va, (vb >> 7 | vb << 25) & MASK, vc, vd
            i += 2
        m = [m[j] for j in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)]


def chunk_value(chunk, counter, root):
    value = IV
    blocks = max(1, (len(chunk) + BLOCK_LENGTH - 1) // BLOCK_LENGTH)
    for i in range(blocks):
        block = chunk[i * BLOCK_LENGTH : (i + 1) * BLOCK_LENGTH]
        flags = CHUNK_START if i == 0 else 0
        if i == blocks - 1:
            flags |= CHUNK_END | root
        words = struct.unpack("<16I", block.ljust(BLOCK_LENGTH, b"\0"))
        value = compress(value, words, counter, len(block), flags)
    return value


def subtree_value(data, counter, root):
    if len(data) <= CHUNK_LENGTH:
        return chunk_value(data, counter, root)
    # The left side has the largest power of two of chunks that leaves something for the right.
    chunks = (len(data) - 1) // CHUNK_LENGTH
    left = 1 << (chunks.bit_length() - 1)
    words = subtree_value(data[: left * CHUNK_LENGTH], counter, 0)
    words = words + subtree_value(data[left * CHUNK_LENGTH :], counter + left, 0)
    return compress(IV, words, 0, BLOCK_LENGTH, PARENT | root)


def blake3(data):
    return struct.pack("<8I", *subtree_value(bytes(data), 0, ROOT))
