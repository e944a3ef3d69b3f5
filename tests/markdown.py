"""The programs and commands that a page of Markdown shows."""

import re
import shlex


def blocks(page, language):
    """The blocks of code in a language, as the page has them."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


def commands(page):
    """The commands of each block of a shell, each as a list of words."""
    return [_commands(block) for block in blocks(page, "bash")]


def named_files(page):
    """Files of the repository that the page names by their paths from its root."""
    return sorted(set(re.findall(r"\b(?:experiments|configs|results|tests)/[\w/]+\.\w+", page)))


def _commands(block):
    lines = block.replace("\\\n", "").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]
