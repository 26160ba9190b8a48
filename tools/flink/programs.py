"""The programs that the cluster needs beside Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tools.flink.errors import MissingProgramError

JAVA_VERSIONS = range(11, 18)
"""What Flink 1.19 runs on."""


def java() -> Path:
    """Returns a Java that Flink runs on: the one of `$JAVA_HOME`, or the first on the PATH.

    Raises:
        MissingProgramError: There is none, or its version does not fit.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None or not Path(found).is_file():
        raise MissingProgramError(
            f"no Java found ({'$JAVA_HOME is ' + home if home else 'none on the PATH'}); install "
            "Java 17, on Debian: apt-get install openjdk-17-jre-headless"
        )
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', said)
    if match is None or int(match[1]) not in JAVA_VERSIONS:
        raise MissingProgramError(
            f"{found}: Flink 1.19 needs Java {JAVA_VERSIONS[0]} to {JAVA_VERSIONS[-1]}, this is "
            f"{match[1] if match else repr(said[:100])}; set $JAVA_HOME to another one"
        )
    return Path(found)


def maven() -> Path:
    """Returns Maven, which fetches the job server.

    Raises:
        MissingProgramError: There is none.
    """
    found = shutil.which("mvn")
    if found is None:
        raise MissingProgramError(
            "no mvn on the PATH: Maven fetches Beam's job server; on Debian: apt-get install maven"
        )
    return Path(found)
