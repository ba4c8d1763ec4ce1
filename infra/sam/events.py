"""Fits events/ to the commit that they speak of: `python3 infra/sam/events.py`.

That commit is made of infra/sam/commit, always with the same id. Whoever changes a file there runs this once: it
writes the new id into the events and the tests that name it, and signs GitHub's events anew.
"""

import hashlib
import hmac
import json
import os
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
OTHERS = [ROOT / "shared/domain/src/github_event" / name for name in ("tests.rs", "tests/meant.rs")]
# A run's id, also in an event that was written for another commit.
RUN = re.compile(r"(vive-sphere\.bot-manager\.)[0-9a-f]{40}")
# The secret of every one-machine cloud.
SECRET = b"slipway-local-webhook-secret"


def main():
    old, new = re.search(r"[0-9a-f]{40}", (EVENTS / "notify.json").read_text())[0], commit_id()
    for path in OTHERS:
        path.write_text(path.read_text().replace(old, new))
    for path in sorted(EVENTS.rglob("*.json")):
        text = path.read_text().replace(old, new).replace(f"...{old[:12]}", f"...{new[:12]}")
        text = RUN.sub(rf"\g<1>{new}", text)
        event = json.loads(text)
        for record in event.get("Records", []):
            record["md5OfBody"] = hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
        headers = event.get("headers", {})
        if "x-hub-signature-256" in headers:
            body = event["body"].encode()
            headers["content-length"] = str(len(body))
            headers["x-hub-signature-256"] = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        path.write_text(json.dumps(event, indent=2, ensure_ascii=False) + "\n")
    print(f"the events speak of {new}" + ("" if new == old else f", no longer of {old}"))


def commit_id():
    """The id that the cloud's GitHub gives the commit; infra/sam/commit.sh makes it there too."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, GIT_DIR=folder)
        subprocess.run(["git", "init", "--quiet", "--bare"], check=True, env=environment)
        script = ROOT / "infra/sam/commit.sh"
        made = subprocess.run(["sh", script], check=True, env=environment, stdout=subprocess.PIPE, text=True)
        return made.stdout.strip()


if __name__ == "__main__":
    main()
