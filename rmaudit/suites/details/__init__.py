"""Further numbers that stand beside a finding: one file each.

A detail never decides a verdict. A probe names the ones that it wants under ``details`` in its suite's file.
"""
