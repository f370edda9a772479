"""Embeddings of words, their algebra, and paths between them."""
