"""Streams, deadlines, cancellation, limits, compression: streams.py TARGET

Channels have the settings that grpcio has by default.
"""

import sys
import threading

import grpc

from stubs import (
    Stubs,
    attempt,
    blob_pb,
    castore_pb,
    content,
    directory_pb,
    load,
    pieces,
    put_blob,
    read_blob,
    say,
    sha256,
)

LARGE = 8_000_000
PARALLEL = 200
PARALLEL_BYTES = 400_000
CANCELLATIONS = 50
MESSAGE_LIMIT = 4 * 1024 * 1024
BLOB_CHUNK_OVERHEAD = 5
ENTRIES = 65536

reflection_pb = load("grpc.reflection.v1.reflection_pb2")
reflection_rpc = load("grpc.reflection.v1.reflection_pb2_grpc")
health_pb = load("grpc.health.v1.health_pb2")
health_rpc = load("grpc.health.v1.health_pb2_grpc")


def read_request(digest):
    return blob_pb.ReadBlobRequest(digest=digest)


class Stalled:
    """Messages that come, and then nothing until it is told to end."""

    def __init__(self, messages):
        self.messages = iter(messages)
        self.sent_all = threading.Event()
        self.may_end = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        for message in self.messages:
            return message
        self.sent_all.set()
        self.may_end.wait()
        raise StopIteration


def terminated(call):
    """Waits until the call is over, and says how."""
    over = threading.Event()
    if not call.add_callback(over.set):
        over.set()
    over.wait(30)
    return call.code().name


def deadlines(stubs, large):
    stalled = Stalled(pieces(content("stalled", 300_000), 65536))
    attempt("deadline of an upload", lambda: stubs.blobs.Put(stalled, timeout=0.4))
    stalled.may_end.set()
    call = stubs.blobs.Read(read_request(large), timeout=0.4)
    next(call)
    say("deadline of a download", code=terminated(call))
    say("after deadlines", sha256=sha256(read_blob(stubs, large)))


def cancellation(stubs, large):
    downloads, uploads = [], []
    for number in range(CANCELLATIONS):
        call = stubs.blobs.Read(read_request(large))
        next(call)
        call.cancel()
        downloads.append(terminated(call))
        stalled = Stalled(pieces(content(f"canceled {number}", 200_000), 50_000))
        call = stubs.blobs.Put.future(stalled)
        stalled.sent_all.wait(30)
        call.cancel()
        uploads.append(terminated(call))
        stalled.may_end.set()
    say("canceled downloads", codes=sorted(set(downloads)), count=len(downloads))
    say("canceled uploads", codes=sorted(set(uploads)), count=len(uploads))
    say("after cancellations", sha256=sha256(read_blob(stubs, large)))


def limits(stubs):
    allowed = content("limit", MESSAGE_LIMIT - BLOB_CHUNK_OVERHEAD)
    message = blob_pb.BlobChunk(data=allowed)
    say("message at the limit", bytes=message.ByteSize(), digest=stubs.blobs.Put(iter([message])).digest.hex())
    over = blob_pb.BlobChunk(data=allowed + b"x")
    attempt("message above the limit", lambda: stubs.blobs.Put(iter([over])))
    attempt("message far above the limit", lambda: stubs.blobs.Put(iter([blob_pb.BlobChunk(data=bytes(40_000_000))])))


def many_entries(stubs):
    directory = castore_pb.Directory(
        files=[
            castore_pb.FileNode(name=b"%05x" % i, digest=content(f"file {i}", 32), size=i)
            for i in range(ENTRIES)
        ]
    )
    root = stubs.directories.Put(iter([directory])).root_digest
    got = [
        list(stubs.directories.Get(directory_pb.GetDirectoryRequest(digest=root, recursive=recursive)))
        for recursive in (False, True)
    ]
    encoded = directory.SerializeToString(deterministic=True)
    say("many entries", root=root.hex(), same=got == [[directory], [directory]], sha256=sha256(encoded), bytes=len(encoded))


def parallel_uploads(stubs):
    calls = [
        stubs.blobs.Put.future(pieces(content(f"parallel {number}", PARALLEL_BYTES), 65536))
        for number in range(PARALLEL)
    ]
    say("parallel uploads", digests=[call.result().digest.hex() for call in calls])


def parallel_downloads(stubs, large):
    streams = [stubs.blobs.Read(read_request(large)) for _ in range(8)]
    received = [[] for _ in streams]
    # Taking turns makes each of them wait for all others.
    for messages in zip(*streams):
        for data, message in zip(received, messages):
            data.append(message.data)
    say("parallel downloads", sha256=sorted({sha256(b"".join(data)) for data in received}))


def compression(target):
    for kind in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        with grpc.insecure_channel(target, compression=kind) as channel:
            stubs = Stubs(channel)
            data = b"compressed " * 50_000

            def put():
                digest = put_blob(stubs, data)
                assert read_blob(stubs, digest) == data
                return digest.hex()

            attempt(f"compression {kind.name}", put)


def both_ways(channel):
    """Answers that arrive while more questions are to come."""
    answered = threading.Semaphore(0)

    def ask():
        for owner in ("tvix", "snix"):
            symbol = f"{owner}.castore.v1.BlobService"
            yield reflection_pb.ServerReflectionRequest(file_containing_symbol=symbol)
            answered.acquire()
        yield reflection_pb.ServerReflectionRequest(list_services="")

    kinds = []
    for answer in reflection_rpc.ServerReflectionStub(channel).ServerReflectionInfo(ask()):
        kinds.append(answer.WhichOneof("message_response"))
        answered.release()
    say("both ways", kinds=kinds)


def health(channel):
    stub = health_rpc.HealthStub(channel)
    check = stub.Check(health_pb.HealthCheckRequest(service="tvix.store.v1.PathInfoService"))
    watch = stub.Watch(health_pb.HealthCheckRequest(service=""))
    first = next(watch)
    watch.cancel()
    say("health", check=check.status, watch=first.status, end=terminated(watch))


def metadata(stubs, large):
    headers = (("x-text", "t" * 2000), ("x-bytes-bin", bytes(range(256))), ("user-agent", "other"))
    _, call = stubs.blobs.Stat.with_call(blob_pb.StatBlobRequest(digest=large), metadata=headers)
    say("metadata", code=call.code().name)


target = sys.argv[1]
with grpc.insecure_channel(target) as channel:
    stubs = Stubs(channel)
    large = put_blob(stubs, content("large", LARGE))
    say("large", sha256=sha256(content("large", LARGE)))
    deadlines(stubs, large)
    cancellation(stubs, large)
    limits(stubs)
    many_entries(stubs)
    parallel_uploads(stubs)
    parallel_downloads(stubs, large)
    both_ways(channel)
    health(channel)
    metadata(stubs, large)
compression(target)
