"""Words with their vectors, in memory and in files.

vectors -- words and a row for each
files -- word2vec's text and binary formats, and GloVe's
"""
