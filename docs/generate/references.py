"""Resolves the names that docstrings mark with single backticks."""

from sphinx.util.nodes import make_refnode


def resolve(app, env, node, contnode):
    """A link to the one object whose full name ends with the name in the docstring; plain text if there is none."""
    if node.get("refdomain") != "py" or node.get("reftype") != "obj":
        return None
    target = node["reftarget"].removesuffix("()")
    objects = env.get_domain("py").objects
    matches = [name for name in objects if name == target or name.endswith(f".{target}")]
    if not matches:
        return contnode
    # Of several, the one nearest to where it is named: in the same module, if it is there.
    module = node.get("py:module") or ""
    name = min(matches, key=lambda each: (not each.startswith(module), len(each), each))
    entry = objects[name]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, name)
