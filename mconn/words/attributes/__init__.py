"""Words made of binary attributes: a distribution whose embeddings are known exactly.

model -- the probabilities, the rank, and all analogies
sampling -- counts and texts drawn from it
"""
