"""What this paper alone needs: its claims, the study of its approximations, its Table 2, and times beside its peers.

The scripts in ``experiments/`` import it; it is not installed with the package.
"""
