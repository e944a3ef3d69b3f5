"""How far the approximations of a batch's total correlation are from it, and what each method's batches tell.

Used by ``experiments/approximation.py``; nothing else imports it.
"""
