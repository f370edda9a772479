"""Groups that leave the function as it is: their size, their orbits, their limits."""
