#!/usr/bin/env python3
"""Validates an SBOM with the validators its consumers use.

usage: validate_sbom.py spdx|cyclonedx FILE...

The validators (spdx-tools for SPDX 2.3, cyclonedx-python-lib for CycloneDX 1.6, strict) are
installed by pip below a target folder on first use: $BOLTWORKS_SBOM_VALIDATORS, or
target/sbom-validators beside this checkout's Cargo.toml. Exit: 0 valid, 1 invalid, 2 misuse,
3 the validators cannot be had (the message says what to run).
"""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

REQUIREMENTS = ["spdx-tools==0.8.5", "cyclonedx-python-lib[json-validation]==11.12.0"]
ROOT = pathlib.Path(__file__).resolve().parents[2]


def folder() -> pathlib.Path:
    """The installed validators; installs them when they are not there, one process at a time."""
    given = os.environ.get("BOLTWORKS_SBOM_VALIDATORS")
    target = pathlib.Path(given) if given else ROOT / "target" / "sbom-validators"
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / (target.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = "\n".join([*REQUIREMENTS, f"python {sys.version_info[0]}.{sys.version_info[1]}"])
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
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


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


def cyclonedx(path: str) -> list[str]:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = pathlib.Path(path).read_text(encoding="utf-8")
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return [] if error is None else [str(error)]


def main(arguments: list[str]) -> int:
    kinds = {"spdx": spdx, "cyclonedx": cyclonedx}
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
