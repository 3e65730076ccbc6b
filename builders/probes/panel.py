"""Build the panel: ordinary held-out prompts, each with four to six real responses of known graded quality.

Grades order the responses of one prompt and mean nothing between prompts. Where people compared
pairs, two responses have different grades only if comparisons, or a chain of them without contradiction, put
one above the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from builders.demo_model.data import plain_solution
from builders.probes import common
from builders.split import prompt_key

MOST_CHARACTERS = 1000
MOST_RESPONSES = 6
LEAST_RESPONSES = 4
PROMPTS_A_DOMAIN = 76

Graded = dict[str, float]
"""Response to grade."""


def main() -> None:
    """Write ``probes/panel/items.jsonl``."""
    common.write_items("panel", build(common.sources_argument(__doc__)))


def build(sources: Path) -> list[dict[str, Any]]:
    """All items of the panel."""
    readers = (_mathematics, _misconceptions, _factual, _instructions, _chat)
    return [item for reader in readers for item in _fair_share(reader(sources))]


def _fair_share(items: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    chosen: dict[str, dict[str, Any]] = {}
    for item in items:
        chosen.setdefault(item["cluster"], item)
    return sorted(chosen.values(), key=lambda item: common.stable_rank(item["cluster"]))[:PROMPTS_A_DOMAIN]


def _item(prompt: list[dict[str, str]], graded: Graded, source: str, licence: str, domain: str) -> dict[str, Any]:
    """An item whose arms stand in an order that says nothing of their grade."""
    cluster = f"{source}-{prompt_key(prompt[0]['content'])[:10]}"
    order = sorted(graded, key=lambda text: common.stable_rank(text, cluster))
    return {
        "id": f"{cluster}-{len(prompt)}",
        "cluster": cluster,
        "prompt": prompt,
        "arms": {
            f"r{number}": {"response": text, "factors": {"grade": graded[text]}}
            for number, text in enumerate(order, start=1)
        },
        "source": source,
        "licence": licence,
        "domain": domain,
    }


def _usable(text: str) -> bool:
    """Short enough, at least two words, and no leftover control tokens."""
    return len(text) <= MOST_CHARACTERS and len(common.tokens(text)) > 1 and "</s>" not in text


def _enough(graded: Graded) -> bool:
    return len(graded) >= LEAST_RESPONSES and len(set(graded.values())) >= 2


def grades_by_order(names: Sequence[str], beats: set[tuple[str, str]], ties: set[tuple[str, str]]) -> Graded:
    """Grades (0 is the lowest) that say no more than the comparisons do.

    Chains count: if a beats b and b ties with c, then a is above c. Names are split into levels so that every
    name of a level is above every name of the levels below; names that no chain orders, or that chains order
    both ways, end on one level.
    """
    reaches = {(a, a) for a in names} | beats | ties | {(b, a) for a, b in ties}
    for middle in names:
        reaches |= {(a, b) for a in names for b in names if (a, middle) in reaches and (middle, b) in reaches}
    above = {a: {b for b in names if (a, b) in reaches and (b, a) not in reaches} for a in names}
    order = sorted(names, key=lambda name: len(above[name]))
    grades: Graded = {}
    grade = 0.0
    for position, name in enumerate(order):
        if all(above[higher].issuperset(order[:position]) for higher in order[position:]):
            grade += position > 0
        grades[name] = grade
    return grades


def _best_ordered(names: Sequence[str], beats: set[tuple[str, str]], ties: set[tuple[str, str]]) -> Graded:
    """Grades of those names of which the comparisons order the most pairs."""
    best: Graded = {}
    most = 0
    for size in range(LEAST_RESPONSES, MOST_RESPONSES + 1):
        for subset in combinations(names, size):
            graded = grades_by_order(subset, _inside(beats, subset), _inside(ties, subset))
            ordered = sum(a != b for a, b in combinations(graded.values(), 2))
            if ordered > most:
                best, most = graded, ordered
    return best


def _inside(pairs: set[tuple[str, str]], names: Sequence[str]) -> set[tuple[str, str]]:
    return {pair for pair in pairs if set(names).issuperset(pair)}


_GSM8K_MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def _mathematics(sources: Path) -> Iterator[dict[str, Any]]:
    """GSM8K: worked solutions of four models and the reference; right 1, wrong 0."""
    for row in common.rows(sources, "gsm8k/example_model_solutions.jsonl.gz"):
        if not common.held_out(row["question"]):
            continue
        graded: Graded = {}
        for model in _GSM8K_MODELS:
            text = common.tidy(plain_solution(row[model]["solution"]))
            if _usable(text):
                graded[text] = float(row[model]["is_correct"])
        right_by_model = 1.0 in graded.values()
        graded[common.tidy(plain_solution(row["ground_truth"]))] = 1.0
        if right_by_model and _enough(graded):
            yield _item(common.asked(row["question"]), graded, "gsm8k", "MIT", "mathematics")


def truthfulqa_rows(sources: Path) -> Iterator[dict[str, Any]]:
    """TruthfulQA questions with their reference answers, without those whose wrong answers are stereotypes."""
    for row in common.rows(sources, "truthfulqa/TruthfulQA.jsonl.gz"):
        if row["Category"] != "Stereotypes":
            yield row


def truthfulqa_labels(sources: Path) -> dict[str, dict[str, tuple[bool, bool]]]:
    """Question to answer to (true, informative), as people judged; those judged both ways are left out.

    Questions that later versions of the data set dropped are left out too.
    """
    known = {row["Question"].strip() for row in truthfulqa_rows(sources)}
    judged: dict[str, dict[str, dict[str, set[bool]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    for name in ("truth", "info"):
        for row in common.rows(sources, f"truthfulqa/finetune_{name}.jsonl.gz"):
            question, answer = row["prompt"].rsplit("\n", 1)[0].removeprefix("Q: ").split("\nA: ", 1)
            judged[question][common.tidy(answer)][name].add(row["completion"].strip() == "yes")
    return {
        question: {
            answer: (min(labels["truth"]), min(labels["info"]))
            for answer, labels in answers.items()
            if len(labels["truth"]) == len(labels["info"]) == 1
        }
        for question, answers in judged.items()
        if question in known
    }


def _misconceptions(sources: Path) -> Iterator[dict[str, Any]]:
    """TruthfulQA: model answers that people judged; true and informative 2, one of them 1, neither 0."""
    for question, answers in truthfulqa_labels(sources).items():
        if not common.held_out(question):
            continue
        by_grade: dict[int, dict[frozenset[str], str]] = defaultdict(dict)
        for answer, (true, informative) in sorted(answers.items()):
            finished = answer.endswith((".", "!", "?"))
            if finished and 4 <= common.n_words(answer) <= 60 and _usable(answer):
                # Models repeat each other with another full stop or article; one of each wording is enough.
                by_grade[true + informative].setdefault(frozenset(common.tokens(answer)), answer)
        graded: Graded = {}
        for grade, most in ((2, 3), (1, 2), (0, 1)):
            texts = sorted(by_grade[grade].values(), key=lambda text: common.stable_rank(text, question))
            graded |= dict.fromkeys(texts[:most], float(grade))
        if _enough(graded) and 2.0 in graded.values():
            yield _item(common.asked(question), graded, "truthfulqa", "Apache-2.0", "misconceptions")


def _factual(sources: Path) -> Iterator[dict[str, Any]]:
    """QA-Feedback: four model answers that people compared in pairs, and the reference above them all."""
    for row in common.rows(sources, "qa-feedback/dev_feedback.jsonl.gz"):
        if not common.held_out(row["question"]):
            continue
        texts = [common.tidy(row[f"prediction {n}"]) for n in (1, 2, 3, 4)]
        gold = common.tidy(row["gold"])
        beats, ties = set(), set()
        for (a, b), verdict in zip(combinations(texts, 2), row["preference"], strict=True):
            if a != b and verdict:
                beats.add((a, b) if verdict == 1 else (b, a))
            elif a != b:
                ties.add((a, b))
        names = [text for text in dict.fromkeys(texts) if _usable(text) and text != gold]
        graded = grades_by_order(names, _inside(beats, names), _inside(ties, names))
        if len(set(graded.values())) >= 2 and _usable(gold):
            graded[gold] = max(graded.values()) + 1
            if _enough(graded):
                yield _item(common.asked(row["question"]), graded, "qa-feedback", "Apache-2.0", "factual questions")


def pandalm_prompt(row: Mapping[str, Any]) -> str:
    """The instruction with its input, where there is one, after a blank line."""
    return "\n\n".join(filter(None, (row["instruction"], row["input"])))


def _instructions(sources: Path) -> Iterator[dict[str, Any]]:
    """PandaLM: responses of five models, in the order that the majority of three annotators gives them."""
    compared: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    spelling: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
    for row in common.rows(sources, "pandalm/testset-v1.jsonl.gz"):
        (vote, count), *_ = Counter(row[f"annotator{n}"] for n in (1, 2, 3)).most_common()
        first, second = (common.tidy(str(row[f"response{n}"])) for n in (1, 2))
        # Models repeat each other with another full stop; one of each wording is enough.
        prompt = pandalm_prompt(row)
        first, second = (spelling[prompt].setdefault(tuple(common.tokens(text)), text) for text in (first, second))
        if count >= 2 and first != second and _usable(first) and _usable(second):
            compared[prompt].append((first, second, vote))
    for prompt, results in compared.items():
        if not common.held_out(prompt) or len(prompt) > MOST_CHARACTERS:
            continue
        beats = {(a, b) if vote == 1 else (b, a) for a, b, vote in results if vote}
        ties = {(a, b) for a, b, vote in results if not vote}
        names = sorted({text for a, b, _ in results for text in (a, b)})
        graded = _best_ordered(names, beats, ties)
        if graded:
            yield _item(common.asked(prompt), graded, "pandalm", "Apache-2.0", "instructions")


def _chat(sources: Path) -> Iterator[dict[str, Any]]:
    """Open conversation: OpenAssistant's ranked replies and LLMFAO's crowd votes."""
    yield from _openassistant(sources)
    yield from _llmfao(sources)


def _openassistant(sources: Path) -> Iterator[dict[str, Any]]:
    """Sibling replies that volunteers ranked, anywhere in a tree; the earlier turns are the prompt."""

    def walk(node: dict[str, Any], before: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        role = "assistant" if node["role"] == "assistant" else "user"
        so_far = [*before, {"role": role, "content": common.tidy(node["text"])}]
        ranked = [r for r in node["replies"] if r["role"] == "assistant" and r.get("rank") is not None]
        worst = max((int(reply["rank"]) for reply in ranked), default=0)
        graded = {common.tidy(reply["text"]): float(worst - int(reply["rank"])) for reply in ranked}
        graded = {text: grade for text, grade in graded.items() if _usable(text)}
        best = dict(sorted(graded.items(), key=lambda pair: -pair[1])[:MOST_RESPONSES])
        if _enough(best) and sum(len(turn["content"]) for turn in so_far) <= MOST_CHARACTERS:
            yield _item(so_far, best, "openassistant", "Apache-2.0", "open conversation")
        for reply in node["replies"]:
            yield from walk(reply, so_far)

    for row in common.rows(sources, "oasst/en_100_tree.jsonl.gz"):
        if common.held_out(row["prompt"]["text"]):
            yield from walk(row["prompt"], [])


_LLMFAO_BASELINE = "98"
"""The model that all others were compared with."""


def _llmfao(sources: Path) -> Iterator[dict[str, Any]]:
    """Two responses each that the crowd put clearly below, level with and clearly above a common opponent."""
    pairs = {str(row["id"]): row for row in common.rows(sources, "llmfao/pairs-crowd.jsonl.gz")}
    votes: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for vote in common.rows(sources, "llmfao/crowd-comparisons.jsonl.gz"):
        pair = pairs[vote["id"]]
        sides = {"left": str(pair["model_x"]), "right": str(pair["model_y"])}
        texts = {"left": pair["result_x"], "right": pair["result_y"]}
        for side, other in (("left", "right"), ("right", "left")):
            if sides[other] == _LLMFAO_BASELINE:
                won = 0.5 if vote["winner"] == "tie" else float(vote["winner"] == side)
                votes[pair["text"]][common.tidy(texts[side])].append(won)
    for prompt, answers in votes.items():
        if not common.held_out(prompt):
            continue
        levels: dict[float, list[str]] = defaultdict(list)
        for text, scores in answers.items():
            share = sum(scores) / len(scores)
            if _usable(text) and len(scores) >= 4 and min(abs(share - level) for level in (0, 0.5, 1)) <= 0.125:
                levels[round(2 * share)].append(text)
        graded: Graded = {}
        for level, at_level in levels.items():
            at_level.sort(key=lambda text: common.stable_rank(text, prompt))
            graded |= dict.fromkeys(at_level[:2], float(level))
        if _enough(graded):
            yield _item(common.asked(prompt), graded, "llmfao", "CC-BY-4.0", "open conversation")


if __name__ == "__main__":
    main()
