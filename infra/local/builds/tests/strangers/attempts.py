"""What code inside a build tries with the build's credentials; one line for each attempt: its outcome and what it was.

`refused` is a refusal for want of rights; `got` is success; anything else is told as it came, and is neither.
"""

import datetime
import hashlib
import hmac
import json
import os
import urllib.error
import urllib.parse
import urllib.request

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
REGION = os.environ["AWS_REGION"]
STACK = os.environ["STACK"]
BUCKET = os.environ["BUCKET"]
NO_RIGHTS = ("AccessDenied", "not authorized", "UnauthorizedOperation")


def keyed(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def ask(service, method, path, body=b"", headers=()):
    """Sends a request signed with the build's credentials."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    content = hashlib.sha256(body).hexdigest()
    path, _, query = path.partition("?")
    signed = {
        "host": ENDPOINT.split("://")[1],
        "x-amz-content-sha256": content,
        "x-amz-date": now,
        "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"],
        **dict(headers),
    }
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = "\n".join([method, path, query, lines, names, content])
    scope = f"{now[:8]}/{REGION}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = keyed(key, part)
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    signature = keyed(key, text).hex()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    url = f"{ENDPOINT}{path}" + (f"?{query}" if query else "")
    request = urllib.request.Request(url, data=body or None, method=method, headers=signed)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def tell(what, answer):
    status, body = answer
    if 200 <= status < 300:
        outcome = "got"
    elif any(word in body for word in NO_RIGHTS):
        outcome = "refused"
    else:
        outcome = f"odd:{status}:{body[:200]!r}"
    print(f"{outcome} {what}", flush=True)


def call(service, target, **body):
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
    return ask(service, "POST", "/", json.dumps(body).encode(), headers.items())


def query(service, **form):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return ask(service, "POST", "/", urllib.parse.urlencode(form).encode(), headers.items())


for name in ("webhook", "github", "test/token"):
    secret = f"{STACK}/{name}"
    tell(f"secret {name}", call("secretsmanager", "secretsmanager.GetSecretValue", SecretId=secret))
tell("list of secrets", call("secretsmanager", "secretsmanager.ListSecrets"))

for key in (
    "operator.yaml",
    "sources/a/b/commit.zip",
    "results/other/result.zip",
    "cache/a/b/key",
    "manifests/hash.json",
    "untrusted/sources/a/b/commit.zip",
    "untrusted/results/other/result.zip",
):
    tell(f"read {key}", ask("s3", "GET", f"/{BUCKET}/{key}"))
for key in (
    "operator.yaml",
    "sources/a/b/other.zip",
    "results/other/result.zip",
    "cache/a/b/poison",
    "manifests/hash.json",
    "untrusted/sources/a/b/other.zip",
    "untrusted/results/own/extra",
):
    tell(f"write {key}", ask("s3", "PUT", f"/{BUCKET}/{key}", b"green"))
tell("delete sources/a/b/commit.zip", ask("s3", "DELETE", f"/{BUCKET}/sources/a/b/commit.zip"))
tell("list of the bucket", ask("s3", "GET", f"/{BUCKET}?list-type=2"))

key = {"pk": {"S": "run#a.b"}, "sk": {"S": "head"}}
table = os.environ["TABLE"]
tell("read the table", call("dynamodb", "DynamoDB_20120810.GetItem", TableName=table, Key=key))
tell("write the table", call("dynamodb", "DynamoDB_20120810.PutItem", TableName=table, Item=key))
queue = os.environ["QUEUE"]
tell("send a message", call("sqs", "AmazonSQS.SendMessage", QueueUrl=queue, MessageBody="{}"))
tell("take a message", call("sqs", "AmazonSQS.ReceiveMessage", QueueUrl=queue))

for project in ("test", "untrusted"):
    name = f"{STACK}-{project}"
    tell(f"start a build of {project}", call("codebuild", "CodeBuild_20161006.StartBuild", projectName=name))
    role = os.environ[f"{project.upper()}_ROLE"]
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": "x"}
    tell(f"assume the role of {project}", query("sts", **form))
entry = {"Source": "aws.codebuild", "DetailType": "CodeBuild Build State Change", "Detail": "{}"}
tell("forge an event", call("events", "AWSEvents.PutEvents", Entries=[entry]))
other = "test" if os.environ["CODEBUILD_BUILD_ID"].startswith(f"{STACK}-untrusted") else "untrusted"
group = f"/aws/codebuild/{STACK}-{other}"
stream = {"logGroupName": group, "logStreamName": "forged"}
tell("open a log of the other project", call("logs", "Logs_20140328.CreateLogStream", **stream))
tell("a login to the registry", call("ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"))
