"""ECR's scans of images, which MiniStack does not have: each image of a repository that scans on push is scanned as soon
as it is there, and the event "ECR Image Scan" says so.

Nobody looks into the image. A scan finds nothing, unless `PUT /_slipway/scans/<repository>` has said what the scans of that
repository come to, also those that were before: `{"status": "COMPLETE", "description": …, "findings": […]}`, in the words
of ECR's API. `DELETE` of the same path lets them find nothing again.
"""

import json

ENDED = ("COMPLETE", "FAILED")
NOTHING = {"status": "COMPLETE", "findings": []}


class Scans:
    """Stands before MiniStack's ECR."""

    def __init__(self, ecr, eventbridge, respond, refuse):
        self.ecr = ecr
        self.eventbridge = eventbridge
        self.respond = respond
        self.refuse = refuse
        self.verdicts = {}  # What the scans of a repository come to, by its name.
        self.seen = set()  # Images whose scan has begun.
        self.handle_request = ecr.handle_request
        self.handle_registry_request = ecr.handle_registry_request
        ecr.handle_request = self.answer
        ecr.handle_registry_request = self.answer_registry

    async def answer(self, method, path, headers, body, query_params):
        """The API: one operation of ours, and images that PutImage brings."""
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action == "DescribeImageScanFindings":
            return self.describe(json.loads(body or b"{}"))
        answer = await self.handle_request(method, path, headers, body, query_params)
        if action == "PutImage" and answer[0] == 200:
            self.begin(json.loads(body)["repositoryName"])
        return answer

    async def answer_registry(self, method, path, headers, body, query_params):
        """The registry's protocol: images that a push brings."""
        answer = await self.handle_registry_request(method, path, headers, body, query_params)
        if method == "PUT" and "/manifests/" in path and answer[0] == 201:
            self.begin(path.removeprefix("/v2/").partition("/manifests/")[0])
        return answer

    def begin(self, repository):
        """Scans what is new in a repository."""
        if not self.scans_on_push(repository):
            return
        for image in self.ecr._images.get(repository, []):
            key = (repository, image["imageDigest"])
            if key not in self.seen:
                self.seen.add(key)
                self.tell(repository, image)

    def decide(self, repository, verdict):
        """Lets the scans of a repository come to this."""
        self.verdicts[repository] = verdict
        if self.scans_on_push(repository):
            for image in self.ecr._images.get(repository, []):
                self.tell(repository, image)

    def forget(self, repository):
        """Lets the scans of a repository find nothing."""
        self.verdicts.pop(repository, None)

    def scans_on_push(self, repository):
        known = self.ecr._repositories.get(repository) or {}
        return known.get("imageScanningConfiguration", {}).get("scanOnPush", False)

    def verdict(self, repository):
        return self.verdicts.get(repository, NOTHING)

    def tell(self, repository, image):
        """The event of a scan that has ended."""
        verdict = self.verdict(repository)
        if verdict["status"] not in ENDED:
            return
        detail = {
            "scan-status": verdict["status"],
            "repository-name": repository,
            "finding-severity-counts": counts(verdict),
            "image-digest": image["imageDigest"],
            "image-tags": image.get("imageTags", []),
        }
        entry = {
            "Source": "aws.ecr",
            "DetailType": "ECR Image Scan",
            "Resources": [self.ecr._repo_arn(repository)],
            "Detail": json.dumps(detail),
        }
        self.eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)

    def describe(self, data):
        """DescribeImageScanFindings, all findings in one answer."""
        repository, wanted = data.get("repositoryName", ""), data.get("imageId", {})
        if repository not in self.ecr._repositories:
            message = f"The repository with name '{repository}' does not exist"
            return self.refuse("RepositoryNotFoundException", message, 400)
        image = self.ecr._find_image(repository, wanted)
        if image is None:
            return self.refuse("ImageNotFoundException", "The image does not exist", 400)
        if not self.scans_on_push(repository):
            return self.refuse("ScanNotFoundException", "Image scan does not exist", 400)
        verdict = self.verdict(repository)
        answer = {
            "registryId": image["registryId"],
            "repositoryName": repository,
            "imageId": {"imageDigest": image["imageDigest"]},
            "imageScanStatus": {
                "status": verdict["status"],
                "description": verdict.get("description", ""),
            },
        }
        if verdict["status"] in ("COMPLETE", "ACTIVE"):
            findings = verdict.get("findings", [])
            answer["imageScanFindings"] = {"findingSeverityCounts": counts(verdict), "findings": findings}
        return self.respond(answer)


def counts(verdict):
    """How many findings there are of each severity."""
    by_severity = {}
    for finding in verdict.get("findings", []):
        by_severity[finding["severity"]] = by_severity.get(finding["severity"], 0) + 1
    return by_severity
