"""The programs and commands that a page of Markdown shows."""

import re
import shlex
from pathlib import Path


def blocks(page, language):
    """The blocks of code in a language, as the page has them."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


def commands(page):
    """The commands of each block of a shell, each as a list of words."""
    return [_commands(block) for block in blocks(page, "bash")]


def expand(words):
    """The words of a command, with what a shell would put in place of patterns of paths."""
    return [path for word in words for path in _expand(word)]


def named_files(page):
    """Files of the repository that the page names by their paths from its root, but those that its build makes."""
    return sorted(set(re.findall(r"(?<!generated/)\b(?:experiments|configs|results|tests)/[\w/]+\.\w+", page)))


def _expand(word):
    if "*" not in word:
        return [word]
    paths = sorted(str(path) for path in Path().glob(word))
    assert paths, word
    return paths


def _commands(block):
    lines = block.replace("\\\n", "").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]
