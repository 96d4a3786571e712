"""Reads store paths as a client of the reference does: reference_client.py TARGET HASH...

Each HASH is the digest of a store path in hexadecimal. Content is read by chunks where the server knows them, each
asked for anew; Directories come in one stream, root first, with doubled sizes. The NAR that follows is compared with
what is stated about the path.
"""

import sys

import grpc

from blake3_plain import blake3
from nar import digest_nar, doubled_size
from stubs import Stubs, blob_pb, directory_pb, path_info_rpc_pb, read_blob, say


def open_read(stubs, digest):
    """All of a blob, or of a chunk."""
    stat = stubs.blobs.Stat(blob_pb.StatBlobRequest(digest=digest, send_chunks=True))
    if len(stat.chunks) <= 1:
        return read_blob(stubs, digest)
    chunks = [open_read(stubs, chunk.digest) for chunk in stat.chunks]
    if [len(data) for data in chunks] != [chunk.size for chunk in stat.chunks]:
        raise ValueError(f"the chunks of {digest.hex()} have other sizes than stated")
    return b"".join(chunks)


def get_recursive(stubs, root):
    """Directories by their digests. Each must have been named before, with its size."""
    expected = {root: None}
    found = {}
    request = directory_pb.GetDirectoryRequest(digest=root, recursive=True)
    for directory in stubs.directories.Get(request):
        digest = blake3(directory.SerializeToString(deterministic=True))
        if digest not in expected:
            raise ValueError(f"{digest.hex()} was not asked for")
        if expected[digest] not in (None, doubled_size(directory)):
            raise ValueError(f"wrong size {expected[digest]} for digest {digest.hex()}")
        found[digest] = directory
        for child in directory.directories:
            expected[child.digest] = child.size
    return found


target, *hashes = sys.argv[1:]
with grpc.insecure_channel(target) as channel:
    stubs = Stubs(channel)
    for text in hashes:
        request = path_info_rpc_pb.GetPathInfoRequest(by_output_hash=bytes.fromhex(text))
        info = stubs.path_infos.Get(request)
        kind = info.node.WhichOneof("node")
        node = getattr(info.node, kind)
        found = get_recursive(stubs, node.digest) if kind == "directory" else {}
        size, digest = digest_nar(kind, node, found.__getitem__, lambda blob: open_read(stubs, blob))
        same = size == info.narinfo.nar_size and digest == info.narinfo.nar_sha256
        say(text, directories=len(found), same=same)
