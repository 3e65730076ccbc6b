"""The audit, end to end: a source and suites become a run folder with a report.

checkpoint ──▶ model ─┐
                      ├─▶ plan ─▶ scores ─▶ ruler, findings ─▶ report
probes ──▶ items ─────┘

`scanning` is the whole path, and each step has a file of its own: `selection` reads the probes, `scoring` fills
`scores.jsonl`, `trust` asks whether the model and its store are to be believed, `conclude` turns scores into the
report, `manifest` keeps what was asked for, and `recompute` repeats the last part for a finished run.
"""

from rmaudit.audit.recompute import verify
from rmaudit.audit.request import Request
from rmaudit.audit.scanning import run_folder, scan
from rmaudit.audit.selection import Selection, same_selection, select
from rmaudit.audit.trust import self_test_alone

__all__ = [
    "Request",
    "Selection",
    "run_folder",
    "same_selection",
    "scan",
    "select",
    "self_test_alone",
    "verify",
]
