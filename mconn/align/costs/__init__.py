"""What makes two units alike.

weights, covariance -- their weights, plain or in the metric of what they read
activations, contribution -- their activations, alone or times their outgoing weights
similarity -- a matrix per generator, from a function of your own
"""
