# SPDX-License-Identifier: BSD-2-Clause
"""A drive with a volatile write cache, whose power can be cut: QEMU's disk, served by this process.

The emulator's own caches survive when it is killed, because the host's kernel has them; so here
it matters what was flushed. A flush makes durable what was answered before the flush came, and
nothing else: writes that are still waiting for their answer are not covered. Writes that wait at
the same time are answered in any order. After a cut there is what was flushed, and of each later
write all, nothing or some of its sectors.

The protocol is NBD's, of which this is the least that QEMU speaks:
https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
"""

import json
import os
import queue
import random
import select
import socket
import struct
import tempfile
import threading

SECTOR = 512
QUIET_SECONDS = 0.0005  # without a request, before a waiting write is answered

OPTION_MAGIC = 0x49484156454F5054
OPTION_REPLY_MAGIC = 0x3E889045565A9
OPTION_GO = 7
REPLY_ACK, REPLY_INFO, REPLY_UNSUPPORTED = 1, 3, 0x80000001
FLAGS = 1 | 1 << 2 | 1 << 5 | 1 << 6  # has flags; flush, trim and write zeroes are there

REQUEST = struct.Struct(">IHHQQI")
REQUEST_MAGIC, ANSWER_MAGIC = 0x25609513, 0x67446698
READ, WRITE, DISCONNECT, FLUSH, TRIM, WRITE_ZEROES = 0, 1, 2, 3, 4, 6


class Cut:
    """What a power cut leaves, and what had been acknowledged to the test before it."""

    def __init__(self, drive):
        self.acknowledged = drive.acknowledged
        self.image = bytearray(drive.flushed)
        self.lost = sum(not self._keep(*write) for write in drive.cached + [
            (offset, data) for _, offset, data in drive.waiting])

    def _keep(self, offset, data):
        """As much of a write as fate will have; whether that is all of it."""
        fate = random.randrange(3)
        if fate == 0:
            self.image[offset:offset + len(data)] = data
        elif fate == 1:
            for at in range(0, len(data), SECTOR):
                if random.random() < 0.5:
                    part = data[at:at + SECTOR]
                    self.image[offset + at:offset + at + len(part)] = part
        return fate == 0


class Drive:
    """From the connection of QEMU to its end, in a with block; its first content is a file's."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.flushed = bytearray(file.read())
        self.visible = bytearray(self.flushed)
        self.cached = []   # (offset, data) of answered writes since the last flush, in order
        self.waiting = []  # (handle, offset, data) of writes without an answer
        self.acknowledged = 0
        self.cuts = queue.Queue()
        self.countdown = None
        self.lock = threading.Lock()

    def __enter__(self):
        # Not among the logs, because the path of a socket must be short.
        self.folder = tempfile.TemporaryDirectory()
        self.socket_path = os.path.join(self.folder.name, "drive")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket_path)
        self.listener.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.folder.cleanup()

    def arguments(self):
        """QEMU's, for this drive at the first port of the machine's own controller."""
        node = {"driver": "raw", "node-name": "disk0",
                "file": {"driver": "nbd", "server": {"type": "unix", "path": self.socket_path}}}
        return ["-blockdev", json.dumps(node),
                "-device", "ide-hd,drive=disk0,bus=ide.0,serial=TEST,write-cache=on"]

    def acknowledge(self, number):
        """The test has seen that this, and all before it, is said to be durable."""
        with self.lock:
            self.acknowledged = number

    def cut_now(self):
        with self.lock:
            return Cut(self)

    def cut_after(self, requests):
        """Cuts the power when so many more requests have come; see next_cut."""
        with self.lock:
            self.countdown = requests

    def next_cut(self):
        return self.cuts.get()

    def _serve(self):
        self.connection, _ = self.listener.accept()
        try:
            self._greet()
            while self._step():
                pass
        except OSError:
            pass  # QEMU was killed
        self.connection.close()

    def _receive(self, length):
        parts = bytearray()
        while len(parts) < length:
            part = self.connection.recv(length - len(parts))
            if not part:
                raise OSError("QEMU has gone")
            parts += part
        return bytes(parts)

    def _greet(self):
        self.connection.sendall(b"NBDMAGIC" + struct.pack(">QH", OPTION_MAGIC, 3))
        self._receive(4)
        option = None
        while option != OPTION_GO:
            _, option, length = struct.unpack(">QII", self._receive(16))
            self._receive(length)
            if option == OPTION_GO:
                self._reply(option, REPLY_INFO, struct.pack(">HQH", 0, len(self.visible), FLAGS))
                self._reply(option, REPLY_ACK)
            else:
                self._reply(option, REPLY_UNSUPPORTED)

    def _reply(self, option, kind, data=b""):
        self.connection.sendall(
            struct.pack(">QIII", OPTION_REPLY_MAGIC, option, kind, len(data)) + data)

    def _answer(self, handle, data=b""):
        self.connection.sendall(struct.pack(">IIQ", ANSWER_MAGIC, 0, handle) + data)

    def _step(self):
        """Takes one request, or answers one that waits; whether there will be more."""
        limit = QUIET_SECONDS if self.waiting else None
        if select.select([self.connection], [], [], limit)[0]:
            return self._take()
        with self.lock:
            handle, offset, data = self.waiting.pop(random.randrange(len(self.waiting)))
            self.cached.append((offset, data))
            self.visible[offset:offset + len(data)] = data
        self._answer(handle)
        return True

    def _take(self):
        _, _, kind, handle, offset, length = REQUEST.unpack(self._receive(REQUEST.size))
        data = self._receive(length) if kind == WRITE else bytes(length)
        with self.lock:
            self._count()
            if kind in (WRITE, WRITE_ZEROES):
                self.waiting.append((handle, offset, data))
            elif kind == FLUSH:
                self._flush()
        if kind == READ:
            self._answer(handle, self.visible[offset:offset + length])
        elif kind in (FLUSH, TRIM):  # what is trimmed may keep its content
            self._answer(handle)
        return kind != DISCONNECT

    def _count(self):
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown < 0:
                self.countdown = None
                self.cuts.put(Cut(self))

    def _flush(self):
        for offset, data in self.cached:
            self.flushed[offset:offset + len(data)] = data
        self.cached = []
