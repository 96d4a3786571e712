"""NARs and sizes of Directories, as the reference makes them."""

import hashlib
import struct


def doubled_size(directory):
    """What the reference says of a Directory since August 2024."""
    entries = len(directory.directories) + len(directory.files) + len(directory.symlinks)
    return 2 * entries + sum(child.size for child in directory.directories)


def text(data):
    return struct.pack("<Q", len(data)) + data + bytes(-len(data) % 8)


def parts_of(kind, node, directory_of, content_of):
    """The parts of a NAR, in order."""
    yield text(b"(") + text(b"type")
    if kind == "file":
        yield text(b"regular")
        if node.executable:
            yield text(b"executable") + text(b"")
        yield text(b"contents") + text(content_of(node.digest))
    elif kind == "symlink":
        yield text(b"symlink") + text(b"target") + text(node.target)
    else:
        yield text(b"directory")
        directory = directory_of(node.digest)
        entries = [("directory", entry) for entry in directory.directories]
        entries += [("file", entry) for entry in directory.files]
        entries += [("symlink", entry) for entry in directory.symlinks]
        for child_kind, entry in sorted(entries, key=lambda entry: entry[1].name):
            yield text(b"entry") + text(b"(")
            yield text(b"name") + text(entry.name) + text(b"node")
            yield from parts_of(child_kind, entry, directory_of, content_of)
            yield text(b")")
    yield text(b")")


def digest_nar(kind, node, directory_of, content_of):
    """Length and SHA-256 of the NAR of a node."""
    hasher = hashlib.sha256()
    size = 0
    for part in [text(b"nix-archive-1"), *parts_of(kind, node, directory_of, content_of)]:
        hasher.update(part)
        size += len(part)
    return size, hasher.digest()
