"""The dashboard: what does a person look at?

Pages for people beside the API for programs, on the same application. They are rendered on the server from
what the API's own functions answer, so that there is one truth; and they change things by the same functions.
"""

from dashboard.wiring import install

__all__ = ["install"]
