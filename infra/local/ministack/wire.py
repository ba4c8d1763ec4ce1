"""What passes over the wire to the local AWS: counted by who asked what, timed, and disturbed where that is wished.

`GET /_slipway/requests` tells what was counted since the start or the last `DELETE` of the same path.
`POST /_slipway/roles` gives the credentials of a role.
`PUT /_slipway/scans/<repository>` decides what scans of images come to; see scans.py.
`PUT /_slipway/clusters/<name>` puts an API server behind a cluster of EKS; see clusters.py.
`PUT /_slipway/faults` switches faults on for the calls of functions, `DELETE` off, `GET` tells what was done.
"""

import json
import re
import secrets
import threading
import time

from clusters import stand_in
from faults import Faults, worker_name

CREDENTIAL = re.compile(rb"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
WORKER = re.compile(rb"app/(\S+)")
SCANS = "/_slipway/scans/"
CLUSTERS = "/_slipway/clusters/"
S3_OBJECT = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}


class Wire:
    """Stands before MiniStack's application."""

    def __init__(self, app, callers, functions, scans):
        self.app = app
        self.scans = scans
        self.callers = callers  # The names of functions by their access keys.
        self.functions = functions
        functions.doom_by(lambda: self.faults)
        self.faults = None
        self.seen = {}
        self.redelivery_seconds = None
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        with self.lock:
            self.counts = {}
            self.cpu_start = time.process_time()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/_slipway/"):
            await self.administer(scope, receive, send)
        else:
            await self.pass_on(self.describe(scope), scope, receive, send)

    async def pass_on(self, call, scope, receive, send):
        start = time.perf_counter()
        headers = dict(scope["headers"])
        faults = self.faults if call[0] else None
        kind = faults and faults.decide(call, headers.get(b"amz-sdk-invocation-id"))
        try:
            if kind:
                perform = lambda: self.app(scope, receive, swallow)
                worker = WORKER.search(headers.get(b"user-agent", b""))
                await faults.disturb(kind, call, worker.group(1).decode() if worker else "", perform, send)
            else:
                await self.app(scope, receive, send)
        finally:
            self.count(call, time.perf_counter() - start)

    def describe(self, scope):
        """Caller, service and operation of a request."""
        headers = dict(scope["headers"])
        credential = CREDENTIAL.search(headers.get(b"authorization", b""))
        caller = self.callers.get(credential.group(1).decode(), "") if credential else ""
        path, method = scope["path"], scope["method"]
        if path.startswith("/_aws/execute-api/"):
            return caller, "apigateway", "Invoke"
        if path.startswith("/v2/") and ("/manifests/" in path or "/blobs/" in path):
            return caller, "registry", method
        service = credential.group(2).decode() if credential else "unknown"
        target = headers.get(b"x-amz-target", b"").decode()
        if target:
            return caller, service, target.rpartition(".")[2]
        if service == "s3":
            is_object = "/" in path.strip("/")
            if method == "GET" and not is_object:
                return caller, service, "ListObjects"
            return caller, service, S3_OBJECT.get(method, method) if is_object else f"{method} bucket"
        return caller, service, f"{method} {path}"

    def count(self, call, seconds):
        with self.lock:
            entry = self.counts.setdefault(call, [0, 0.0])
            entry[0] += 1
            entry[1] += seconds

    async def administer(self, scope, receive, send):
        route = scope["method"], scope["path"]
        if route == ("GET", "/_slipway/requests"):
            await answer(send, 200, self.told())
        elif route == ("DELETE", "/_slipway/requests"):
            self.reset()
            await answer(send, 200, {})
        elif route == ("POST", "/_slipway/roles"):
            wanted = json.loads(await body_of(receive))
            await answer(send, 200, assume(wanted["role"], wanted["session"]))
        elif scope["path"].startswith(SCANS) and scope["method"] in ("PUT", "DELETE"):
            repository = scope["path"].removeprefix(SCANS)
            if scope["method"] == "PUT":
                self.scans.decide(repository, json.loads(await body_of(receive)))
            else:
                self.scans.forget(repository)
            await answer(send, 200, {})
        elif scope["method"] == "PUT" and scope["path"].startswith(CLUSTERS):
            wanted = json.loads(await body_of(receive))
            name = scope["path"].removeprefix(CLUSTERS)
            await answer(send, 200, stand_in(name, wanted["endpoint"], wanted["authority"]))
        elif route == ("PUT", "/_slipway/faults"):
            settings = json.loads((await body_of(receive)) or b"{}")
            self.calm()
            self.redelivery_seconds = settings["redelivery_seconds"]
            self.faults = Faults(settings, self.functions)
            await answer(send, 200, {})
        elif route == ("DELETE", "/_slipway/faults"):
            self.calm()
            await answer(send, 200, self.seen)
        elif route == ("GET", "/_slipway/faults"):
            await answer(send, 200, self.faults.seen if self.faults else self.seen)
        else:
            await answer(send, 404, {"message": "no such page"})

    def calm(self):
        if self.faults:
            self.seen = self.faults.seen
            self.faults = None

    def told(self):
        with self.lock:
            counts = [
                {"caller": caller, "service": service, "operation": operation, "count": count, "seconds": seconds}
                for (caller, service, operation), (count, seconds) in sorted(self.counts.items())
            ]
            return {"requests": counts, "cpu_seconds": time.process_time() - self.cpu_start}


def assume(role, session):
    """Credentials of a role for a service that AWS lets assume it, which MiniStack's AssumeRole cannot express."""
    from ministack.services import sts

    account, name = role.split(":")[4], role.rpartition("/")[2]
    credentials = {
        "AccessKeyId": f"ASIA{secrets.token_hex(8).upper()}",
        "SecretAccessKey": secrets.token_hex(20),
        "SessionToken": secrets.token_hex(40),
    }
    sts.register_session(credentials["AccessKeyId"], {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        "UserId": f"{name}:{session}",
        "SecretAccessKey": credentials["SecretAccessKey"],
        "SessionToken": credentials["SessionToken"],
        "AccountId": account,
        "PrincipalType": "AssumedRole",
    })
    return credentials


async def swallow(_message):
    """Takes an answer that nobody gets."""


async def body_of(receive):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def answer(send, status, body):
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def remember_callers(lambda_svc):
    """The names of functions by the access keys that they are started with."""
    callers = {}
    credentials_of = lambda_svc.execution_credentials

    def remembered(config):
        credentials = credentials_of(config)
        callers[credentials["AWS_ACCESS_KEY_ID"]] = config.get("FunctionName", "")
        return credentials

    environment_of = lambda_svc._provided_worker_env

    def named(config, code_dir, port):
        environment = environment_of(config, code_dir, port)
        environment["AWS_SDK_UA_APP_ID"] = worker_name(port)
        return environment

    lambda_svc.execution_credentials = remembered
    lambda_svc._provided_worker_env = named
    return callers
