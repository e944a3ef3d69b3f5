"""Writes what the site takes from the code and the results into docs/generated/, at every build."""
