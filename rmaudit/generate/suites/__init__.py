"""How the items of each suite are made: one module a suite, found by its name.

A module says ``FILES``, a `Recipe` for every item file of its suite.
"""
