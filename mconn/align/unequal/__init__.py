"""Networks of two widths, and units that have no partner.

match -- soft and hard maps between a network and a wider one, merged in either architecture
methods -- how a map is chosen: semi-permutation, assignment, transport
activations, likeness -- what makes units of two widths alike
soft, widths -- how a map carries parameters from one width to another
partial -- units that stay unmatched, by a budget for every generator
"""
