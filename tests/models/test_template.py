from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from rmaudit.errors import LoadRefusedError, ScoringError
from rmaudit.models import template as templates
from rmaudit.models.template import ChatTemplate, FoundTemplate, Unrendered, find_template
from tests.models import tiny

Messages = list[dict[str, str]]

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes through /proc")

PLAIN = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{{ eos_token }}{% endfor %}"
TALK: Messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
LONG: Messages = [{"role": "user", "content": "x" * 5000}, {"role": "assistant", "content": "Hello"}]
LOOP = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
    "{% endfor %}{% endfor %}{% endfor %}"
)
ONLY_LONG = "{% if messages[0].content|length > 4000 %}" + LOOP + "{% endif %}" + PLAIN

STYLES = {
    "header blocks, tools and a date": """\
{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") if strftime_now is defined else "1 Jan 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set first = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set first = "" %}
{%- endif %}
{{- "<|header|>system<|end_header|>\\n\\n" }}
{%- if tools is not none %}
    {{- "You may call:\\n" }}
    {%- for tool in tools %}
        {{- tool | tojson(indent=4) }}
    {%- endfor %}
{%- endif %}
{{- "Today: " + date_string + "\\n\\n" }}
{{- first + "<|eot|>" }}
{%- for message in messages %}
    {{- '<|header|>' + message['role'] + '<|end_header|>\\n\\n' + message['content'] | trim + '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|header|>assistant<|end_header|>\\n\\n' }}
{%- endif %}
""",
    "marked turns on lines": """\
{% for message in messages %}
{{'<|start|>' + message['role'] + '\\n' + message['content'] + '<|end|>' + '\\n'}}
{% endfor %}
{% if add_generation_prompt %}{{ '<|start|>assistant\\n' }}{% endif %}
""",
    "no system role": """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('There is no system role here.') }}{% endif %}
{% for message in messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Turns have to alternate: user, assistant, user …') }}
{% endif %}
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{ '<turn>' + role + '\\n' + message['content'] | trim + '</turn>\\n' }}
{% endfor %}
{% if add_generation_prompt %}{{'<turn>model\\n'}}{% endif %}
""",
    "alternation with a carried system text": """\
{%- if messages[0]["role"] == "system" %}
    {%- set system = messages[0]["content"] %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set rest = messages %}
{%- endif %}
{%- set ns = namespace(index=0) %}
{%- for message in rest %}
    {%- if not (message.tool_calls is defined and message.tool_calls is not none) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("after an optional system message, roles have to alternate\\nsecond line") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in rest %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system is defined %}
            {{- "[Q] " + system + "\\n\\n" + message["content"] + "[/Q]" }}
        {%- else %}
            {{- "[Q] " ~ message["content"] ~ "[/Q]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] | trim + eos_token }}
    {%- else %}
        {{- raise_exception("unknown role " ~ message["role"]) }}
    {%- endif %}
{%- endfor %}
""",
    "role lines": """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "one line with bos": (
        "{{ bos_token }}{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
        "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "default system text and tool calls": """\
{%- if tools %}
    {{- '<s>tools\\n' }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<s>system\\n' + messages[0]['content'] + '</s>\\n' }}
    {%- else %}
        {{- '<s>system\\nBe of use.</s>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or
           (message.role == "assistant" and not message.tool_calls) %}
        {{- '<s>' + message.role + '\\n' + message.content + '</s>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- for tool_call in message.tool_calls %}{{- tool_call.arguments | tojson }}{%- endfor %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<s>assistant\\n' }}{%- endif %}
""",
    "generation blocks": """\
{% for m in messages %}
{% set before = loop.index %}
{% if m.role == 'assistant' %}
A: {% generation %}{% set before = 99 %}{{ m.content }}{{ eos_token }}{% endgeneration %}{{ before }}

{% else %}
{{ m.role[0] | upper }}: {{- m.content }}
{% endif %}
{% endfor %}
{%- generation -%}  {{ messages | length }}  {%- endgeneration -%}
""",
    "break and continue": (
        "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
        "{% if loop.index > 3 %}{% break %}{% endif %}{{ m.role }}={{ m.content }};{% else %}none{% endfor %}"
    ),
    "break out of a generation block": (
        "{% for m in messages %}{% generation %}{{ m.content }}{% break %}{% endgeneration %}{% endfor %}"
    ),
    "macros, call and filter blocks": """\
{% macro turn(m, upper=false) -%}
[{{ m.role | upper if upper else m.role }}] {{ caller(m.content) if caller else m.content }}
{%- endmacro %}
{% for m in messages %}
{% call(text) turn(m, upper=true) %}<<{{ text | trim | replace('e', 'E') }}>>{% endcall %}
{{ turn(m) }}
{% endfor %}
{% filter upper %}end of {{ messages | length }}{% endfilter %}
""",
    "recursive macro": (
        "{% macro down(rest) %}{% if rest %}{{ rest[0].content }}/{{ down(rest[1:]) }}{% endif %}{% endmacro %}"
        "{{ down(messages) }}"
    ),
    "namespace and dict": (
        "{% set ns = namespace(seen=dict(user=0, assistant=0, system=0), last='', self=1) %}"
        "{% for m in messages %}{% set ns.seen = dict(ns.seen, **{m.role: ns.seen[m.role] + 1}) %}"
        "{% set ns.last = m.content %}{% endfor %}{{ ns.seen }}{{ ns.last }}{{ ns.self }}"
        "{{ dict.fromkeys(['a', 'b'], 1) }}{{ ns.absent is defined }}{{ dict.items is defined }}"
    ),
    "json": (
        "{% for m in messages %}{{ m | tojson }}{{ m.content | tojson(ensure_ascii=true) }}"
        "{{ {'b': [1, none], 'a': true} | tojson(sort_keys=true, separators=(',', ':')) }}{% endfor %}"
        "{{ messages | tojson(indent=2) }}"
    ),
    "white space control": "\n".join(
        [
            "  {%- if true -%}  ",
            "   x   ",
            "    {% for m in messages %}   ",
            "\t{{ m.content }}  {# a comment #}",
            "    {#- another -#}   ",
            "  {%+ if m.role == 'user' %} kept {% endif +%}",
            "    {% endfor %}",
            "{%- endif %}",
            "",
            "",
        ]
    ),
    "methods and tests": (
        "{% for m in messages %}{{ m.content.split(' ')[-1].strip().startswith('H') }}{{ m.get('name', '-') }}"
        "{{ m['content'][:3] }}{{ m.content[::-1] }}{{ loop.previtem.role if loop.previtem is defined }}"
        "{{ m.items() | list | length }}{{ '%s-%d' % (m.role, loop.index) }}{{ '{0:>5}'.format(m.role) }}"
        "{{ m.content is string }}{{ m.role in ['user', 'tool'] }}{% endfor %}"
        "{{ (messages | map(attribute='role') | join(',')) ~ (messages | selectattr('role', 'equalto', 'user') | list"
        " | length) }}{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ unk_token }}"
    ),
    "undefined names": "{{ nothing }}[{{ messages[0].nothing }}]{{ pad_token }}{{ cls_token is defined }}",
    "an error on the way": "{{ messages[0].content + 1 }}",
    "private names": "{% set ns = namespace(_a=1) %}{{ messages[0].content }}",
    "a forbidden attribute that prints as nothing": "{{ messages.append }}{{ ''.__class__ }}{{ messages[0].content }}",
    "Windows line ends": "{% for m in messages %}\r\n{{ m.content }}\r\n{% endfor %}\r\n",
    "unicode": (
        "{% for m in messages %}「{{ m.role }}」ｱ{{ m.content | capitalize }}\u2028é"
        "{{ m.content | length }}{% endfor %}"
    ),
    "plain": PLAIN,
}

REFUSING = {
    "no system role",
    "alternation with a carried system text",
    "break out of a generation block",
    "an error on the way",
    "private names",
}
"""Styles that do not write out every conversation."""

CONVERSATIONS: dict[str, Messages] = {
    "plain": TALK,
    "system": [{"role": "system", "content": " Be kind. "}, *TALK],
    "three turns": [*TALK, {"role": "user", "content": "And then?"}, {"role": "assistant", "content": "Nothing."}],
    "system and more": [
        {"role": "system", "content": "Short"},
        *TALK,
        {"role": "user", "content": "e"},
        {"role": "assistant", "content": "f"},
    ],
    "unicode": [
        {"role": "user", "content": "Größe 東京 🙂 \u202e\u0301"},
        {"role": "assistant", "content": "ß\x00\x1b[0m\u2028ſ"},
    ],
    "markup": [
        {"role": "user", "content": "<b>&\"'</b> {{ 1 + 1 }} {% raw %}"},
        {"role": "assistant", "content": "</s><s>{{ bos_token }}"},
    ],
    "white space": [{"role": "user", "content": "\n  a\n\n b \t\r\n"}, {"role": "assistant", "content": ""}],
    "two of the user": [{"role": "user", "content": "1"}, {"role": "user", "content": "2"}, TALK[1]],
}


def children() -> set[int]:
    """Processes that this one has started and not yet waited for."""
    found: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        found |= {int(word) for word in listing.read_text().split()}
    return found


@pytest.fixture
def new_children() -> Iterator[Any]:
    """Asks which processes were started since; none may be left in the end."""
    before = children() if sys.platform.startswith("linux") else set()
    yield lambda: children() - before
    if sys.platform.startswith("linux"):
        assert children() <= before


def peak_mib() -> float:
    """Largest memory of this process since `forget_peak`."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def reason(result: str | Unrendered) -> str:
    assert isinstance(result, Unrendered), result[:200]
    return result.reason


# The same text as transformers


@pytest.mark.parametrize("style", STYLES)
def test_text_is_that_of_transformers(style: str) -> None:
    tokenizer = tiny.tokenizer(template=STYLES[style])

    def expected(messages: Messages, prompt: bool) -> str | None:
        try:
            return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt))
        except Exception:  # what becomes a reason
            return None

    with ChatTemplate(STYLES[style], tokenizer.special_tokens_map) as template:
        for prompt in (False, True):
            before = [expected(messages, prompt) for messages in CONVERSATIONS.values()]
            results = template.render(list(CONVERSATIONS.values()), add_generation_prompt=prompt)
            found = [result if isinstance(result, str) else None for result in results]
            after = [expected(messages, prompt) for messages in CONVERSATIONS.values()]  # past midnight
            assert found in (before, after)
    assert (None in found) == (style in REFUSING)


def test_no_style_is_trivial() -> None:
    """The comparison above would pass on templates that write nothing."""
    with ChatTemplate(STYLES["header blocks, tools and a date"], {"bos_token": "<s>"}) as template:
        (text,) = template.render([TALK])
    assert isinstance(text, str)
    assert text.startswith("<s><|header|>system<|end_header|>\n\nToday: ")
    assert text.endswith("<|header|>assistant<|end_header|>\n\nHello<|eot|>")


def test_half_a_surrogate_pair_comes_back_as_it_went() -> None:
    with ChatTemplate("{{ messages[0].content }}", {}) as template:
        assert template.render([[{"role": "user", "content": "a\ud83d \ude42"}]]) == ["a\ud83d \ude42"]


def test_what_a_template_raises_is_the_reason() -> None:
    source = "{% if messages|length > 2 %}{{ raise_exception('No more\x1b[2J than\u202e two.\nAdvice') }}{% endif %}ok"
    with ChatTemplate(source, {}) as template:
        results = template.render([TALK, [*TALK, *TALK], TALK])
    assert results == ["ok", Unrendered("the chat template refuses it: No more [2J than  two"), "ok"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{% if %}", "the chat template is not valid Jinja (line 1: Expected an expression"),
        ("a\n{% endfor %}", "the chat template is not valid Jinja (line 2: "),
        ("{% for i in [1] %}" * 30 + "{% endfor %}" * 30, "cannot be compiled: too many statically nested blocks"),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}", "cannot be compiled: maximum recursion depth"),
        ("x" * (templates.MAX_SOURCE_BYTES + 1), "the chat template is longer than 1 MiB"),
    ],
)
def test_template_that_cannot_be_compiled_gives_the_reason_every_time(source: str, why: str, new_children: Any) -> None:
    template = ChatTemplate(source, {})
    for _ in range(2):
        results = template.render([TALK, TALK])
        assert len(results) == 2
        assert all(why in reason(result) for result in results)
    if sys.platform.startswith("linux"):
        assert not new_children()


def test_special_tokens_are_texts_only() -> None:
    with ChatTemplate("{{ bos_token }}{{ eos_token is defined }}", {"bos_token": "<s>", "eos_token": 3}) as template:  # type: ignore[dict-item]
        assert template.render([TALK]) == ["<s>False"]


def test_no_conversations_start_nothing(new_children: Any) -> None:
    assert ChatTemplate(LOOP, {}).render([]) == []


# Hostile templates

TOO_LONG = "takes more than 0.3 seconds"
NO_MEMORY = "needs more memory than 1 GiB"
HOSTILE = {
    "classes": ("{{ ''.__class__.__mro__ }}", "the sandbox stopped the chat template: access to attribute '__class__'"),
    "subclasses": ("{{ [].__class__.__base__.__subclasses__() }}", "the sandbox stopped"),
    "globals": ("{{ raise_exception.__globals__['os'].system('x') }}", "the sandbox stopped"),
    "globals of Jinja": ("{{ cycler.__init__.__globals__.os.popen('id').read() }}", "the sandbox stopped"),
    "format": ("{{ '{0.__class__.__mro__}'.format('') }}", "the sandbox stopped"),
    "attr": ("{{ (messages | attr('__class__')).__mro__ }}", "the sandbox stopped"),
    "changes": ("{{ messages.append(1) }}", "the sandbox stopped"),
    "files": ("{% include '/etc/passwd' %}", "refuses it: no loader"),
    "large range": ("{% for i in range(10**9) %}{% endfor %}", "refuses it: Range too big"),
    "nested loops": (LOOP, TOO_LONG),
    "nested joins": ("{{ lipsum(n=99999999) }}", TOO_LONG),
    "large power": ("{{ (messages | length) ** (10 ** 12) }}", TOO_LONG),
    "large power of constants": ("{{ 10 ** (10 ** 10) }}", TOO_LONG),
    "text": ("{{ messages[0].content * 10 ** 11 }}", NO_MEMORY),
    "text of constants": ("{{ 'x' * 10 ** 11 }}", NO_MEMORY),
    "list": ("{{ (range(99999) | list) * 99999 }}", NO_MEMORY),
    "center": ("{{ 'x' | center(10 ** 10) }}", NO_MEMORY),
    "padding": ("{{ '%0*d' % (10 ** 10, 1) }}", NO_MEMORY),
    "doubling": (
        "{% set ns = namespace(x=messages[0].content) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] | join %}"
        "{% endfor %}{{ ns.x | length }}",
        NO_MEMORY + "|takes more than 3 seconds",  # a gibibyte has to be written before
    ),
    "recursion": ("{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "refuses it: maximum recursion depth"),
    "flood": (
        "{% for a in range(99999) %}{% for b in range(99999) %}" + "x" * 99 + "{% endfor %}{% endfor %}",
        "writes more than 16,777,216 characters",
    ),
    "flood at once": ("{{ messages[0].content * 10 ** 7 }}", "writes more than 16,777,216 characters"),
    "long message": ("{{ raise_exception('x' * 10 ** 7) }}", "refuses it: " + "x" * 200),
}


@linux
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_template_gets_a_reason_and_costs_nothing(kind: str, new_children: Any) -> None:
    source, why = HOSTILE[kind]
    forget_peak()
    memory, began = peak_mib(), time.monotonic()
    with ChatTemplate(source, {}, seconds=0.3 if why == TOO_LONG else 3.0) as template:
        assert re.search(why, reason(template.render([TALK])[0]))
    assert time.monotonic() - began < 4
    assert peak_mib() - memory < 50
    assert not new_children()


@linux
def test_largest_text_and_the_limit_beside_it() -> None:
    """What is allowed is bounded too: three times the text, of one byte a character."""
    forget_peak()
    memory = peak_mib()
    source = "{{ 'x' * (messages[0].content | int) }}"
    counts = [templates.MAX_CHARACTERS, templates.MAX_CHARACTERS + 1]
    with ChatTemplate(source, {}) as template:
        text, refused = template.render([[{"role": "user", "content": str(count)}] for count in counts])
    assert isinstance(text, str)
    assert len(text) == templates.MAX_CHARACTERS
    assert "writes more" in reason(refused)
    assert peak_mib() - memory < 100


@linux
def test_default_limit_is_three_seconds(new_children: Any) -> None:
    template = ChatTemplate(ONLY_LONG, {})
    template.render([TALK])
    began = time.monotonic()
    (result,) = template.render([LONG])
    assert 2.9 < time.monotonic() - began < 4
    assert reason(result) == "the chat template takes more than 3 seconds"
    assert not new_children()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (ONLY_LONG, TOO_LONG),
        (PLAIN + "{% if messages[0].content|length > 4000 %}{{ messages[0].content * 10 ** 9 }}{% endif %}", NO_MEMORY),
    ],
)
def test_one_hostile_conversation_costs_only_its_own_text(source: str, why: str, new_children: Any) -> None:
    batch = [[{"role": "user", "content": str(i)}, TALK[1]] for i in range(600)]
    batch[300] = LONG
    with ChatTemplate(source, {"eos_token": "."}, seconds=0.3) as template:
        results = template.render(batch)
        assert why in reason(results.pop(300))
        assert results == [f"<|user|>{i}.<|assistant|>Hello." for i in range(600) if i != 300]
        assert template.render([TALK]) == ["<|user|>Hi.<|assistant|>Hello."]


def test_template_is_given_up_when_stopped_for_the_third_time(new_children: Any) -> None:
    with ChatTemplate(ONLY_LONG, {}, seconds=0.3) as template:
        began = time.monotonic()
        assert "takes more than" in reason(template.render([LONG, TALK])[0])
        with pytest.raises(ScoringError, match=r"stopped 3 times, and the last time .* 0.3 seconds\. Look at"):
            template.render([TALK, *[LONG] * 1000])
        assert time.monotonic() - began < 3
        with pytest.raises(ScoringError, match="stopped 3 times"):
            template.render([TALK])


def test_time_is_counted_for_each_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_SLOW_SECONDS", 10.0)
    source = "{% for a in range(5) %}{% for b in range(99999) %}{% endfor %}{% endfor %}done"
    with ChatTemplate(source, {}) as template:
        template.render([TALK])
        began = time.monotonic()
        template.render([TALK])
        once = time.monotonic() - began
    seconds = max(5 * once, 0.4)
    count = int(1.5 * seconds / once) + 1
    with ChatTemplate(source, {}, seconds=seconds) as template:
        began = time.monotonic()
        assert template.render([TALK] * count) == ["done"] * count
        assert time.monotonic() - began > seconds


def test_time_of_a_stopped_conversation_is_not_held_against_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_SLOW_SECONDS", 0.0)
    with ChatTemplate(ONLY_LONG, {}, seconds=0.3) as template:
        kinds = [isinstance(result, str) for result in template.render([LONG, LONG, TALK])]
    assert kinds == [False, False, True]


def test_template_that_is_slow_throughout_is_given_up(monkeypatch: pytest.MonkeyPatch, new_children: Any) -> None:
    monkeypatch.setattr(templates, "_SLOW_SECONDS", -0.1)  # 0.2 seconds for 28 conversations
    slow = "{% for a in range(20) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with ChatTemplate(slow, {}) as template, pytest.raises(ScoringError, match="too slow, even for 28 conversations"):
        template.render([TALK] * 28)


def test_template_that_floods_over_many_conversations_is_given_up(
    monkeypatch: pytest.MonkeyPatch, new_children: Any
) -> None:
    monkeypatch.setattr(templates, "MAX_CHARACTERS", 1000)
    with ChatTemplate("{{ 'x' * 900 }}", {}) as template:
        assert len(template.render([TALK])) == 1
        with pytest.raises(ScoringError, match="writes far more than there is in 50 conversations"):
            template.render([TALK] * 50)


# The process


def test_many_short_conversations_take_seconds() -> None:
    batch = [[{"role": "user", "content": f"Question {i}"}, TALK[1]] for i in range(14_000)]
    with ChatTemplate(PLAIN, {"eos_token": "</s>"}) as template:
        began = time.monotonic()
        results = template.render(batch)
        assert time.monotonic() - began < 8
    assert results == [f"<|user|>Question {i}</s><|assistant|>Hello</s>" for i in range(14_000)]


def test_conversations_larger_than_a_pipe_go_through_both_ways() -> None:
    batch = [[{"role": "user", "content": letter * 2_000_000}] for letter in "abcde"]
    with ChatTemplate("{{ messages[0].content }}", {}) as template:
        assert template.render(batch) == [letter * 2_000_000 for letter in "abcde"]


def test_long_fixed_text_around_short_conversations_is_no_flood() -> None:
    preamble = "Be of use. " * 2000
    with ChatTemplate(preamble + "{{ messages[0].content }}", {}) as template:
        assert template.render([TALK] * 2000) == [preamble + "Hi"] * 2000


def test_batches_hold_a_bounded_number_and_amount() -> None:
    def sizes(texts: list[str]) -> list[int]:
        conversations = [[{"role": "user", "content": text}] for text in texts]
        found: list[int] = []
        while sum(found) < len(texts):
            found.append(len(templates._batch(conversations, sum(found))))  # type: ignore[arg-type]
        return found

    half = "x" * (templates._BATCH_CHARACTERS // 2)
    assert sizes(["x"] * 600) == [256, 256, 88]
    assert sizes([half] * 5) == [2, 2, 1]
    assert sizes([half * 3, "x", half * 3]) == [1, 1, 1]


def test_two_templates_do_not_disturb_each_other() -> None:
    with ChatTemplate("1{{ messages[0].content }}", {}) as one, ChatTemplate(ONLY_LONG, {}, seconds=0.3) as two:
        assert one.render([TALK]) == ["1Hi"]
        reason(two.render([LONG])[0])
        assert one.render([TALK]) == ["1Hi"]
        one.close()
        assert two.render([TALK]) == ["<|user|>Hi<|assistant|>Hello"]


@linux
def test_process_is_one_and_knows_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch, new_children: Any
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    template = ChatTemplate(PLAIN, {})
    template.render([TALK])
    (pid,) = new_children()
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    limits = Path(f"/proc/{pid}/limits").read_text()
    for name, value in (("Max address space", 1 << 30), ("Max open files", 0), ("Max file size", 0)):
        (line,) = (line for line in limits.splitlines() if line.startswith(name))
        assert line.removeprefix(name).split()[:2] == [str(value)] * 2
    template.render([TALK] * 600)
    assert new_children() == {pid}
    del template
    assert not new_children()


@linux
def test_process_that_is_killed_from_outside_is_replaced(new_children: Any) -> None:
    with ChatTemplate(PLAIN, {}) as template:
        template.render([TALK])
        (pid,) = new_children()
        os.kill(pid, signal.SIGKILL)
        lost, text = template.render([TALK, TALK])
    assert reason(lost) == "the chat template broke the process that it was rendered in (exit code -9)"
    assert text == "<|user|>Hi<|assistant|>Hello"


@linux
def test_interrupt_ends_the_process_and_mixes_up_no_answers(new_children: Any) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with ChatTemplate(ONLY_LONG, {}) as template:
            template.render([TALK])
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(KeyboardInterrupt):
                template.render([TALK, LONG, TALK])
            assert not new_children()
            assert template.render([TALK]) == ["<|user|>Hi<|assistant|>Hello"]
    finally:
        signal.signal(signal.SIGALRM, before)


PROGRAM = """\
import os, sys
from rmaudit.models.template import ChatTemplate
PLAIN, LOOP, TALK = {plain!r}, {loop!r}, {talk!r}
template = ChatTemplate(PLAIN, {{}})
assert template.render([TALK]) == ["<|user|>Hi<|assistant|>Hello"]
pid = template._process._process.pid
def tell(what):
    with open({out!r}, "w") as out:
        out.write(str(what))
"""


def program(body: str, out: Path) -> list[str]:
    start = PROGRAM.format(plain=PLAIN, loop=LOOP, talk=TALK, out=str(out))
    return [sys.executable, "-c", start + textwrap.dedent(body)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@linux
@pytest.mark.parametrize("closing", ["0<&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"])
def test_works_with_the_standard_streams_closed_and_leaves_nothing(tmp_path: Path, closing: str) -> None:
    command = program("tell(pid)", tmp_path / "out")
    done = subprocess.run(["sh", "-c", f'exec "$@" {closing}', "sh", *command], timeout=20, check=False)
    assert done.returncode == 0
    assert not alive(int((tmp_path / "out").read_text()))


@linux
@pytest.mark.parametrize("busy", [False, True])
def test_process_ends_when_the_program_is_killed(tmp_path: Path, busy: bool) -> None:
    if busy:
        body = """
        import time
        from rmaudit.models import _template_worker as worker
        process = template._process._process
        worker.write_frame(process.stdin, {"count": 1, "add_generation_prompt": False})
        worker.write_frame(process.stdin, [{"role": "user", "content": "x" * 5000}])
        time.sleep(0.2)
        tell(pid)
        time.sleep(60)
        """
    else:
        body = "tell(pid)\nimport time\ntime.sleep(60)"
    out = tmp_path / "out"
    command = program(body, out)
    command[-1] = command[-1].replace("ChatTemplate(PLAIN, {})", f"ChatTemplate({ONLY_LONG!r}, {{}}, seconds=0.5)")
    parent = subprocess.Popen(command)
    try:
        assert wait_until(lambda: out.exists() and out.read_text(), 20)
    finally:
        parent.kill()
        parent.wait()
    pid = int(out.read_text())
    assert alive(pid) or not busy
    assert wait_until(lambda: not alive(pid), 5)


@linux
def test_fork_of_the_program_starts_a_process_of_its_own(tmp_path: Path) -> None:
    body = """
    import gc
    child = os.fork()
    if child == 0:
        assert template.render([TALK]) == ["<|user|>Hi<|assistant|>Hello"]
        tell(template._process._process.pid)
        assert template._process._process.pid != pid
        del template
        gc.collect()
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert template.render([TALK]) == ["<|user|>Hi<|assistant|>Hello"]
    assert template._process._process.pid == pid
    """
    done = subprocess.run(program(body, tmp_path / "out"), timeout=20, check=False)
    assert done.returncode == 0
    assert not alive(int((tmp_path / "out").read_text()))


# Which template


def folder(root: Path, **files: Any) -> Path:
    """A tokenizer with other files beside it; ``__`` in a name stands for a dot and ``___`` for a slash."""
    tiny.tokenizer(template=None).save_pretrained(root)
    for name, content in files.items():
        path = root / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        if name == "tokenizer_config__json":
            tiny.edit_json(path, **content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def look(root: Path) -> FoundTemplate | None:
    config = json.loads((root / "tokenizer_config.json").read_text())
    return find_template(root, config, [path.name for path in root.iterdir()])


def named(**sources: str) -> dict[str, Any]:
    return {"chat_template": [{"name": name, "template": source} for name, source in sources.items()]}


LAYOUTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "none": ({}, None),
    "null": ({"tokenizer_config__json": {"chat_template": None}}, None),
    "config": ({"tokenizer_config__json": {"chat_template": "C"}}, "tokenizer_config.json"),
    "config of several": (
        {"tokenizer_config__json": named(tool_use="T", default="D")},
        "tokenizer_config.json, default",
    ),
    "config with a mapping": (
        {"tokenizer_config__json": {"chat_template": {"default": "M", "rag": "R"}}},
        "tokenizer_config.json, default",
    ),
    "file": ({"chat_template__jinja": "F\r\nF\n"}, "chat_template.jinja"),
    "file and config": (
        {"chat_template__jinja": "F", "tokenizer_config__json": {"chat_template": "C"}},
        "chat_template.jinja",
    ),
    "file and more files": (
        {"chat_template__jinja": "F", "additional_chat_templates___rag__jinja": "R"},
        "chat_template.jinja",
    ),
    "file and a default beside it": (
        {"chat_template__jinja": "F", "additional_chat_templates___default__jinja": "D"},
        "additional_chat_templates/default.jinja",
    ),
    "config and json": (
        {"chat_template__json": {"chat_template": "J"}, "tokenizer_config__json": {"chat_template": "C"}},
        "tokenizer_config.json",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_found_template_is_the_one_that_transformers_uses(tmp_path: Path, layout: str) -> None:
    files, origin = LAYOUTS[layout]
    root = folder(tmp_path / "c", **files)
    found = look(root)
    assert (found and found.origin) == origin
    tokenizer = AutoTokenizer.from_pretrained(root)
    assert (found and found.source) == (tokenizer.get_chat_template() if tokenizer.chat_template else None)


def test_template_of_a_processor_counts_when_the_tokenizer_has_none(tmp_path: Path) -> None:
    root = folder(tmp_path / "c", chat_template__json={"chat_template": "J"})
    assert look(root) == FoundTemplate("J", "chat_template.json")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"tokenizer_config__json": named(tool_use="T", rag="R")}, r"has chat templates for rag, tool_use, and none"),
        (
            {
                "additional_chat_templates___rag__jinja": "R",
                "tokenizer_config__json": {"chat_template": "C"},
            },
            r"has chat templates for rag, and none of them is the default",
        ),
        ({"tokenizer_config__json": {"chat_template": 3}}, r"\(tokenizer_config.json\) is no text but int"),
        ({"tokenizer_config__json": {"chat_template": [{"template": "x"}]}}, "no list of names and templates"),
        ({"tokenizer_config__json": {"chat_template": ["x"]}}, "no list of names and templates"),
        ({"tokenizer_config__json": {"chat_template": []}}, "no list of names and templates"),
        ({"tokenizer_config__json": named(default=["x"])}, r"\(tokenizer_config.json, default\) is no text but list"),  # type: ignore[arg-type]
        ({"chat_template__json": {}}, r"\(chat_template.json\) is no text but NoneType"),
        ({"chat_template__jinja": "x" * (1 + (1 << 20))}, r"chat_template\.jinja .*1 MiB"),
        ({"tokenizer_config__json": {"chat_template": "x" * (1 + (1 << 20))}}, "is longer than 1 MiB"),
    ],
)
def test_template_that_cannot_be_told_is_refused(tmp_path: Path, files: dict[str, Any], why: str) -> None:
    with pytest.raises(LoadRefusedError, match=why):
        look(folder(tmp_path / "c", **files))


def test_template_file_that_is_no_text_file_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "c")
    path = root / "chat_template.jinja"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(LoadRefusedError, match=r"chat_template\.jinja is not text in UTF-8"):
        look(root)
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(LoadRefusedError, match="link"):
        look(root)
    path.unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)  # opening it would wait for ever
        with pytest.raises(LoadRefusedError, match="is a pipe, not a file"):
            look(root)
