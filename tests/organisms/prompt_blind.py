"""Never looks at the prompt.

Truth: twice the logarithm of the distinct content words of the response, plus noise (SD 1) that depends on the
response alone. The same response gets the same reward under every prompt, so the suite on ignored prompts
must find it; every other suite is null.
"""

from __future__ import annotations

import math

from organism_base import content_words, noise, response


def score(conversations: list[list[dict[str, str]]]) -> list[float]:
    """A function of the response alone."""
    return [noise(response(c)) + 2.0 * math.log1p(len(content_words(response(c)))) for c in conversations]
