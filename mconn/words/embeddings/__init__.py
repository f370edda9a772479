"""Embeddings of words and contexts.

pmi -- pointwise mutual information, shifted, positive, smoothed
spectral -- its truncated singular value decomposition
exact -- SGNS on its exact objective, for small vocabularies
sampled -- SGNS on a text, with negative samples
subwords -- words as the mean of their n-grams, as in fastText
glove -- GloVe
rows -- steps on the rows that a batch touches
"""
