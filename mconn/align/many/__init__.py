"""Many networks at once.

universe -- every network's element to a common place, so that cycles compose to the identity
together -- the objective of all pairs, as a problem of moving one network onto all others
"""
