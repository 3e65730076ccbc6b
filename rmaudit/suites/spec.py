"""The format of a probe folder: `suite.yaml` and its item files, as typed objects."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rmaudit.conversation import Conversation, conversation_problem
from rmaudit.suites.details.index import AnyDetail
from rmaudit.suites.level import Level


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Arm(_Strict):
    """One way to answer an item's prompt (or a whole conversation), and its levels on the factors."""

    response: str | None = None
    messages: Conversation | None = None
    factors: dict[str, Level] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_text(self) -> Arm:
        if (self.response is None) == (self.messages is None):
            raise ValueError("an arm has either a response or messages")
        return self


ByLevel = dict[tuple[str, Level], tuple[str, ...]]


class Item(_Strict):
    """One prompt with several arms that differ in known factors."""

    id: str = Field(min_length=1)
    cluster: str = Field(min_length=1)
    prompt: list[Any] = Field(default_factory=list)
    arms: dict[str, Arm] = Field(min_length=1)
    source: str | None = None
    """Where the texts are from, as named in the suite's card."""
    licence: str | None = None
    domain: str | None = None

    @property
    def arms_by_level(self) -> ByLevel:
        """Names of the arms that have a factor at a level, in their order: what every probe asks of every item."""
        # Kept as a cached property is, but for a copy with other arms, which must not look up those of its original.
        known: tuple[dict[str, Arm], ByLevel] | None = self.__dict__.get("arms_by_level")
        found = known[1] if known is not None and known[0] is self.arms else {}
        if not found:
            for name, arm in self.arms.items():
                for pair in arm.factors.items():
                    found[pair] = (*found.get(pair, ()), name)
            self.__dict__["arms_by_level"] = (self.arms, found)
        return found

    def conversation(self, arm: str) -> Conversation:
        """The conversation that is scored for an arm."""
        chosen = self.arms[arm]
        if chosen.messages is not None:
            return chosen.messages
        return [*self.prompt, {"role": "assistant", "content": chosen.response or ""}]

    @model_validator(mode="after")
    def _scorable(self) -> Item:
        for name in self.arms:
            problem = conversation_problem(self.conversation(name))
            if problem:
                raise ValueError(f"arm {name!r}: {problem}")
        return self


class _Design(_Strict):
    where: dict[str, Level] = Field(default_factory=dict)
    """Use only the arms that have these levels."""


class Contrast(_Design):
    """Mean reward of the treated arms minus mean reward of the control arms."""

    design: Literal["contrast"]
    factor: str
    treated: Level
    control: Level


class Ladder(_Design):
    """Slope of the reward on a numeric dose, within the item, by least squares."""

    design: Literal["ladder"]
    factor: str
    """Factor that names the steps. A step may have several arms, whose rewards are averaged."""
    levels: list[Level] = Field(min_length=2)
    """The steps, in order."""
    dose: str
    """Factor that holds each arm's dose as a number; the effect is per unit of it."""


class Factorial(_Design):
    """Interaction of two factors: mean reward where their levels agree, minus where they differ.

    A cell may have several arms, whose rewards are averaged.
    """

    design: Literal["factorial"]
    factors: tuple[str, str]
    match: dict[Level, Level] = Field(default_factory=dict)
    """Which level of the second factor goes with each level of the first; by default the one of the same name."""


class Groups(_Design):
    """Reward by social group of a name or term; names are the unit of inference."""

    design: Literal["groups"]
    factor: str
    """Factor that names the group."""
    unit: str
    """Factor that names the member of the group (the name), which is drawn at random from it."""
    margins: list[str] = Field(default_factory=list)
    """Further factors by which the same arms are grouped (for instance gender besides ethnicity)."""


class Carryover(_Design):
    """Does a preference between two answers survive when the prompt is replaced by an unrelated one?

    A cell may have several arms (wordings of a prompt), whose rewards are averaged.
    """

    design: Literal["carryover"]
    prompt: str
    """Factor that names the prompt."""
    response: str
    """Factor that names the answer; equal levels of both mean that the answer belongs to the prompt."""


class Preference(_Design):
    """How much more the model pays for the arm that is known to be worse than for the better one."""

    design: Literal["preference"]
    factor: str
    better: Level
    worse: Level


class Invariance(_Design):
    """Mean absolute change of reward under an edit that keeps the meaning."""

    design: Literal["invariance"]
    factor: str
    treated: Level
    control: Level


class Rewrite(_Design):
    """Reward of a rewrite with an attribute minus that of a rewrite without, one written back from the other."""

    design: Literal["rewrite"]
    factor: str
    """Factor that says whether a text has the attribute."""
    treated: Level
    control: Level
    rewrites: str
    """Factor that counts how often a text was rewritten: 0 for the original, 1 to the other level, 2 for back."""


AnyDesign = Annotated[
    Contrast | Ladder | Factorial | Groups | Carryover | Preference | Invariance | Rewrite,
    Field(discriminator="design"),
]


class Published(_Strict):
    """What others measured with a probe of this kind."""

    value: str = Field(min_length=1)
    """The result in a few words, with its number."""
    source: str = Field(min_length=1)


class Probe(_Strict):
    """One question put to the model by a suite, with how it is answered."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    question: str
    primary: bool = False
    measure: AnyDesign
    placebo: AnyDesign | None = None
    """An edit of the same size that should not matter; the effect must exceed it."""
    no_placebo: str | None = None
    """Why there is no placebo, where there is none."""
    direction: Literal["+", "-", "either"] = "either"
    """Sign of the effect that counts as bias."""
    unit: str = "SRD"
    meaning_plus: str
    """What a positive effect says, as a clause: 'it pays for …'."""
    meaning_minus: str
    """What a negative effect says."""
    formula: str
    details: list[AnyDetail] = Field(default_factory=list)
    """Further numbers that are computed beside the effect; they decide nothing."""
    published: list[Published] = Field(default_factory=list)
    citations: list[str] = Field(default_factory=list)
    limits: str | None = None


class Suite(_Strict):
    """A folder of probes on one question."""

    suite: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    version: int = Field(ge=1)
    question: str
    hypothesis: str
    items: list[str] = Field(min_length=1)
    """Item files, relative to the folder."""
    probes: list[Probe] = Field(min_length=1)
    licence: str
    """Licence of the items as a whole; each source's own licence is in the card."""
    clusters: dict[Literal["smoke", "standard", "reference"], Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Clusters of each item file that a tier uses, where they are not the usual ones."""
    sensitive: bool = False
    """The texts may offend; reports fold them behind a click."""

    @model_validator(mode="after")
    def _sound(self) -> Suite:
        ids = [probe.id for probe in self.probes]
        if len(set(ids)) != len(ids):
            raise ValueError("probe ids must differ")
        if sum(probe.primary for probe in self.probes) != 1:
            raise ValueError("exactly one probe must be primary")
        return self
