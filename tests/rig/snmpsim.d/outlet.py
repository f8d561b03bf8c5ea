"""Outlets for snmpsim: objects of one outlet that belong together. A line of a recording is

    OID|2:outlet|name=panda,on=1,off=2[,stuck=yes][,list=+-+]

A number written to one object of an outlet switches it, if it is that object's off or not, and all of
its objects tell the new state in their own numbers. A stuck outlet takes every request and stays as it
is. With `list` the object is a text with the states of all outlets that it names, `:` between. What is
asked for is printed as `SET OID VALUE`.
"""

from pysnmp.proto import rfc1902


def init(**context):
    moduleContext.setdefault("off", set())


def variate(oid, tag, value, **context):
    if not context["nextFlag"] and not context["exactMatch"]:
        return context["origOid"], tag, context["errorStatus"]
    keys = dict(part.split("=") for part in value.split(","))
    # Recordings are of different units.
    names = [context["dataFile"] + name for name in keys["name"].split(":")]
    off = moduleContext["off"]
    if context["setFlag"]:
        written = str(context["origValue"])
        print("SET", oid, written, flush=True)
        values = written.split(",") if len(names) > 1 else [written]
        if "stuck" not in keys:
            for name, wanted in zip(names, values):
                (off.add if wanted == keys["off"] else off.discard)(name)
        return oid, tag, context["origValue"]
    states = [keys["off" if name in off else "on"] for name in names]
    separator = {"comma": ",", "space": "  "}.get(keys.get("list"), "")
    if separator:
        return oid, "4", rfc1902.OctetString(separator.join(states))
    return oid, tag, int(states[0])


def shutdown(**context):
    pass
