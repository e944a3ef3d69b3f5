"""Run folders with something wrong, each from a seed."""

import json
import os
import random
import shutil

# What older versions did not write.
LATER_PARTS = ("data", "settings", "names")
LATER_FIELDS = (
    "acquisition.sampling",
    "acquisition.num_targets",
    "rounds_at_once",
    "compute_dtype",
    "posterior.members_at_once",
)


def spoil(folder, seed):
    """Changes something in ``folder``, or several things; says what."""
    choose = random.Random(seed)
    faults = choose.choices(FAULTS, weights=[weight for _, weight in FAULTS], k=choose.choice((1, 1, 1, 2)))
    return "; ".join(fault(folder, choose) or fault.__name__ for fault, _ in faults)


def _any_file(folder, choose):
    """A file, the two that say most more often than others; None if there is none."""
    named = [folder / name for name in ("config.json", "metrics.jsonl") if (folder / name).is_file()]
    every = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return choose.choice(named if named and choose.random() < 0.6 else every) if every else None


def remove_anything(folder, choose):
    path = choose.choice([path for path in sorted(folder.rglob("*")) if path.name != ".lock"] or [None])
    if path is not None:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return f"remove {path}"


def truncate(folder, choose):
    path = _any_file(folder, choose)
    if path is not None:
        data = path.read_bytes()
        path.write_bytes(data[: choose.randrange(len(data) + 1)])
    return f"truncate {path}"


def replace(folder, choose):
    """Puts another kind of thing in the place of a file or a folder of the run."""
    places = [path for path in sorted(folder.rglob("*")) if path.name != ".lock"]
    if not places:
        return None
    path = choose.choice(
        places[:40] if choose.random() < 0.5 else [place for place in places if place.parent == folder] or places
    )
    aside = folder.parent / f"{folder.name}-aside" / path.name
    aside.parent.mkdir(exist_ok=True)
    if os.path.lexists(aside):
        return None
    path.rename(aside)
    kind = choose.choice(("folder", "full folder", "binary", "empty", "dangling link", "link to it", "pipe"))
    match kind:
        case "folder":
            path.mkdir()
        case "full folder":
            path.mkdir()
            (path / "note.txt").write_text("mine")
        case "binary":
            path.write_bytes(choose.randbytes(choose.randrange(1, 500)))
        case "empty":
            path.write_bytes(b"")
        case "dangling link":
            path.symlink_to(folder / "nowhere")
        case "link to it":
            path.symlink_to(aside)
        case "pipe":
            os.mkfifo(path)
    return f"replace {path} by {kind}"


def edit_config(folder, choose):
    """Edits ``config.json`` as a user or another version might."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text())
        sections = [
            content,
            content["config"],
            *(part for part in content["config"].values() if isinstance(part, dict)),
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    within = choose.choice(sections)
    if not within:
        return None
    name = choose.choice(list(within))
    value = choose.choice((..., None, 7, -1, 0.5, True, "text", [1, 2], {}, {"a": {"b": 1}}, within[name]))
    if choose.random() < 0.3:
        name = "a_field_of_another_version"
    if value is ...:
        within.pop(name, None)
    else:
        within[name] = value
    path.write_text(json.dumps(content, indent=choose.choice((None, 2))))
    return f"set {name} in {path} to {value!r}"


def edit_metrics(folder, choose):
    """Edits lines of ``metrics.jsonl``."""
    path = folder / "metrics.jsonl"
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    if not lines:
        return None
    number = choose.randrange(len(lines))
    kind = choose.choice(
        ("twice", "lost", "blank", "blank end", "no end", "field lost", "field more", "not finite", "text")
    )
    match kind:
        case "twice":
            lines.insert(number, lines[number])
        case "lost":
            del lines[number]
        case "blank":
            lines.insert(number, "")
        case "blank end":
            lines += ["", "  "]
        case "text":
            lines[number] = choose.choice(("7", "null", "[]", "{}", '"a"', "{", "[" * 100_000))
        case "field lost" | "field more" | "not finite":
            try:
                record = json.loads(lines[number])
                name = choose.choice(list(record))
            except (ValueError, TypeError, IndexError):
                return None
            if kind == "field lost":
                # Seconds are the only fields that a line may lack.
                del record[name]
            elif kind == "field more":
                record["a_field_of_another_version"] = 1
            else:
                record["accuracy"] = float("nan")
            lines[number] = json.dumps(record)
    path.write_text("\n".join(lines) + ("" if kind == "no end" else "\n"))
    return f"{kind}, line {number} of {path}"


def make_older(folder, choose):
    """Leaves out what an older version did not write."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text())
        for name in choose.sample(LATER_PARTS, k=choose.randrange(len(LATER_PARTS) + 1)):
            content.pop(name, None)
        for field in choose.sample(LATER_FIELDS, k=choose.randrange(len(LATER_FIELDS) + 1)):
            *sections, last = field.split(".")
            within = content["config"]
            for section in sections:
                within = within[section]
            within.pop(last, None)
        path.write_text(json.dumps(content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return f"older {path}"


def add_something(folder, choose):
    """Puts something of the user's beside or among the files of the run."""
    parent = choose.choice(
        [folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir() and not path.is_symlink())]
    )
    name = choose.choice(("note.txt", "99", "99.json", "5.json", ".hidden", "damaged-2.json", "metrics.jsonl.old"))
    path = parent / name
    if os.path.lexists(path):
        return None
    if choose.random() < 0.5:
        path.write_text("mine")
    else:
        path.mkdir()
    return f"add {path}"


# With how often each occurs.
FAULTS = (
    (remove_anything, 3),
    (truncate, 4),
    (replace, 4),
    (edit_config, 4),
    (edit_metrics, 3),
    (make_older, 2),
    (add_something, 2),
)
