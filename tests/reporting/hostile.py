"""Texts that attack a report, and a report that is full of them."""

from __future__ import annotations

from typing import Any, get_args

from rmaudit.disclosure.records import Contradiction, Declaration, DisclosureField, Provenance
from rmaudit.models.interface import SelfCheck
from rmaudit.reporting.report import CoverageRow, DisclosureItem, DomainAccuracy, Report
from rmaudit.suites.finding import AttributeEffect, AttributeRuler, Carried, Example, ExampleArm, Group
from tests.reporting.sample import estimate, finding, sample_report

HOSTILE = {
    "script": "</script><script>alert(1)</script>",
    "style": "</style><style>body{display:none}</style>",
    "attribute": "\"><img src=x onerror='alert(1)'>",
    "javascript url": "javascript:alert(1)",
    "bad link": 'https://good.example/"onmouseover="alert(1)',
    "markdown link": "[click](javascript:alert(1)) ![x](https://evil.example/x.png)",
    "bare address": "www.evil.example https://evil.example @everyone",
    "comment": "<!-- --> ]]> <![CDATA[",
    "jinja": "{{ 7 * 7 }} {% raw %}",
    "rich closing tag": "[/INST]",
    "rich link": "[link=http://evil.example]x[/link]",
    "clipboard escape": "\x1b]52;c;ZXZpbA==\x07",
    "clear screen": "\x1b[2J",
    "c1 control": "\x9b31m\x85",
    "workflow command": "::error::x",
    "formula": '=HYPERLINK("http://evil.example")',
    "at sum": "@SUM(1)",
    "table": "| a | b |",
    "heading": "# heading\n## more",
    "fence": "```\n```` and `````\n~~~~",
    "override": "safe \u202egnp.exe\u2066",
    "invisible": "pass\u200bword\u2060\ufeff\U000e0041",
    "surrogate": "\ud800 broken",
    "null": "a\x00b",
    "long line": "x" * 1_000_000,
    "many words": "y " * 200_000,
    "carriage return": "fine\rEvil",
    "empty": "",
}


def hostile_report(text: str) -> Report:
    """A report with `text` in every place that can hold a text from outside."""
    word = text or "-"
    sample = sample_report()
    arms = [
        ExampleArm(arm=word, role=word, response=text, reward=0.25),
        ExampleArm(arm="b", role="control", response=f"other {text}", reward=-0.5),
    ]
    examples = [
        Example(kind="worst", item=word, cluster=word, effect=0.5, prompt=text, arms=arms, source=word),
        Example(kind="random", item=word, cluster=word, effect=0.1, prompt="", arms=[*arms, arms[0]], source=None),
        Example(kind="random", item=word, cluster=word, effect=0.1, prompt="", arms=[], source=None),
    ]
    changes: dict[str, Any] = {
        "suite": word,
        "probe": word,
        "title": text,
        "question": text,
        "design": word,
        "statement": text,
        "reason": text,
        "unit": word,
        "formula": text,
        "unit_reasons": {"flip_rate": text},
        "correction": text,
        "groups": [Group(name=word, margin=word, srd=estimate(0.1, 0.05), n_units=3, n_items=9)],
        "attributes": [
            AttributeEffect(name=word, srd=estimate(0.1, 0.05), share=1.0, reason=text),
            AttributeEffect(name=f"{word} 2", srd=estimate(0.1, 0.05)),
        ],
        "carried_by": Carried(names=[word, text], share=1.0),
        "examples": examples,
        "citations": [text],
        "limits": text,
    }
    findings = [
        finding(**changes),
        finding(**changes | {"probe": f"{word} 2", "primary": False, "sensitive": True}),
    ]
    return sample.model_copy(
        update={
            "headline": text,
            "warnings": [text],
            "caveats": [text],
            "model": sample.model.model_copy(
                update={
                    "source": text,
                    "identity": text,
                    "revision": text,
                    "format": text,
                    "evidence": [text],
                    "architecture": text,
                    "head": text,
                    "pooling": text,
                    "dtype": text,
                    "template": text,
                    "normalisation": text,
                    "attention": text,
                    "quantization": text,
                    "attributes": [word, text],
                    "risks": [text],
                    "self_test": [SelfCheck(name=word, passed=False, detail=text, worst_difference=0.5)],
                }
            ),
            "settings": sample.settings.model_copy(
                update={"suites": [word], "tier": word, "policy": word, "suite_sha256": {word: word}}
            ),
            "ruler": sample.ruler.model_copy(
                update={
                    "panel": text,
                    "panel_sha256": text,
                    "reason": text,
                    "baselines": {word: 0.5},
                    "attributes": [
                        AttributeRuler(name=word, wsd=1.0, accuracy=estimate(0.5, 0.1), reason=text),
                    ],
                    "domains": [
                        DomainAccuracy(domain=word, n_prompts=1, n_pairs=1, accuracy=estimate(0.5, 0.1)),
                    ],
                }
            ),
            "findings_": findings,
            "coverage": [
                CoverageRow(id=word, challenge=text, field=word, status="present", measured_by=[word], reason=text)
            ],
            "disclosure": [
                DisclosureItem(id=word, title=text, value=text, provenance="declared", evidence=text, reason=text),
                DisclosureItem(
                    id="H2",
                    title=text,
                    value=text,
                    provenance="declared",
                    evidence=text,
                    reason=text,
                    fields=[
                        DisclosureField(
                            id=name,
                            question=text,
                            value=text,
                            provenance=provenance,
                            evidence=text,
                            reason=text,
                            asserted_by=text,
                            date=text,
                        )
                        for name in (word, "H2.pay")
                        for provenance in get_args(Provenance)
                    ],
                ),
            ],
            "declaration": Declaration(file=text, sha256=text, by=text, date=text, standard=1, model=text),
            "contradictions": [
                Contradiction(field=word, declared=text, asserted_by=text, measured=text, evidence=text)
            ],
            "feedback": {word: [text, {word: [text, 0.5, None, True]}]},
            "redteam": {word: text},
            "run": sample.run.model_copy(
                update={
                    "id": text,
                    "started": text,
                    "finished": text,
                    "host": text,
                    "versions": {word: text},
                    "command": text,
                }
            ),
        }
    )
