"""Starts MiniStack on loopback, for a parent that holds the other end of standard input.

Prints one line, the port, once it is bound (a connection made from then on waits until the
server answers), and ends with its parent: when standard input closes or a signal comes, every function
process in its process group is killed, the temporary folder removed, and nothing stays behind.
"""

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import socketserver
import sys
import threading

HOST = "127.0.0.1"


def main():
    os.setpgid(0, 0)  # A group of our own: Ctrl-C reaches the parent only, and the group ends as one.
    listener = bind(int(os.environ.pop("SLIPWAY_PORT", "0")))
    port = listener.getsockname()[1]
    leftovers = os.environ.pop("SLIPWAY_REMOVE", os.environ["TMPDIR"])
    configure(port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end(leftovers))
    threading.Thread(target=end_with_parent, args=[leftovers], daemon=True).start()
    print(port, flush=True)
    serve(listener)


def bind(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(512)
    return listener


def configure(port):
    """Sets what MiniStack reads from its environment when it is imported."""
    os.environ.update(
        GATEWAY_PORT=str(port),
        AWS_ENDPOINT_URL=f"http://{HOST}:{port}",
        BIND_HOST=HOST,
        MINISTACK_HOST=HOST,
        LAMBDA_EXECUTOR="local",
        # Both would listen on ports of their own, on every interface.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
    )


def end_with_parent(leftovers):
    sys.stdin.buffer.read()
    end(leftovers)


def end(leftovers):
    """Ends at once: the state of a local cloud is not kept, so there is nothing to save."""
    shutil.rmtree(leftovers, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def serve(listener):
    # Without this every invocation costs 40 ms: MiniStack's Runtime API answers in two writes.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    raise_file_limit()
    from ministack import app
    from ministack.core import lambda_runtime
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import ecr, eventbridge, lambda_svc, sqs

    from faults import Functions
    from redelivery import hasten
    from scans import Scans
    from wire import Wire, remember_callers

    # A finished batch wakes the pollers, finds nothing and would make the next message wait for 50 ms.
    lambda_svc._ESM_IDLE_WAKE_GAP_SECONDS = 0.002
    let_builds_publish_events()
    let_batches_need_the_single_action()
    let_requests_name_their_resources()
    take_loopback_for_tls(app)
    remember_what_texts_mean()
    scans = Scans(ecr, eventbridge, json_response, error_response_json)
    wire = Wire(app.app, remember_callers(lambda_svc), Functions(lambda_runtime), scans)
    hasten(lambda_svc, sqs, lambda: wire.redelivery_seconds)
    answer(wire, listener)


def answer(wire, listener):
    """Serves with a server whose parser and loop are compiled: with MiniStack's own it needs a third more time."""
    import uvicorn

    config = uvicorn.Config(
        wire,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        timeout_keep_alive=75,
        log_config=None,
        access_log=False,
        # The application itself sends the headers that AWS sends.
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # Signals end this process at once.
    server.run(sockets=[listener])


def let_builds_publish_events():
    """The CodeBuild stand-in publishes its state changes through PutEvents, where AWS reserves the source."""
    from ministack.services import eventbridge

    put_events = eventbridge._put_events

    def put_events_of_codebuild_too(data, allow_aws_source=False):
        sources = {entry.get("Source") for entry in data.get("Entries", []) if isinstance(entry, dict)}
        return put_events(data, allow_aws_source or sources == {"aws.codebuild"})

    eventbridge._put_events = put_events_of_codebuild_too


def let_batches_need_the_single_action():
    """On AWS `sqs:SendMessage` covers SendMessageBatch; there is no action of the batch's own."""
    from ministack.core import iam_actions

    extract = iam_actions.extract_iam_action

    def extract_single_action(*arguments, **named):
        action = extract(*arguments, **named)
        return action.removesuffix("Batch") if action and action.startswith("sqs:") else action

    iam_actions.extract_iam_action = extract_single_action


def let_requests_name_their_resources():
    """Two requests whose resources AWS knows and MiniStack takes for `*`: repositories in a list, a mail's sender."""
    from ministack.core import iam_actions

    extract = iam_actions.extract_resource_arn

    def extract_more(service, method, path, headers, body, query_params, region, account_id):
        if service == "ecr":
            names = json.loads(body or b"{}").get("repositoryNames") or []
            if len(names) == 1:
                return f"arn:aws:ecr:{region}:{account_id}:repository/{names[0]}"
        if service == "ses" and path.endswith("/outbound-emails"):
            sender = json.loads(body or b"{}").get("FromEmailAddress")
            return f"arn:aws:ses:{region}:{account_id}:identity/{sender}"
        return extract(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = extract_more


def take_loopback_for_tls(app):
    """The bucket's policy refuses requests without TLS; here nothing leaves the machine."""
    pin_request_origin = app.pin_request_origin
    app.pin_request_origin = lambda address, _secure: pin_request_origin(address, True)


def remember_what_texts_mean():
    """Policies and conditions are few texts; MiniStack parses them at every request, and for every item of a query."""
    from ministack.core import iam_evaluator
    from ministack.services import dynamodb

    parse = iam_evaluator.parse_policy_document
    parse_text = functools.lru_cache(maxsize=1024)(parse)
    iam_evaluator.parse_policy_document = lambda policy: (parse_text if isinstance(policy, str) else parse)(policy)
    dynamodb._condition_syntax_error = functools.lru_cache(maxsize=1024)(dynamodb._condition_syntax_error)


def raise_file_limit():
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
