"""Vertex AI's Model Registry through Google's generated client: the calls, how often, the errors.

Reading, moving aliases and editing texts are sent again when the API is busy, breaks off or does
not answer. An upload is not: whether the one before it arrived cannot be told from outside. It is
sent again only after a look at what is under way and at what is there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pipeline.errors import RegistryError
from pipeline.registry.vertex_address import VertexAddress
from pipeline.registry.vertex_failures import is_passing, said, told

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.aiplatform_v1 import Model, ModelServiceClient

SCOPE = "https://www.googleapis.com/auth/cloud-platform"

_PAGE = 100
_UPLOAD = "UploadModelOperationMetadata"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long calls are waited for and repeated.

    Attributes:
        request_seconds: For one answer.
        first_wait: Seconds before the first repetition, at most; doubled before each further one.
        longest_wait: Seconds between two repetitions, at most.
        retry_seconds: In which a call that fails for now is repeated.
        upload_seconds: For an upload that the API has accepted.
    """

    request_seconds: float = 60
    first_wait: float = 1
    longest_wait: float = 30
    retry_seconds: float = 300
    upload_seconds: float = 1800


class VertexClient:
    """The calls that a registry needs. Nothing is connected before the first.

    All methods raise `RegistryError` where the API refuses, cannot be reached or stays busy; it
    names project, region and model.

    Args:
        address: Where the registry is.
        patience: How long calls are repeated.
    """

    def __init__(self, address: VertexAddress, patience: Patience | None = None) -> None:
        self.address = address
        self._patience = patience or Patience()

    def versions(self, model: str) -> list[Model]:
        """Returns a model's versions; none where there is no such model."""
        with self._told(model):
            return self._versions(model)

    def model(self, model: str) -> Model | None:
        """Returns a model, None where there is none."""
        with self._told(model):
            return self._model(model)

    def describe(self, model: str, change: Callable[[str], str]) -> None:
        """Replaces a model's description by what `change` makes of it, whoever else edits it."""
        with self._told(model):
            self._retry(again=self._conflicts)(self._describe)(model, change)

    def add_aliases(self, model: str, version: str, aliases: list[str]) -> None:
        """Points aliases at a version; they leave those that they pointed at before."""
        with self._told(model):
            self._client.merge_version_aliases(
                name=f"{self.address.model(model)}@{version}",
                version_aliases=aliases,
                **self._persistent,
            )

    def delete_version(self, model: str, version: str) -> None:
        """Deletes a version, if it is there."""
        from google.api_core.exceptions import NotFound

        with self._told(model), contextlib.suppress(NotFound):
            self._finish(
                self._client.delete_model_version(
                    name=f"{self.address.model(model)}@{version}", **self._persistent
                )
            )

    def upload(self, model: str, version: Model, is_it: Callable[[Model], bool]) -> Model:
        """Makes a version, unless there is one already.

        Args:
            model: Of which; it is made with its first version.
            version: What to upload.
            is_it: Tells the version from the others.

        Returns:
            The version as it is in the registry.
        """
        with self._told(model):
            return self._retry(again=self._conflicts)(self._upload)(model, version, is_it)

    @functools.cached_property
    def _client(self) -> ModelServiceClient:
        with warnings.catch_warnings():
            # Google's packages warn of what they will not support in years to come.
            warnings.simplefilter("ignore")
            import google.auth
            from google.cloud.aiplatform_v1 import ModelServiceClient

            credentials, _ = google.auth.default(scopes=[SCOPE])
            # REST passes proxies that gRPC does not.
            return ModelServiceClient(
                credentials=credentials,
                transport="rest",
                client_options={"api_endpoint": self.address.endpoint},
            )

    def _versions(self, model: str) -> list[Model]:
        from google.api_core.exceptions import NotFound

        request = {"name": self.address.model(model), "page_size": _PAGE}
        try:
            return list(self._client.list_model_versions(request=request, **self._persistent))
        except NotFound:
            return []

    def _model(self, model: str) -> Model | None:
        from google.api_core.exceptions import NotFound

        try:
            return self._client.get_model(name=self.address.model(model), **self._persistent)
        except NotFound:
            return None

    def _describe(self, model: str, change: Callable[[str], str]) -> None:
        from google.cloud.aiplatform_v1 import Model

        name = self.address.model(model)
        now = self._client.get_model(name=name, **self._persistent)
        # The etag has the API refuse what was made of a text that is no longer there.
        self._client.update_model(
            model=Model(
                name=name,
                display_name=now.display_name,
                description=change(now.description),
                etag=now.etag,
            ),
            update_mask={"paths": ["description"]},
            **self._persistent,
        )

    def _upload(self, model: str, version: Model, is_it: Callable[[Model], bool]) -> Model:
        from google.api_core.exceptions import NotFound
        from google.cloud.aiplatform_v1 import Model, UploadModelRequest

        self._wait_for_uploads(model)
        there = next(filter(is_it, self._versions(model)), None)
        if there is not None:
            return there
        request = UploadModelRequest(parent=self.address.parent, model=Model(version))
        parent = self._model(model)
        if parent is None:
            request.model_id = model
        else:
            request.parent_model = self.address.model(model)
            # It is the whole model's, and stays.
            request.model.description = parent.description
        done = self._finish(
            self._client.upload_model(
                request=request, retry=None, timeout=self._patience.request_seconds
            )
        )
        name = f"{self.address.model(model)}@{done.model_version_id}"
        try:
            return self._client.get_model(name=name, **self._persistent)
        except NotFound:
            # Whoever uploaded the same at the same time may have deleted this one as a double.
            there = next(filter(is_it, self._versions(model)), None)
            if there is None:
                raise
            return there

    def _wait_for_uploads(self, model: str) -> None:
        """Waits for uploads that others, or an attempt before, have under way."""
        deadline = time.monotonic() + self._patience.upload_seconds
        wait = self._patience.first_wait
        while self._is_uploading(model):
            if time.monotonic() > deadline:
                raise RegistryError(
                    f"{self.address.model(model)}: an upload has been under way for more than "
                    f"{self._patience.upload_seconds:g} s; push again when it is over"
                )
            time.sleep(wait)
            wait = min(2 * wait, self._patience.longest_wait)

    def _is_uploading(self, model: str) -> bool:
        from google.api_core.exceptions import NotFound

        request = {"name": self.address.model(model), "page_size": _PAGE}
        while True:
            try:
                page = self._client.list_operations(request=request, **self._persistent)
            except NotFound:
                return False
            for operation in page.operations:
                if not operation.done and operation.metadata.type_url.endswith(_UPLOAD):
                    return True
            if not page.next_page_token:
                return False
            request["page_token"] = page.next_page_token

    def _finish(self, operation: Any) -> Any:
        """Returns the result of a long-running operation."""
        from google.api_core.future.polling import DEFAULT_POLLING

        patience = self._patience
        return operation.result(
            retry=self._retry(),
            polling=DEFAULT_POLLING.with_delay(
                initial=patience.first_wait, maximum=patience.longest_wait
            ).with_timeout(patience.upload_seconds),
        )

    @property
    def _persistent(self) -> dict[str, Any]:
        return {"retry": self._retry(), "timeout": self._patience.request_seconds}

    @property
    def _conflicts(self) -> tuple[type[Exception], ...]:
        from google.api_core import exceptions

        return (exceptions.Conflict, exceptions.PreconditionFailed)

    def _retry(self, again: tuple[type[Exception], ...] = ()) -> Retry:
        from google.api_core.retry import Retry

        return Retry(
            predicate=lambda error: is_passing(error) or isinstance(error, again),
            initial=self._patience.first_wait,
            maximum=self._patience.longest_wait,
            timeout=self._patience.retry_seconds,
            on_error=lambda error: _log.warning("Vertex AI, tried again: %s", said(error)),
        )

    @contextlib.contextmanager
    def _told(self, model: str) -> Iterator[None]:
        try:
            where = self.address.model(model)
        except ValueError as error:
            raise RegistryError(str(error)) from None
        patience = self._patience
        with told(
            where, retry_seconds=patience.retry_seconds, upload_seconds=patience.upload_seconds
        ):
            yield
