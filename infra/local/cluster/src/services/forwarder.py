"""Forwards the ports of one service to its ready pods, which it reads from a file before each connection."""

import json
import os
import random
import signal
import socket
import sys
import threading

BACKENDS = sys.argv[1]


def backends(port):
    with open(BACKENDS, encoding="utf-8") as file:
        pods = json.load(file).get(str(port), [])
    random.shuffle(pods)
    return pods


def connect(port):
    for address, target in backends(port):
        try:
            return socket.create_connection((address, target), timeout=2)
        except OSError:
            continue
    return None


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone: the other shall notice at once.
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(client, port):
    pod = connect(port)
    if pod is None:
        # Without a ready pod a real service refuses; a reset is the nearest to it after accepting.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        return
    pod.settimeout(None)
    for side in (client, pod):
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    back = threading.Thread(target=copy, args=(pod, client), daemon=True)
    back.start()
    copy(client, pod)
    back.join()
    client.close()
    pod.close()


def listen(listener, port):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, port), daemon=True).start()


for number in map(int, sys.argv[2:]):
    opened = socket.create_server(("0.0.0.0", number), backlog=128)
    threading.Thread(target=listen, args=(opened, number), daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True:
    signal.pause()
