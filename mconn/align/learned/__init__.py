"""Matching that is learned by gradient steps on the loss on the line.

learn -- the steps, and the best element
jointly -- the element and the curve, in turns
descent -- the compiled programs and the optimisers
relaxed -- the group in which permutations are matrices
nearest -- the nearest group element, and its gradients
"""
