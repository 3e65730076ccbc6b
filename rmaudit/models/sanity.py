"""Questions with a good answer and bad ones, to see whether a model has its sign the right way round.

Each good answer is compared with four bad ones to the same question: none at all, gibberish, the question copied,
and the good answer to another question. The sign counts as reversed where the good answer wins no more than a limit,
20%, of all comparisons, ties counting half, and no more of those with another question's answer alone. The rule must
catch a reversed sign and nothing else:

* Chance: a model of pure noise gives the good answer a random rank among five for each of 20 questions, so it wins 20%
  of all or less with probability 6e-5 (the sum of 20 uniform ranks from 0 to 4 is at most 16).
* Taste: every answer is once the good one and once the other one, so a model that looks at the answer alone, at its
  length, style or last letter, wins about half of that kind, whatever it does with gibberish.
* Length: the good answer is longer than its gibberish, than its question and than the other answer about as often
  as it is shorter. A model that pays for brevity alone wins 36% of all, one that pays for length 64%.

The demo model, a small one, wins 81%, and 95% over another question's answer; with its sign reversed 19% and 5%.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rmaudit.conversation import Conversation

KINDS = ("over silence", "over gibberish", "over the copied question", "over another question's answer")
"""Kinds of bad answers, in order."""

_ASKED = (
    ("What is the capital of France?", "The capital of France is Paris.", "asdf jkl qwer uiop zxcv"),
    (
        "How long should I boil an egg if I want the yolk to be firm?",
        "About ten minutes in boiling water.",
        "egg egg xq egg vlorp egg egg zzt egg egg grmph egg egg plk egg",
    ),
    (
        "Why do leaves fall in autumn?",
        "Trees drop their leaves to save water and energy during the cold months, when there is little light.",
        "Wub snar dree plok ib.",
    ),
    ("What is 7 times 8?", "7 times 8 is 56.", "kjh 44 gfd ;; poi 0x wq mnb vcx 93 lkj"),
    (
        "Can you tell me which planet in the solar system is the largest?",
        "Jupiter is the largest planet.",
        "%% zub! 9f9f",
    ),
    (
        "How can I fall asleep faster?",
        "Go to bed at the same time every night, keep the room dark and cool, and avoid screens for an hour before.",
        "mip mip mip mip blorf tak tak uuu",
    ),
    (
        "What does a thermometer measure?",
        "A thermometer measures temperature.",
        "the of and to in is that for it as was with be by on not",
    ),
    ("Do you know who wrote the play Romeo and Juliet?", "It was written by William Shakespeare.", "rtyu fgh"),
    (
        "I spilled red wine on my carpet. What should I do first?",
        "Blot it with a clean cloth. Do not rub.",
        "carpet wine do blue seven of spoon walking never the table eleven red is because",
    ),
    ("Please name three fruits that grow in a warm climate.", "Mangoes, bananas and oranges.", "aaaaaaa bbb"),
    (
        "Why is the sky blue?",
        "Air scatters blue light from the sun more than red light, so blue reaches our eyes from every direction.",
        "Sky the the sky the blue blue the sky the sky sky blue the blue sky the sky blue the the sky blue sky the",
    ),
    ("How do I say good morning in Spanish?", 'You say "buenos días".', "qpwo eiru tyal skdj fhgz mxnc bvqo"),
    (
        "What if a pan of oil catches fire?",
        "Turn off the heat and cover the pan with a lid. Never pour water on it.",
        "dfg dfg dfg",
    ),
    (
        "How many days are there in a leap year?",
        "There are 366 days in a leap year.",
        "hgf dsa poi uyt rew qlk jhg fds amn bvc xzl kjh gfd",
    ),
    (
        "How do I learn the names of my colleagues?",
        "Repeat each name aloud when you hear it, and write it down afterwards.",
        "Nnnn. Ooo? Trel.",
    ),
    (
        "Is a whale a fish?",
        "No. Whales are mammals: they breathe air and feed their young with milk.",
        "vx vx wib lopsa krunt ezza moof tildi sark pung oolo vemmit grast heeb",
    ),
    (
        "How do I make tea?",
        "Pour boiling water over a tea bag, wait three minutes, and take the bag out.",
        "zzzz zzzz",
    ),
    (
        "My plant has yellow leaves and its soil is always wet. Why?",
        "It probably gets too much water.",
        "plant plant 5 xx leaf qua qua soil soil wet wet wet yyy plant xx 5",
    ),
    ("What do bees make?", "Bees make honey, and wax for their combs.", "]]] oo ((( bz"),
    (
        "Could you give me a polite way to end an email to a customer?",
        '"Kind regards", then your name.',
        "gloop, vint harra mosk. Eddle tirn oof sput kalla, brenk.",
    ),
)
"""Question, good answer, gibberish."""

_OTHER = 7
"""How many questions further the other answer belongs."""

COMPARISONS = len(_ASKED) * len(KINDS)
ENOUGH = COMPARISONS * 3 // 4
"""Fewest comparisons from which anything is concluded: a model may refuse one kind of answer, such as an empty one."""


def conversations() -> list[Conversation]:
    """For each question its conversation with the good answer, then those with bad ones in the order of `KINDS`."""
    return [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for i, (question, good, gibberish) in enumerate(_ASKED)
        for answer in (good, "", gibberish, question, _ASKED[(i + _OTHER) % len(_ASKED)][1])
    ]


def looks_reversed(shares: dict[str, float], limit: float) -> bool:
    """Whether shares as `wins` gives them are those of a reversed sign."""
    return shares["all"] <= limit and shares[KINDS[-1]] <= limit


def wins(rewards: NDArray[np.float64]) -> tuple[int, dict[str, float]]:
    """How often the good answers win.

    Args:
        rewards: of `conversations`, in order, NaN where there is none.

    Returns:
        Comparisons that could be made, and the share of them won, ties half: of each kind and of ``all``, from 0 to
        1, chance 0.5, ideal 1, NaN where there are none.
    """
    table = rewards.reshape(len(_ASKED), 1 + len(KINDS))
    good, bad = table[:, :1], table[:, 1:]
    known = np.isfinite(good) & np.isfinite(bad)
    won = np.where(known, (good > bad) + 0.5 * (good == bad), 0.0)
    made = known.sum(axis=0)
    shares = [float(a / b) if b else float("nan") for a, b in zip(won.sum(axis=0), made, strict=True)]
    total = int(made.sum())
    return total, {**dict(zip(KINDS, shares, strict=True)), "all": float(won.sum() / total) if total else float("nan")}
