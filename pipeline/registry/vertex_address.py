"""Address of a Model Registry of Vertex AI: `vertex://PROJECT/REGION`; imports no client."""

from __future__ import annotations

import dataclasses
import re

SCHEME = "vertex"
ARTIFACT_SCHEME = "gs"
"""Where bundles must lie: Vertex AI reads models from Cloud Storage alone."""

LOOKS_LIKE = f"{SCHEME}://PROJECT/REGION"

# `?endpoint=` names the API's address where it is not the region's public one.
_ADDRESS = re.compile(
    rf"{SCHEME}://(?P<project>[a-z0-9][a-z0-9.:-]*)/(?P<region>[a-z]+-[a-z]+[0-9]+)/?"
    r"(?:\?endpoint=(?P<endpoint>\S+))?"
)
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")


@dataclasses.dataclass(frozen=True)
class VertexAddress:
    """Where a registry is.

    Attributes:
        project: Google Cloud project, its id or number.
        region: E.g. `europe-west4`.
        endpoint: Address of the API.
    """

    project: str
    region: str
    endpoint: str

    @classmethod
    def parse(cls, tracking_uri: str) -> VertexAddress:
        """Reads an address.

        Raises:
            ValueError: It does not look like one.
        """
        found = _ADDRESS.fullmatch(tracking_uri)
        if found is None:
            raise ValueError(
                f"{tracking_uri!r} must look like {LOOKS_LIKE}, e.g. "
                f"{SCHEME}://my-project/europe-west4"
            )
        endpoint = found["endpoint"] or f"{found['region']}-aiplatform.googleapis.com"
        return cls(found["project"], found["region"], endpoint)

    @property
    def parent(self) -> str:
        """The region's resource name."""
        return f"projects/{self.project}/locations/{self.region}"

    def model(self, model: str) -> str:
        """Returns a model's resource name.

        Raises:
            ValueError: No model can be called so.
        """
        check_model_name(model)
        return f"{self.parent}/models/{model}"


def is_vertex(tracking_uri: str | None) -> bool:
    """Tells whether a registry's address means Vertex AI, well formed or not."""
    return tracking_uri is not None and tracking_uri.partition(":")[0] == SCHEME


def check_model_name(model: str) -> None:
    """Raises `ValueError` where Vertex AI does not take a model's name as its id."""
    if not _MODEL_ID.fullmatch(model):
        raise ValueError(
            f"registry.model_name {model!r}: Vertex AI takes up to 63 lower case letters, digits, "
            "dashes and underscores, the first a letter or underscore"
        )


def check_place(
    tracking_uri: str, *, model: str, artifact_root: str, container_image: str
) -> VertexAddress:
    """Checks that a registry of Vertex AI can take bundles.

    Args:
        tracking_uri: The registry's address.
        model: The registered model's name.
        artifact_root: Where bundles are to lie.
        container_image: Image that is registered with them.

    Returns:
        The address.

    Raises:
        ValueError: It cannot; names the setting, its value and the way out.
    """
    address = VertexAddress.parse(tracking_uri)
    check_model_name(model)
    check_artifact_root(artifact_root)
    if not container_image:
        raise ValueError(
            f"{tracking_uri}: Vertex AI takes no model's files without a container image; name one "
            "of the Artifact Registry in registry.container_image, the pipeline's own for one "
            "(nothing runs it unless somebody deploys the model)"
        )
    return address


def check_artifact_root(artifact_root: str) -> None:
    """Raises `ValueError` where Vertex AI cannot read what lies there."""
    scheme, _, rest = artifact_root.partition("://")
    if scheme != ARTIFACT_SCHEME or not rest.strip("/"):
        raise ValueError(
            f"registry.artifact_root {artifact_root!r}: Vertex AI reads models from Cloud Storage "
            f"alone, so it must look like {ARTIFACT_SCHEME}://BUCKET/FOLDER"
        )
