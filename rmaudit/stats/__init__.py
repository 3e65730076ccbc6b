"""Statistics as pure functions on arrays: no input or output, no thresholds, no state.

    intervals       means, proportions, ratios and any other statistic with an interval, by cluster
    permutation     sign-flip test of a paired effect, max-t test between groups
    equivalence     tests that an effect is small
    multiplicity    p values corrected for how many there are
    effects         win probability and flip rate
    ruler           within-prompt SD, gold pairs, temperature
    power           what an interval can clear, clusters that would settle a verdict
    rate            effects of an attribute from rewrites and rewrites of rewrites
    spike           repeats of a run with a known effect added

The unit of inference is always the cluster (the source prompt that items were made from), never the item.
Every function takes a difference of rewards on any scale: where the result has no unit, it does not change
when the rewards are rescaled.
"""
