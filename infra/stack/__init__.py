"""The local servers, without Docker: one file a server, one supervisor, one folder of data.

`infra.stack.state.settings()` gives the settings with the running servers' URLs.
"""

from infra.stack.state import Part, parts

__all__ = ["Part", "parts"]
