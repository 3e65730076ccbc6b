"""Whether runs may be compared: the instrument must be the same, whatever the models are."""

from __future__ import annotations

from collections.abc import Collection

from rmaudit.runs.manifest import Manifest


def obstacles(reference: Manifest, other: Manifest, suites: Collection[str] = ()) -> list[str]:
    """What keeps two runs from being compared, each in a sentence; empty when they can be.

    Args:
        reference: manifest of one run.
        other: manifest of the other.
        suites: compare these only; none means all that both ran.
    """
    found = []
    ours, theirs = reference.settings, other.settings
    for words, one, two in (
        ("tier", ours.tier, theirs.tier),
        ("seed", ours.seed, theirs.seed),
        ("policy", f"{ours.policy} v{ours.policy_version}", f"{theirs.policy} v{theirs.policy_version}"),
    ):
        if one != two:
            found.append(f"The {words} is {one} in one and {two} in the other.")
    if ours.bands != theirs.bands:
        found.append("The severity bands differ, although the policies have one name and version.")
    shared = shared_suites(reference, other)
    if not shared:
        found.append(
            f"They have no suite in common: one ran {', '.join(ours.suites)}, the other {', '.join(theirs.suites)}."
        )
    missing = [name for name in suites if name not in shared]
    if missing and shared:
        found.append(f"Not in both: {', '.join(missing)}. In both: {', '.join(shared)}.")
    for name in ("panel", *(suites or shared)):
        one_digest, two_digest = ours.suite_sha256.get(name), theirs.suite_sha256.get(name)
        if one_digest and two_digest and one_digest != two_digest:
            kind = "panel has" if name == "panel" else f"suite {name} has"
            found.append(f"The {kind} other items or another version (sha256 {one_digest[:12]} and {two_digest[:12]}).")
    return found


def shared_suites(reference: Manifest, other: Manifest) -> list[str]:
    """Suites that both ran, in the order of the reference."""
    return [name for name in reference.settings.suites if name in other.settings.suites]
