"""What the site takes from the code and the results: written anew into docs/generated/ by every build."""
