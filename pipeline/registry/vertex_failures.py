"""What the client of Vertex AI's API raises: what passes, and what to tell the user."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Iterator
from typing import Any

from pipeline.errors import RegistryError

SIGN_IN = (
    "sign in with `gcloud auth application-default login`, or name a key file in "
    "GOOGLE_APPLICATION_CREDENTIALS"
)
ROLE = "roles/aiplatform.user"

_UNAUTHORIZED, _FORBIDDEN = 401, 403


@contextlib.contextmanager
def told(where: str, *, retry_seconds: float, upload_seconds: float) -> Iterator[None]:
    """Turns errors of the client into `RegistryError`.

    Args:
        where: What the calls are about.
        retry_seconds: In which they are repeated.
        upload_seconds: In which an upload is waited for.
    """
    import google.auth.exceptions
    import requests
    from google.api_core import exceptions

    try:
        yield
    except google.auth.exceptions.GoogleAuthError as error:
        raise RegistryError(f"{where}: no credentials ({error}); {SIGN_IN}") from None
    except exceptions.RetryError as error:
        raise RegistryError(
            f"{where}: given up after {retry_seconds:g} s, at last because of: "
            f"{said(error.cause)}; push or try again later, nothing is half done"
        ) from None
    except concurrent.futures.TimeoutError:
        raise RegistryError(
            f"{where}: accepted, but not done after {upload_seconds:g} s; try again later, a push "
            "finds what has been done by then"
        ) from None
    except exceptions.GoogleAPICallError as error:
        raise RegistryError(f"{where}: {said(error)}{_way_out(error)}") from None
    except requests.exceptions.RequestException as error:
        raise RegistryError(f"{where}: cannot be reached ({error})") from None


def is_passing(error: Exception) -> bool:
    """Tells whether the same call may succeed a little later."""
    import requests
    import urllib3
    from google.api_core import exceptions

    if isinstance(error, requests.exceptions.ConnectionError) and not isinstance(
        error, requests.exceptions.Timeout
    ):
        # A connection that broke, but none that could not be made: the address is wrong then.
        return not any(isinstance(cause, urllib3.exceptions.MaxRetryError) for cause in error.args)
    return isinstance(
        error,
        (
            exceptions.TooManyRequests,
            exceptions.BadGateway,
            exceptions.ServiceUnavailable,
            exceptions.GatewayTimeout,
            requests.exceptions.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ),
    )


def said(error: Any) -> str:
    """Returns an error of the client in few words."""
    code = getattr(error, "code", None)
    if code is None:
        return f"no answer that can be used ({error})"
    return f"refused with status {int(code)}: {error.message}"


def _way_out(error: Any) -> str:
    code = error.code
    if code == _UNAUTHORIZED:
        return f"; {SIGN_IN}"
    if code == _FORBIDDEN:
        return f"; {SIGN_IN} as an account with the role {ROLE} in the project, or ask for it"
    return ""
