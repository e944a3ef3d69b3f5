"""How long the acquisition methods take, and their peers: predictions to measure on, timing, and the cases measured.

Used by ``experiments/benchmark_acquisition.py``; nothing else imports it.
"""
