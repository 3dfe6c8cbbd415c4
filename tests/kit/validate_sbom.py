#!/usr/bin/env python3
"""Validates an SBOM with the validators its consumers use.

usage: validate_sbom.py spdx|spdx3|cyclonedx FILE...

The validators (spdx-tools for SPDX 2.3; spdx-python-model and SPDX's own JSON schema for SPDX 3.0.1;
cyclonedx-python-lib for CycloneDX 1.6, strict) are installed by pip, and the schema by mvn, below a target folder on first use: $BOLTWORKS_SBOM_VALIDATORS, or
target/sbom-validators beside this checkout's Cargo.toml. Exit: 0 valid, 1 invalid, 2 misuse,
3 the validators cannot be had (the message says what to run).
"""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

REQUIREMENTS = [
    "spdx-tools==0.8.5",
    "spdx-python-model==0.0.6",
    "cyclonedx-python-lib[json-validation]==11.12.0",
]
# The library in which SPDX ships the schema of its JSON-LD form, and the schema in it.
SCHEMA = ("org.spdx:spdx-v3jsonld-store:1.0.5", "resources/schema-v3.0.1.json")
ROOT = pathlib.Path(__file__).resolve().parents[2]


def folder() -> pathlib.Path:
    """The installed validators; installs them when they are not there, one process at a time."""
    given = os.environ.get("BOLTWORKS_SBOM_VALIDATORS")
    target = pathlib.Path(given) if given else ROOT / "target" / "sbom-validators"
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / (target.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = "\n".join([*REQUIREMENTS, SCHEMA[0], f"python {sys.version_info[0]}.{sys.version_info[1]}"])
        stamp = target / "installed"
        if not stamp.is_file() or stamp.read_text() != wanted:
            install(target)
            stamp.write_text(wanted)
    return target


def install(target: pathlib.Path) -> None:
    part = pathlib.Path(tempfile.mkdtemp(prefix=target.name + ".", dir=target.parent))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-warn-script-location", "--root-user-action", "ignore"]
    pip += ["--target", str(part), *REQUIREMENTS]
    # pip spends most of its time on byte code and prints warnings of no use here.
    done = subprocess.run(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        shutil.rmtree(part, ignore_errors=True)
        print(done.stdout, file=sys.stderr)
        if "No module named pip" in done.stdout:
            print("pip is missing: run 'apt-get install -y python3-pip'", file=sys.stderr)
        else:
            print("the validators could not be installed: " + " ".join(pip), file=sys.stderr)
        sys.exit(3)
    schema(part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def schema(part: pathlib.Path) -> None:
    if shutil.which("mvn") is None:
        print("mvn is missing: run 'apt-get install -y maven'", file=sys.stderr)
        sys.exit(3)
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy"
    mvn = ["mvn", "-q", "-B", goal, f"-Dartifact={SCHEMA[0]}", f"-DoutputDirectory={part}"]
    # Outside of any project.
    done = subprocess.run(
        mvn, cwd=part, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        print("the schema could not be had: " + " ".join(mvn), file=sys.stderr)
        sys.exit(3)
    _, name, version = SCHEMA[0].split(":")
    with zipfile.ZipFile(part / f"{name}-{version}.jar") as jar:
        (part / "spdx3.json").write_bytes(jar.read(SCHEMA[1]))


def spdx(path: str) -> list[str]:
    from spdx_tools.spdx.parser.error import SPDXParsingError
    from spdx_tools.spdx.parser.json.json_parser import parse_from_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    try:
        document = parse_from_file(path)
    except SPDXParsingError as error:
        return error.get_messages()
    version = document.creation_info.spdx_version
    problems = [message.validation_message for message in validate_full_spdx_document(document)]
    return problems + ([] if version == "SPDX-2.3" else [f"the version is {version}"])


def spdx3(path: str) -> list[str]:
    from jsonschema import Draft202012Validator
    from spdx_python_model import v3_0_1

    text = pathlib.Path(path).read_text(encoding="utf-8")
    schema = json.loads((folder() / "spdx3.json").read_text(encoding="utf-8"))
    found = Draft202012Validator(schema).iter_errors(json.loads(text))
    problems = [f"{problem.json_path}: {problem.message[:2000]}" for problem in found]
    objects = v3_0_1.SHACLObjectSet()
    try:
        with open(path, encoding="utf-8") as file:
            v3_0_1.JSONLDDeserializer().read(file, objects)
    except (ValueError, TypeError, KeyError) as error:
        return problems + [str(error)]
    # What refers to nothing that is there, but for what others define.
    missing = {link for link in objects.missing_ids if "#" in link}
    return problems + [f"{link} is not there" for link in sorted(missing)]


def cyclonedx(path: str) -> list[str]:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = pathlib.Path(path).read_text(encoding="utf-8")
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return [] if error is None else [str(error)]


def main(arguments: list[str]) -> int:
    kinds = {"spdx": spdx, "spdx3": spdx3, "cyclonedx": cyclonedx}
    if len(arguments) < 2 or arguments[0] not in kinds:
        print(__doc__, file=sys.stderr)
        return 2
    sys.path.insert(0, str(folder()))
    result = 0
    for path in arguments[1:]:
        for problem in kinds[arguments[0]](path):
            print(f"{path}: {problem}", file=sys.stderr)
            result = 1
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
