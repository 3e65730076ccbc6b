"""One tiny checkpoint for every kind of reward model, each with an independent forward pass.

What is not here, and why: judges (their answer is text, see their own tests), served models (no files), the random
order of SteamSHP in other tools (a fixed average over both orders is what is tested).
"""

from tests.models.rows import classifiers, generative, named, pairwise, steps, values
from tests.models.rows.common import Row

ROWS: tuple[Row, ...] = (
    *classifiers.ROWS,
    *values.ROWS,
    *named.ROWS,
    *steps.ROWS,
    *pairwise.ROWS,
    *generative.ROWS,
)
