"""Faults at the wire: throttling, errors before and after the effect, answers that never come, killed functions.

Every decision is a hash of the seed, the caller, the operation and how often that caller has asked for it, so that a
seed decides alike in every run; which request of a run is the n-th is up to the machine.
"""

import asyncio
import hashlib
import json
import os
import random
import signal
import threading

THROTTLES = {
    "dynamodb": (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
    "sqs": (403, "com.amazonaws.sqs#RequestThrottled"),
    "secretsmanager": (400, "ThrottlingException"),
    "ecr": (400, "ThrottlingException"),
    "ses": (429, "TooManyRequestsException"),
}
KINDS = (
    ("throttled", 30),
    ("error-before", 20),
    ("error-after", 20),
    ("cut-after", 12),
    ("held-before", 3),
    ("held-after", 3),
    ("killed-before", 6),
    ("killed-after", 6),
)
# Of the calls that go wrong so many go wrong again at every retry of the SDK.
STUBBORN = 0.4
# An invocation that is to die does so within so many seconds, if it still runs then.
LATEST_KILL = 0.5


class Faults:
    """What goes wrong while it is switched on."""

    def __init__(self, settings, functions):
        self.seed = settings["seed"]
        self.share = settings["percent"] / 100
        self.hold = settings["hold_seconds"]
        self.functions = functions
        self.lock = threading.Lock()
        self.asked = {}
        self.stubborn = {}
        self.seen = {}
        self.kills = settings["kill_percent"] / 100

    def decide(self, call, attempt_of):
        """What becomes of a request; `attempt_of` is the SDK's id of the call that this request is an attempt of."""
        with self.lock:
            if attempt_of in self.stubborn:
                return self.noted(self.stubborn[attempt_of])
            chance = self.dice(call)
            if chance.random() >= self.share:
                return None
            kind = chance.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
            if kind in ("throttled", "error-before", "error-after") and chance.random() < STUBBORN:
                # Throttled to the end: the handler itself has to cope.
                self.stubborn[attempt_of] = kind
            return self.noted(kind)

    def dice(self, what):
        number = self.asked[what] = self.asked.get(what, 0) + 1
        return random.Random(hashlib.sha256(repr((self.seed, what, number)).encode()).digest())

    def noted(self, kind):
        self.seen[kind] = self.seen.get(kind, 0) + 1
        return kind

    async def disturb(self, kind, call, worker, perform, send):
        """Answers a request wrongly; `perform` has its effect and swallows its answer."""
        if kind.endswith("-after"):
            await perform()
        if kind.startswith("killed"):
            self.functions.kill(worker)
            await abandon(send)
        elif kind == "throttled":
            await refuse(send, call, *THROTTLES.get(call[1], (503, "SlowDown")), "Rate exceeded")
        elif kind.startswith("error"):
            status, code = (503, "ServiceUnavailable") if hash_of(call) % 2 else (500, "InternalServerError")
            await refuse(send, call, status, code, "injected")
        else:
            if kind.startswith("held"):
                await asyncio.sleep(self.hold)
            await abandon(send)

    def doom(self, function):
        """After how many seconds an invocation of the function is killed, whatever it does then; None: it is not."""
        with self.lock:
            chance = self.dice(function)
            return chance.uniform(0, LATEST_KILL) if chance.random() < self.kills else None

    def strike(self, worker):
        process = worker._proc
        if process is not None and end(process):
            with self.lock:
                self.noted("killed-anywhere")


class Functions:
    """The processes of functions, which are children of this process."""

    def __init__(self, lambda_runtime):
        self.lambda_runtime = lambda_runtime

    def at_work(self):
        with self.lambda_runtime._lock:
            workers = [worker for pool in self.lambda_runtime._workers.values() for worker in pool]
        return [worker for worker in workers if worker.in_use and worker._proc and worker._server]

    def kill(self, name):
        """Kills the process whose Runtime API listens on the port that its name holds."""
        for worker in self.at_work():
            server, process = worker._server, worker._proc
            if server and process and name == worker_name(server.server_address[1]):
                end(process)

    def doom_by(self, faults_of):
        """Lets `faults_of()`, where it gives any, kill invocations in their midst."""
        invoke = self.lambda_runtime.ProvidedWorker.invoke

        def invoke_and_maybe_die(worker, *arguments, **named):
            faults = faults_of()
            delay = faults.doom(worker.func_name) if faults else None
            if delay is None:
                return invoke(worker, *arguments, **named)
            timer = threading.Timer(delay, faults.strike, [worker])
            timer.start()
            try:
                return invoke(worker, *arguments, **named)
            finally:
                timer.cancel()

        self.lambda_runtime.ProvidedWorker.invoke = invoke_and_maybe_die


def end(process):
    """`kill -9` of a child that has not been waited for, so that its id is still its own."""
    if process.poll() is not None:
        return False
    os.kill(process.pid, signal.SIGKILL)
    return True


def worker_name(port):
    """What the SDK of a worker adds to its user agent, as `app/<name>`."""
    return f"worker-{port}"


def hash_of(call):
    return hashlib.sha256(repr(call).encode()).digest()[0]


async def refuse(send, call, status, code, message):
    if call[1] == "s3":
        kind = b"application/xml"
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    else:
        kind = b"application/x-amz-json-1.0"
        body = json.dumps({"__type": code, "message": message}).encode()
    headers = [(b"content-type", kind), (b"x-amzn-errortype", code.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def abandon(send):
    """Cuts the answer off after its head."""
    headers = [(b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise ConnectionAbortedError("cut off on purpose")
