"""From a text to counts.

tokens -- a file or a stream as lists of words
vocabulary -- the words and how often they occur
windows -- which neighbours are contexts
cooccurrence -- how often a word and a context occur together
corpora -- the texts of the data folder
"""
