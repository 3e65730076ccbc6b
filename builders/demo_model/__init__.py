"""The small reward model that ships with rmaudit: its data, training, evaluation and card.

One command makes every shipped file: ``python -m builders.demo_model.train --sources DIR --out DIR``.
"""
