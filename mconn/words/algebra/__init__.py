"""The linear algebra of word vectors.

analogies -- 3CosAdd, 3CosMul and pair direction, for many questions at once
questions -- files of questions
evaluate -- accuracy, coverage and intervals by section
ties -- the expected accuracy where candidates are equally good
geometry -- directions, subspaces, parallelograms
information -- csPMI, and Allen and Hospedales' errors
"""
