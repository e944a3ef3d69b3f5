"""Code for the reproduction of the paper alone: its claims, approximations and Table 2, and times of other programs.

The scripts in ``experiments/`` import it; it is not installed with the package.
"""
