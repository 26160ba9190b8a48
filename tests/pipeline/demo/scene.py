"""An app as the build leaves it, small, for tests that need no browser."""

from pathlib import Path

POLICY = "default-src 'none'; connect-src 'self'"
PAGE = f"""<!doctype html>
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<p>here it is</p>
"""


def app(folder: Path) -> Path:
    """Writes the app into `folder`/dist."""
    dist = folder / "dist"
    for name, text in {
        "index.html": PAGE,
        "sw.js": "start();\n",
        "assets/index-abc.js": "run();\n",
        "litert-1.0.0/one.wasm": "\0asm",
        "manifest.webmanifest": "{}",
    }.items():
        path = dist / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return dist
