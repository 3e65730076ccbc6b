"""Adding results to a model card's ``model-index`` without touching another byte of the card.

A YAML library that loads and dumps the whole front matter would lose comments, quotes and order. Here the parser only
says where the nodes stand, and the text between them stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import yaml

from rmaudit.errors import UsageError

# A block between two lines of three dashes, as huggingface_hub finds it.
_BLOCK: Final = re.compile(r"\A(\s*---(?:\r\n|\r|\n))(.*?)((?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|\Z))", re.DOTALL)
_EMPTY: Final = re.compile(r"\A(\s*---(?:\r\n|\r|\n))()(---[ \t]*(?:\r\n|\n|\Z))")

Result = dict[str, Any]


def with_results(card: str, name: str, results: Sequence[Result], ours: Callable[[Result], bool]) -> str:
    """Put results into the ``model-index`` of a card, in place of those that were put there before.

    Args:
        card: the card, front matter and text; a front matter is added where there is none.
        name: the model's name, used where the card has no ``model-index`` yet.
        results: entries of ``model-index[0].results``.
        ours: whether an entry found in the card is one of ours, and is to be replaced.

    Returns:
        The card. Everything else in it is as it was, byte by byte.

    Raises:
        UsageError: when the front matter cannot be read, or results cannot be added without touching the rest.
    """
    line = line_end(card)
    found = _BLOCK.match(card) or _EMPTY.match(card)
    if found is None:
        return f"---{line}{_new(name, results, line)}---{line}{card}"
    # With a line end behind the last line, every line is a whole one.
    front = found[2] + line if found[2] else ""
    before = _load(front)
    changed = _edited(front, before, name, results, ours, line)
    try:
        after = _load(changed)
    except UsageError:
        after = {}
    if _stripped(after, ours) != _stripped(before, ours) or _ours(after, ours) != list(results):
        raise UsageError(
            "The model card's front matter is written in a way to which results cannot be added without touching the"
            " rest of it. Write its model-index in block style, one key a line."
        )
    end = changed if not found[2] else changed.removesuffix(line)
    return card[: found.start(2)] + end + card[found.end(2) :]


def body_start(card: str) -> int:
    """Where the text of a card begins, behind its front matter."""
    found = _BLOCK.match(card) or _EMPTY.match(card)
    return found.end() if found else 0


def line_end(text: str) -> str:
    """The line end of a text: that of its first line."""
    return "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"


def _load(front: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(front)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        told = " ".join(str(error).split())[:200]
        raise UsageError(f"The model card's front matter is not valid YAML: {told}. Correct it first.") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UsageError("The model card's front matter is no mapping of keys to values. Correct it first.")
    index = data.get("model-index") or []
    if not _are_mappings(index) or not all(_are_mappings(entry.get("results") or []) for entry in index):
        raise UsageError("The model card's model-index is no list of entries with a list of results. Correct it first.")
    return data


def _are_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _edited(
    front: str, data: dict[str, Any], name: str, results: Sequence[Result], ours: Callable[[Result], bool], line: str
) -> str:
    """The front matter with our results in it, found by where the parser saw its nodes."""
    key, index = _child(yaml.compose(front, Loader=yaml.SafeLoader), "model-index")
    if key is None:
        return front + _new(name, results, line)
    if not data["model-index"]:
        return _filled(front, key, index, _dump([{"name": name, "results": list(results)}], line))
    label, sequence = _child(index.value[0], "results")
    if label is None:
        raise UsageError("The model card's model-index has no results. Give its first entry a list of results.")
    found = data["model-index"][0]["results"]
    if not found:
        return _filled(front, label, sequence, _dump(results, line, " " * label.start_mark.column))
    stale = [ours(entry) for entry in found]
    return (_in_flow if sequence.flow_style else _in_block)(front, sequence.value, results, stale, line)


def _filled(front: str, key: yaml.Node, value: yaml.Node, lines: str) -> str:
    """Put lines below a key that has no value, or an empty one; a comment beside it stays there."""
    front = _replaced(front, key.end_mark.index + 1, value.end_mark.index, "")
    place = front.index("\n", key.end_mark.index) + 1
    return _replaced(front, place, place, lines)


def _new(name: str, results: Sequence[Result], line: str) -> str:
    return _dump({"model-index": [{"name": name, "results": list(results)}]}, line)


def _in_block(
    front: str, items: Sequence[yaml.Node], results: Sequence[Result], stale: Sequence[bool], line: str
) -> str:
    """Put results where ours stood before, or else behind the others."""
    dashes = [front.rindex("-", 0, item.start_mark.index) for item in items]
    starts = [_line_start(front, dash) for dash in dashes]
    ends = [_end(front, item) for item in items]
    place = next((start for start, old in zip(starts, stale, strict=True) if old), ends[-1])
    for start, end, old in reversed(list(zip(starts, ends, stale, strict=True))):
        if old:
            front = _replaced(front, start, end, "")
    return _replaced(front, place, place, _dump(results, line, " " * (dashes[0] - starts[0])))


def _in_flow(
    front: str, items: Sequence[yaml.Node], results: Sequence[Result], stale: Sequence[bool], line: str
) -> str:
    """The same between square brackets, where entries stand as JSON, which is YAML too."""
    del line
    kept = [
        front[item.start_mark.index : item.end_mark.index] for item, old in zip(items, stale, strict=True) if not old
    ]
    added = [json.dumps(result, ensure_ascii=False) for result in results]
    return _replaced(front, items[0].start_mark.index, items[-1].end_mark.index, ", ".join(kept + added))


def _child(node: yaml.Node | None, name: str) -> tuple[yaml.Node | None, Any]:
    """Key and value nodes of a mapping's entry."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return key, value
    return None, None


def _end(front: str, node: yaml.Node) -> int:
    """Where the lines of a node end; its own mark may stand behind comments that follow it."""
    last = node
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:
        entry = last.value[-1]
        last = entry[1] if isinstance(entry, tuple) else entry
    place: int = last.end_mark.index
    if place == _line_start(front, place) and place > last.start_mark.index:
        return place
    end = front.find("\n", place)
    return len(front) if end < 0 else end + 1


def _line_start(front: str, place: int) -> int:
    return front.rfind("\n", 0, place) + 1


def _replaced(front: str, start: int, end: int, text: str) -> str:
    return front[:start] + text + front[end:]


def _stripped(data: dict[str, Any], ours: Callable[[Result], bool]) -> Any:
    """A front matter without our results, and without what only holds them."""
    index = data.get("model-index")
    if not isinstance(index, list) or not index:
        return {key: value for key, value in data.items() if key != "model-index"}
    kept = [
        {**entry, "results": [result for result in entry.get("results") or [] if not ours(result)]} for entry in index
    ]
    if len(kept) == 1 and not kept[0]["results"]:
        return {key: value for key, value in data.items() if key != "model-index"}
    return data | {"model-index": kept}


def _ours(data: dict[str, Any], ours: Callable[[Result], bool]) -> list[Result]:
    return [result for entry in data.get("model-index") or [] for result in entry.get("results") or [] if ours(result)]


def _dump(value: Any, line: str, indent: str = "") -> str:
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)
    return "".join(f"{indent}{row}{line}" for row in text.removesuffix("\n").split("\n"))


class _Dumper(yaml.SafeDumper):
    """Metrics take a line each, so that the front matter stays short."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        """Write a metric in one line and every other mapping in lines of its own."""
        return super().represent_mapping(tag, mapping, flow_style="value" in mapping)

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value where it stands."""
        return True
