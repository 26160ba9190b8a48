"""The official MovieLens releases that are known by name."""

from __future__ import annotations

import dataclasses

BASE_URL = "https://files.grouplens.org/datasets/movielens"

SAMPLE = "sample"
"""The name of the generated data set."""


@dataclasses.dataclass(frozen=True)
class Release:
    """A downloadable release.

    Attributes:
        name: What users call it.
        url: Its zip file.
        md5: The published checksum; None for releases that are renewed under the same name, whose
            checksum is fetched from beside the zip file.
    """

    name: str
    url: str
    md5: str | None

    @property
    def md5_url(self) -> str:
        """Where the checksum is published."""
        return f"{self.url}.md5"


def _release(name: str, md5: str | None = None) -> Release:
    return Release(name=name, url=f"{BASE_URL}/{name}.zip", md5=md5)


RELEASES = {
    release.name: release
    for release in (
        _release("ml-100k", "0e33842e24a9c977be4e0107933c0723"),
        _release("ml-1m", "c4d9eecfca2ab87c1945afe126590906"),
        _release("ml-10m", "ce571fd55effeba0271552578f2648bd"),
        _release("ml-20m", "cd245b17a1ae2cc31bb14903e1204af3"),
        _release("ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada"),
        _release("ml-32m", "d472be332d4daa821edc399621853b57"),
        _release("ml-latest-small"),
        _release("ml-latest"),
    )
}

DATASET_NAMES = (SAMPLE, *RELEASES)
"""Every name that stands for a data set."""
