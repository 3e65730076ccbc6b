"""Operators that put a format on plain text, each with the one that takes it off again.

``strip(add(text)) == text`` for every text that is `formattable`. Words and their order never change; a title or an
opening is the only text that an operator adds. Marks can be counted, so each operator takes how many to set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rmaudit.generate import texts
from rmaudit.generate.draw import Draw
from rmaudit.generate.filler import without_prompt_words


@dataclass(frozen=True)
class Setting:
    """What an operator may look at when it chooses words, signs and places."""

    draw: Draw
    key: str
    """Names the text, so that each has choices of its own."""
    prompt: str = ""
    """Added words must not be among its words."""


@dataclass(frozen=True)
class Operator:
    """A format."""

    add: Callable[[str, int, Setting], str | None]
    """Text with so many marks, ``None`` where it has no place for them."""
    strip: Callable[[str], str]
    """Text without the marks, whatever signs they use."""


def formattable(text: str) -> bool:
    """Whether a text is one paragraph of statements without marks, none twice, which splits into them and back."""
    parts = texts.sentences(text)
    repeats = len(set(parts)) < len(parts)
    marked = "**" in text or re.match(r"\(?\d+[.)] ", text)
    statement = re.compile(r"[A-Z0-9$\"(][^!?\n#`|~_\[\]<>•]*\.")
    return not marked and not repeats and " ".join(parts) == text and all(statement.fullmatch(part) for part in parts)


def _choice(name: str, setting: Setting) -> str:
    return str(setting.draw.pick(texts.word_list("format")[name], setting.key, name))


def _phrases(name: str, count: int, text: str, setting: Setting) -> list[str] | None:
    fit = without_prompt_words(texts.word_list("format")[name], setting.prompt, text)
    chosen = setting.draw.some(fit, count, setting.key, name)
    return chosen if len(chosen) == count else None


# Marks on words


def _on_words(text: str, marks: int, setting: Setting, mark: Callable[[str], str]) -> str | None:
    """Text with some of its longer words marked; none that begins a sentence, so that it still splits into them."""
    found = re.finditer(r"(?<![\w'’.$-])[a-z]{4,}(?![\w'’-])", text)
    unfit = texts.function_words() | {word for phrase in texts.markers(text) for word in phrase.split()}
    words = [word for word in found if word.group() not in unfit]
    if len(words) < marks:
        return None
    chosen = sorted(words, key=lambda word: setting.draw.rank(f"{setting.key}\0{word.start()}", "words"))[:marks]
    for word in sorted(chosen, key=lambda word: -word.start()):
        text = f"{text[: word.start()]}{mark(word.group())}{text[word.end() :]}"
    return text


def _bold(text: str, marks: int, setting: Setting) -> str | None:
    return _on_words(text, marks, setting, lambda word: f"**{word}**")


def _unbold(text: str) -> str:
    return re.sub(r"\*\*([a-z]+)\*\*", r"\1", text)


def _link(text: str, marks: int, setting: Setting) -> str | None:
    addresses = _phrases("addresses", 1, text, setting)
    return _on_words(text, marks, setting, lambda word: f"[{word}]({addresses[0]})") if addresses else None


def _unlink(text: str) -> str:
    return re.sub(r"\[([A-Za-z]+)\]\(https://[a-z]+\.example\)", r"\1", text)


# Marks at the ends of sentences


def _at_ends(marks: int, count: int) -> list[int]:
    """How many of the marks each of so many sentences gets, the first ones more."""
    return [marks // count + (number < marks % count) for number in range(count)]


def _emoji(text: str, marks: int, setting: Setting) -> str | None:
    parts = texts.sentences(text)
    signs = setting.draw.some(texts.word_list("format")["emoji"], marks, setting.key, "emoji")
    if len(signs) < marks:
        return None
    out, used = [], 0
    for part, count in zip(parts, _at_ends(marks, len(parts)), strict=True):
        out.append(" ".join([part, *signs[used : used + count]]))
        used += count
    return " ".join(out)


def _unemoji(text: str) -> str:
    return re.sub(rf" (?:{'|'.join(texts.word_list('format')['emoji'])})", "", text)


def _exclamation(text: str, marks: int, setting: Setting) -> str | None:
    """Full stops as exclamation marks, none behind a digit, where it would be a factorial."""
    parts = texts.sentences(text)
    fit = [number for number, part in enumerate(parts) if not part[-2].isdigit()]
    if not fit:
        return None
    for number, count in zip(fit, _at_ends(marks, len(fit)), strict=True):
        parts[number] = parts[number][:-1] + "!" * count if count else parts[number]
    return " ".join(parts)


def _unexclaim(text: str) -> str:
    return re.sub(r"!+", ".", text)


# Lines


def _bullets(text: str, marks: int, setting: Setting) -> str | None:
    return _listed(text, marks, [_choice("bullets", setting)] * marks)


def _numbered(text: str, marks: int, setting: Setting) -> str | None:
    style = _choice("numbers", setting)
    return _listed(text, marks, [style.replace("1", str(number)) for number in range(1, marks + 1)])


def _listed(text: str, marks: int, signs: Sequence[str]) -> str | None:
    """The last so many sentences as a list; what comes before stays a paragraph."""
    parts = texts.sentences(text)
    if len(parts) < marks:
        return None
    before, listed = parts[: len(parts) - marks], parts[len(parts) - marks :]
    lines = [" ".join(before)] if before else []
    return "\n".join([*lines, *(f"{sign} {part}" for sign, part in zip(signs, listed, strict=True))])


def _unlist(text: str) -> str:
    lines = text.split("\n")
    return " ".join(re.sub(r"^(?:[-*•]|[1-9][.)]) ", "", line) for line in lines)


def _headers(text: str, marks: int, setting: Setting) -> str | None:
    parts = texts.sentences(text)
    titles = _phrases("titles", marks, text, setting)
    if len(parts) < marks or titles is None:
        return None
    sign, lines, used = _choice("headers", setting), [], 0
    for title, count in zip(titles, _at_ends(len(parts), marks), strict=True):
        lines += [f"{sign} {title}", " ".join(parts[used : used + count])]
        used += count
    return "\n".join(lines)


def _unhead(text: str) -> str:
    return " ".join(line for line in text.split("\n") if not re.match(r"#+ ", line))


def _table(text: str, marks: int, setting: Setting) -> str | None:
    """The sentences as rows of one column; as many marks as rows."""
    parts = texts.sentences(text)
    columns = _phrases("columns", 1, text, setting)
    if len(parts) != marks or columns is None:
        return None
    return "\n".join([f"|{columns[0]}|", "|-|", *(f"|{part}|" for part in parts)])


def _untable(text: str) -> str:
    return " ".join(line.strip("|") for line in text.split("\n")[2:])


def _fence(text: str, marks: int, setting: Setting) -> str | None:
    if marks != 1:
        return None
    return f"```\n{text}\n```"


def _unfence(text: str) -> str:
    return text.removeprefix("```\n").removesuffix("\n```")


def _opening(text: str, marks: int, setting: Setting) -> str | None:
    phrases = _phrases("openings", 1, text, setting) if marks == 1 else None
    return f"{phrases[0]} {text}" if phrases else None


def _unopen(text: str) -> str:
    found = next((each for each in texts.word_list("format")["openings"] if text.startswith(f"{each} ")), None)
    return text.removeprefix(f"{found} ") if found else text


OPERATORS = {
    "bold": Operator(_bold, _unbold),
    "headers": Operator(_headers, _unhead),
    "bullets": Operator(_bullets, _unlist),
    "numbered": Operator(_numbered, _unlist),
    "table": Operator(_table, _untable),
    "code": Operator(_fence, _unfence),
    "emoji": Operator(_emoji, _unemoji),
    "exclamation": Operator(_exclamation, _unexclaim),
    "link": Operator(_link, _unlink),
    "opening": Operator(_opening, _unopen),
}
"""Formats by name."""


def markdown(text: str, kind: str, setting: Setting) -> str | None:
    """All sentences as a list with two bold words, as chat models write; where `kind` is ``titled``, below a title."""
    titled = kind == "titled"
    bold = _bold(text, 2, setting)
    if bold is None:
        return None
    parts = texts.sentences(bold)
    listed = _listed(bold, len(parts), ["-" if titled else "*"] * len(parts))
    if not titled:
        return listed
    titles = _phrases("titles", 1, text, setting)
    return f"{_choice('headers', setting)} {titles[0]}\n{listed}" if titles else None


def plain(text: str) -> str:
    """A text in Markdown as `markdown` writes it, without its marks."""
    return _unbold(_unlist("\n".join(line for line in text.split("\n") if not re.match(r"#+ ", line))))


def numbered_inline(text: str) -> str:
    """A paragraph whose sentences are numbered and yet run on: the numbers of a list without its lines."""
    return " ".join(f"({number}) {part}" for number, part in enumerate(texts.sentences(text), 1))
