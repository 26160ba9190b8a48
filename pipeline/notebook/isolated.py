"""HTML pages as outputs of notebook cells, each in a frame of its own."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import HTML

# Scripts of the page itself run; nothing is fetched.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:"
)


def isolated(body: str, *, title: str, height: int) -> HTML:
    """Returns a page as the output of a cell; it reaches no network.

    Args:
        body: What the page's body holds, scripts included.
        title: Of the frame, for screen readers.
        height: Of the frame, pixels.
    """
    from IPython.display import HTML

    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{html.escape(title)}</title></head>"
        f'<body style="margin:0;background:#fff;color:#1b1f23">{body}</body></html>'
    )
    return HTML(
        f'<iframe title="{html.escape(title)}" width="100%" height="{height}" '
        f'style="border:0" srcdoc="{html.escape(page)}"></iframe>'
    )


def script(code: str) -> str:
    """Returns a script element; no text inside of the code can end it early."""
    return f"<script>{code.replace('</script', '<' + chr(92) + '/script')}</script>"
