"""What the services answer to requests that cannot be fulfilled: errors.py TARGET OWNER"""

import sys

import grpc

from stubs import (
    Stubs,
    attempt,
    blob_pb,
    castore_pb,
    directory_pb,
    path_info_pb,
    path_info_rpc_pb,
    put_blob,
    say,
)

ABSENT = b"\7" * 32
SHORT = b"\7" * 31
NAME = "0" * 32 + "-dummy"


def directory_node(name, digest=ABSENT, size=0):
    return castore_pb.DirectoryNode(name=name, digest=digest, size=size)


def file_node(name, digest=ABSENT, size=0):
    return castore_pb.FileNode(name=name, digest=digest, size=size)


def symlink_node(name, target=b"target"):
    return castore_pb.SymlinkNode(name=name, target=target)


def of_blobs(stubs):
    stat = lambda digest: lambda: stubs.blobs.Stat(blob_pb.StatBlobRequest(digest=digest))
    read = lambda digest: lambda: list(stubs.blobs.Read(blob_pb.ReadBlobRequest(digest=digest)))
    attempt("Stat: digest of 31 bytes", stat(SHORT))
    attempt("Stat: no digest", stat(b""))
    attempt("Stat: absent", stat(ABSENT))
    attempt("Read: digest of 31 bytes", read(SHORT))
    attempt("Read: no digest", read(b""))
    attempt("Read: absent", read(ABSENT))


def of_reading_directories(stubs):
    def get(**request):
        return lambda: list(stubs.directories.Get(directory_pb.GetDirectoryRequest(**request)))

    attempt("Directory.Get: nothing asked for", get())
    attempt("Directory.Get: nothing asked for, recursive", get(recursive=True))
    attempt("Directory.Get: digest of 31 bytes", get(digest=SHORT))
    attempt("Directory.Get: digest of 31 bytes, recursive", get(digest=SHORT, recursive=True))
    attempt("Directory.Get: absent", get(digest=ABSENT))
    attempt("Directory.Get: absent, recursive", get(digest=ABSENT, recursive=True))


def of_writing_directories(stubs):
    def put(name, *directories):
        attempt(f"Directory.Put: {name}", lambda: stubs.directories.Put(iter(directories)))

    def one(**lists):
        return castore_pb.Directory(**lists)

    leaf = one(files=[file_node(b"a")])
    leaf_digest = stubs.directories.Put(iter([leaf])).root_digest
    other = one(files=[file_node(b"b")])
    parent = one(directories=[directory_node(b"leaf", leaf_digest, 1)])
    put("no directory")
    put("empty name", one(files=[file_node(b"")]))
    put("name .", one(files=[file_node(b".")]))
    put("name ..", one(symlinks=[symlink_node(b"..")]))
    put("name with a slash", one(directories=[directory_node(b"a/b")]))
    put("name with a NUL", one(files=[file_node(b"a\0b")]))
    put("name of 256 bytes", one(files=[file_node(b"n" * 256)]))
    put("names out of order", one(files=[file_node(b"b"), file_node(b"a")]))
    put("same name twice", one(files=[file_node(b"a"), file_node(b"a")]))
    put("same name in two lists", one(files=[file_node(b"a")], symlinks=[symlink_node(b"a")]))
    put("digest of 31 bytes", one(files=[file_node(b"a", SHORT)]))
    put("no symlink target", one(symlinks=[symlink_node(b"a", b"")]))
    put("symlink target with a NUL", one(symlinks=[symlink_node(b"a", b"x\0y")]))
    put("sizes that overflow", one(directories=[directory_node(b"a", size=2**64 - 1), directory_node(b"b", size=2**64 - 1)]))
    put("child that was not sent", parent)
    put("child after its parent", parent, leaf)
    put("child of another size", leaf, one(directories=[directory_node(b"leaf", leaf_digest, 7)]))
    put("two roots", leaf, other)
    put("one that nothing refers to", other, leaf, parent)
    say("leaf", digest=leaf_digest.hex())


def of_path_infos(stubs):
    get = lambda **request: lambda: stubs.path_infos.Get(path_info_rpc_pb.GetPathInfoRequest(**request))
    attempt("PathInfo.Get: nothing asked for", get())
    attempt("PathInfo.Get: hash of 19 bytes", get(by_output_hash=b"\7" * 19))
    attempt("PathInfo.Get: hash of 32 bytes", get(by_output_hash=b"\7" * 32))
    attempt("PathInfo.Get: absent", get(by_output_hash=b"\7" * 20))

    def put(name, change):
        info = path_info_pb.PathInfo(
            node=castore_pb.Node(file=file_node(NAME.encode(), put_blob(stubs, b"content"), 7)),
            narinfo=path_info_pb.NARInfo(nar_size=120, nar_sha256=b"\0" * 32),
        )
        change(info)
        attempt(f"PathInfo.Put: {name}", lambda: stubs.path_infos.Put(info))

    put("no narinfo", lambda info: info.ClearField("narinfo"))
    put("reference of 19 bytes", lambda info: (info.references.append(b"\7" * 19), info.narinfo.reference_names.append(NAME)))
    put("reference without a name", lambda info: info.references.append(bytes(20)))
    put("name that is no store path", lambda info: (info.references.append(bytes(20)), info.narinfo.reference_names.append("dummy")))
    put("name of another reference", lambda info: (info.references.append(b"\7" * 20), info.narinfo.reference_names.append(NAME)))
    put("no node", lambda info: info.ClearField("node"))
    put("digest of 31 bytes", lambda info: setattr(info.node.file, "digest", SHORT))
    put("node that is no store path", lambda info: setattr(info.node.file, "name", b"dummy"))
    put("NAR hash of 31 bytes", lambda info: setattr(info.narinfo, "nar_sha256", SHORT))
    put("deriver of 19 bytes", lambda info: info.narinfo.deriver.CopyFrom(path_info_pb.StorePath(name="d", digest=b"\7" * 19)))
    put("signature of 63 bytes", lambda info: info.narinfo.signatures.append(path_info_pb.NARInfo.Signature(name="k", data=b"\1" * 63)))
    put("content address of another length", lambda info: info.narinfo.ca.CopyFrom(path_info_pb.NARInfo.CA(type="NAR_SHA256", digest=b"\1" * 20)))
    put("unknown kind of content address", lambda info: info.narinfo.ca.CopyFrom(path_info_pb.NARInfo.CA(type=99, digest=b"\1" * 32)))


def of_nars(stubs):
    calculate = lambda **node: lambda: stubs.path_infos.CalculateNAR(castore_pb.Node(**node))
    digest = put_blob(stubs, b"content")
    attempt("CalculateNAR: no node", calculate())
    attempt("CalculateNAR: node with a name", calculate(file=file_node(b"name", digest, 7)))
    attempt("CalculateNAR: digest of 31 bytes", calculate(file=file_node(b"", SHORT, 7)))
    attempt("CalculateNAR: blob that is not there", calculate(file=file_node(b"", ABSENT, 7)))
    attempt("CalculateNAR: directory that is not there", calculate(directory=directory_node(b"", ABSENT, 7)))
    attempt("CalculateNAR: blob of another size", calculate(file=file_node(b"", digest, 8)))


def of_names(channel):
    raw = lambda data: data
    for path in ["/tvix.castore.v1.BlobService/Remove", "/other.v1.Service/Stat"]:
        attempt(f"unknown: {path}", lambda: channel.unary_unary(path, raw, raw)(b""))
    stat = channel.unary_unary("/tvix.castore.v1.BlobService/Stat", raw, raw)
    attempt("a message that is no message", lambda: stat(b"\xff" * 9))
    put = channel.stream_unary("/tvix.castore.v1.BlobService/Put", raw, raw)
    attempt("a message that is no message in a stream", lambda: put(iter([b"\x0a\x01x", b"\xff" * 9])))


target, owner = sys.argv[1:]
with grpc.insecure_channel(target) as channel:
    stubs = Stubs(channel, owner)
    of_blobs(stubs)
    of_reading_directories(stubs)
    of_writing_directories(stubs)
    of_path_infos(stubs)
    of_nars(stubs)
    of_names(channel)
