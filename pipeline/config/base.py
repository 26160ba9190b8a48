"""The strict base of every configuration section."""

from __future__ import annotations

import pydantic


class Section(pydantic.BaseModel):
    """A frozen section: an unknown key or an impossible value is an error.

    Sections travel to components as JSON (`model_dump_json`) and are read back with
    `model_validate_json`.
    """

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )
