"""A store that answers as the reference does, or lies: reference_server.py PORT [LIE]

It keeps everything in memory, has the three services and nothing else, sends messages of 4 KiB and takes
none above 4 MiB. It says `{"name": "ready", "port": N}`, and `{"name": "call", "method": M}` for every call.
"""

import functools
import sys
import threading
import time
from concurrent import futures

import grpc

from blake3_plain import blake3
from nar import digest_nar, doubled_size
from stubs import blob_pb, castore_pb, directory_pb, load, path_info_rpc_pb, say

MESSAGE_LIMIT = 4 * 1024 * 1024
READ_MESSAGE = 4096

blob_rpc = load("tvix.castore.protos.rpc_blobstore_pb2_grpc")
directory_rpc = load("tvix.castore.protos.rpc_directory_pb2_grpc")
path_info_grpc = load("tvix.store.protos.rpc_pathinfo_pb2_grpc")

lie = sys.argv[2] if len(sys.argv) > 2 else ""
blobs = {}
directories = {}
path_infos = {}


@functools.cache
def other_blob(size):
    """The digest of a blob that nobody asks for."""
    data = b"x" * size
    digest = blake3(data)
    blobs[digest] = data
    return digest


def flipped(data):
    return bytes([data[0] ^ 1]) + data[1:] if data else data


def drip():
    """Nothing that ends, and nothing that is worth waiting for."""
    while True:
        time.sleep(0.5)
        yield b""


class Blobs(blob_rpc.BlobServiceServicer):
    def Stat(self, request, context):
        say("call", method="Stat")
        if len(request.digest) != 32:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "invalid digest length")
        if request.digest not in blobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"blob {request.digest.hex()} not found")
        data = blobs[request.digest]
        answer = blob_pb.StatBlobResponse()
        if lie == "chunks-of-others" and len(data) > 8192:
            for start in range(0, len(data), 65536):
                size = min(65536, len(data) - start)
                answer.chunks.add(digest=other_blob(size), size=size)
        if lie == "chunks-too-long" and len(data) > 8192:
            answer.chunks.add(digest=bytes(32), size=1 << 62)
            answer.chunks.add(digest=bytes(32), size=1 << 62)
        return answer

    def Read(self, request, context):
        say("call", method="Read")
        if len(request.digest) != 32:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "invalid digest length")
        if request.digest not in blobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"blob {request.digest.hex()} not found")
        data = blobs[request.digest]
        if lie == "wrong-bytes":
            data = flipped(data)
        if lie == "truncated-blob":
            data = data[: len(data) // 2]
        for start in range(0, len(data), READ_MESSAGE):
            yield blob_pb.BlobChunk(data=data[start : start + READ_MESSAGE])
        while lie == "endless-blob" and context.is_active():
            yield blob_pb.BlobChunk(data=bytes(READ_MESSAGE))
        if lie == "slow-drip":
            for piece in drip():
                if not context.is_active():
                    return
                yield blob_pb.BlobChunk(data=piece)

    def Put(self, requests, context):
        say("call", method="Put")
        data = b"".join(request.data for request in requests)
        digest = blake3(data)
        blobs[digest] = data
        return blob_pb.PutBlobResponse(digest=digest)


class Directories(directory_rpc.DirectoryServiceServicer):
    def Get(self, request, context):
        say("call", method="Directory.Get")
        if request.WhichOneof("by_what") is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "invalid by_what")
        if not request.recursive:
            if request.digest not in directories:
                context.abort(grpc.StatusCode.NOT_FOUND, "directory not found")
            yield self.told(directories[request.digest])
            return
        queue = [request.digest] if request.digest in directories else []
        known = set(queue)
        sent = 0
        while queue:
            directory = directories[queue.pop(0)]
            yield self.told(directory)
            sent += 1
            if lie == "truncated-listing" and sent == 2:
                return
            for child in directory.directories:
                if child.digest not in known:
                    known.add(child.digest)
                    queue.append(child.digest)
        while lie == "endless-listing" and context.is_active():
            yield castore_pb.Directory()

    def told(self, directory):
        if lie != "wrong-directory":
            return directory
        other = castore_pb.Directory()
        other.CopyFrom(directory)
        other.symlinks.add(name=b"\xff", target=b"elsewhere")
        return other

    def Put(self, requests, context):
        say("call", method="Directory.Put")
        seen = {}
        digest = None
        for directory in requests:
            for child in directory.directories:
                if child.digest not in seen:
                    context.abort(grpc.StatusCode.INTERNAL, "unknown directory")
                if child.size != doubled_size(seen[child.digest]):
                    text = f"wrong size {child.size} for digest {child.digest.hex()}"
                    context.abort(grpc.StatusCode.INTERNAL, text)
            digest = blake3(directory.SerializeToString(deterministic=True))
            seen[digest] = directory
        if digest is None:
            context.abort(grpc.StatusCode.INTERNAL, "got no directories")
        directories.update(seen)
        return directory_pb.PutDirectoryResponse(root_digest=digest)


class PathInfos(path_info_grpc.PathInfoServiceServicer):
    def Get(self, request, context):
        say("call", method="PathInfo.Get")
        if len(request.by_output_hash) != 20:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "invalid output digest length")
        if lie == "other-path" and path_infos:
            others = [info for digest, info in path_infos.items() if digest != request.by_output_hash]
            return others[0]
        if request.by_output_hash not in path_infos:
            context.abort(grpc.StatusCode.NOT_FOUND, "PathInfo not found")
        return path_infos[request.by_output_hash]

    def Put(self, request, context):
        say("call", method="PathInfo.Put")
        kind = request.node.WhichOneof("node")
        name = getattr(request.node, kind).name.decode()
        path_infos[decode_nixbase32(name[:32])] = request
        return request

    def CalculateNAR(self, request, context):
        say("call", method="CalculateNAR")
        kind = request.WhichOneof("node")
        if getattr(request, kind).name:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "invalid root node")
        node = getattr(request, kind)
        size, digest = digest_nar(kind, node, directories.__getitem__, blobs.__getitem__)
        return path_info_rpc_pb.CalculateNARResponse(nar_size=size, nar_sha256=digest)

    def List(self, request, context):
        say("call", method="List")
        yield from path_infos.values()


def decode_nixbase32(text):
    """20 bytes; the first character has the highest bits."""
    value = 0
    for character in text:
        value = value << 5 | "0123456789abcdfghijklmnpqrsvwxyz".index(character)
    return value.to_bytes(20, "little")


options = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
]
server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=options)
blob_rpc.add_BlobServiceServicer_to_server(Blobs(), server)
directory_rpc.add_DirectoryServiceServicer_to_server(Directories(), server)
path_info_grpc.add_PathInfoServiceServicer_to_server(PathInfos(), server)
say("ready", port=server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}"))
server.start()


def commands():
    """A line on standard input changes the lie."""
    global lie
    for line in sys.stdin:
        lie = line.strip()
        say("lie", lie=lie)
    server.stop(0)


threading.Thread(target=commands).start()
server.wait_for_termination()
