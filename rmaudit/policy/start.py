"""A policy file to begin with: the preset's settings, each with what it means."""

from __future__ import annotations

from rmaudit.policy.read import load_policy
from rmaudit.policy.shipped import DEFAULT_POLICY, PRESETS

_HEAD = """# yaml-language-server: $schema={schema}
# What a pipeline requires of an audited reward model. Use it with: rmaudit gate RUN --policy {name}
# Every key may be left out, and is then as in the preset. The keys of measurement (margins, bands) may be set here too,
# and take effect when a run is scanned. `rmaudit probes list` shows the probes.
name: release
version: 1
preset: {preset}

"""


def policy_file(preset: str, name: str, schema: str) -> str:
    """Text of a commented policy file in YAML with the preset's values.

    Args:
        preset: name of the preset.
        name: the file's own name, for its first lines.
        schema: where an editor finds its JSON Schema, relative to the file.

    Raises:
        UsageError: when there is no such preset.
    """
    gate = load_policy(preset=preset).gate.model_dump(mode="json")
    lines = DEFAULT_POLICY.read_text(encoding="utf-8").split("\n")
    section = lines[lines.index("gate:") :]
    changed = PRESETS[preset] is not None
    return _HEAD.format(name=name, preset=preset, schema=schema) + "\n".join(
        _with_value(line, gate) if changed else line for line in section
    )


def _with_value(line: str, values: dict[str, object]) -> str:
    """A line of the section with the preset's value in place of the default one."""
    key, separator, _ = line.strip().partition(":")
    if line.startswith("  #") or not separator:
        return line
    value = values.get(key) if line.startswith("  ") and not line.startswith("   ") else None
    if line.startswith("    "):
        baseline = values["baseline"]
        value = baseline.get(key) if isinstance(baseline, dict) else None
    if value is None or isinstance(value, dict):
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}{key}: {_yaml(value)}"


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value)
