"""Every RPC of the three services: calls.py TARGET OWNER"""

import sys

import grpc

from stubs import (
    Stubs,
    blob_pb,
    castore_pb,
    content,
    directory_pb,
    path_info_pb,
    path_info_rpc_pb,
    put_blob,
    read_blob,
    say,
    sha256,
)

SIZES = [0, 1, 4096, 262144, 3000000]


def blobs(stubs):
    for size in SIZES:
        data = content(f"blob {size}", size)
        digest = put_blob(stubs, data)
        stat = stubs.blobs.Stat(blob_pb.StatBlobRequest(digest=digest, send_chunks=True))
        messages = list(stubs.blobs.Read(blob_pb.ReadBlobRequest(digest=digest)))
        say(
            f"blob {size}",
            digest=digest.hex(),
            chunks=[[chunk.digest.hex(), chunk.size] for chunk in stat.chunks],
            bao=stat.bao.hex(),
            messages=len(messages),
            largest=max((len(message.data) for message in messages), default=0),
            sha256=sha256(b"".join(message.data for message in messages)),
            original=sha256(data),
        )
    stubs.blobs.Stat(blob_pb.StatBlobRequest(digest=digest))


def odd_uploads(stubs):
    empty = stubs.blobs.Put(iter(()))
    say("upload without a message", digest=empty.digest.hex())
    parts = [b"", b"x86_64", b"", b"-linux", b""]
    odd = stubs.blobs.Put(iter([blob_pb.BlobChunk(data=part) for part in parts]))
    say("upload with empty messages", digest=odd.digest.hex())


def directories(stubs):
    """with_keep and complicated, the fixtures that the projects use themselves."""
    empty_blob = put_blob(stubs, b"")
    with_keep = castore_pb.Directory(
        files=[castore_pb.FileNode(name=b".keep", digest=empty_blob, size=0)]
    )
    with_keep_digest = stubs.directories.Put(iter([with_keep])).root_digest
    complicated = castore_pb.Directory(
        directories=[castore_pb.DirectoryNode(name=b"keep", digest=with_keep_digest, size=1)],
        files=[castore_pb.FileNode(name=b".keep", digest=empty_blob, size=0)],
        symlinks=[castore_pb.SymlinkNode(name=b"aa", target=b"/nix/store/somewhereelse")],
    )
    root = stubs.directories.Put(iter([with_keep, complicated])).root_digest
    again = stubs.directories.Put(iter([with_keep, with_keep, complicated])).root_digest
    one = list(stubs.directories.Get(directory_pb.GetDirectoryRequest(digest=root)))
    every = list(stubs.directories.Get(directory_pb.GetDirectoryRequest(digest=root, recursive=True)))
    nothing = list(
        stubs.directories.Get(directory_pb.GetDirectoryRequest(digest=b"\7" * 32, recursive=True))
    )
    say(
        "directories",
        with_keep=with_keep_digest.hex(),
        root=root.hex(),
        again=again.hex(),
        one=one == [complicated],
        every=every == [complicated, with_keep],
        nothing=len(nothing),
    )
    return castore_pb.DirectoryNode(digest=root, size=4)


def path_infos(stubs, directory):
    node = castore_pb.Node(directory=directory)
    nar = stubs.path_infos.CalculateNAR(node)
    say("CalculateNAR", size=nar.nar_size, sha256=nar.nar_sha256.hex())
    digest = bytes(20)
    name = "0" * 32 + "-dummy"
    node.directory.name = name.encode()
    info = path_info_pb.PathInfo(
        node=node,
        references=[digest],
        narinfo=path_info_pb.NARInfo(
            nar_size=nar.nar_size,
            nar_sha256=nar.nar_sha256,
            reference_names=[name],
            signatures=[path_info_pb.NARInfo.Signature(name="key-1", data=b"\1" * 64)],
            ca=path_info_pb.NARInfo.CA(type="NAR_SHA256", digest=nar.nar_sha256),
        ),
    )
    put = stubs.path_infos.Put(info)
    got = stubs.path_infos.Get(path_info_rpc_pb.GetPathInfoRequest(by_output_hash=digest))
    listed = list(stubs.path_infos.List(path_info_rpc_pb.ListPathInfoRequest()))
    say("path infos", put=put == info, got=got == info, listed=info in listed)


target, owner = sys.argv[1:]
with grpc.insecure_channel(target) as channel:
    stubs = Stubs(channel, owner)
    blobs(stubs)
    odd_uploads(stubs)
    path_infos(stubs, directories(stubs))
    say("read again", same=read_blob(stubs, put_blob(stubs, b"again")) == b"again")
