"""Reads what `modinfo --json` prints and writes the text that `modinfo` prints for the same modules.

Another program in another language: what it cannot write from the document, the document lacks.
"""

import json
import sys


def raw(text):
    """Bytes, of a string or of an object with their hexadecimal digits."""
    return bytes.fromhex(text["hex"]) if isinstance(text, dict) else text.encode()


def line(key, value):
    return (key + b":").ljust(16) + value + b"\n"


def colons(digits):
    return ":".join(digits[place:place + 2].upper() for place in range(0, len(digits), 2))


def signature(found):
    if found["signature"] is None:
        return
    yield line(b"sig_id", found["id_type"].encode())
    yield line(b"signer", raw(found["signer"] or ""))
    yield line(b"sig_key", colons(found["key_id"]).encode())
    yield line(b"sig_hashalgo", found["hash"].encode())
    digits = found["signature"]
    rows = [colons(digits[place:place + 40]) for place in range(0, len(digits), 40)]
    yield line(b"signature", ":\n\t\t".join(rows).encode())


def parameter(found):
    name, kind, description = (found[key] for key in ("name", "type", "description"))
    if kind is None:
        return line(b"parm", raw(name) + b":" + raw(description or ""))
    if description is None:
        return line(b"parm", raw(name) + b":" + raw(kind))
    return line(b"parm", raw(name) + b":" + raw(description) + b" (" + raw(kind) + b")")


def module(found):
    yield line(b"filename", raw(found["filename"]))
    for field in found["fields"]:
        key = raw(field["key"])
        # The parameters are told by themselves.
        if key not in (b"parm", b"parmtype"):
            yield line(key, raw(field["value"]))
    if found["signature"] is not None:
        yield from signature(found["signature"])
    yield from map(parameter, reversed(found["parameters"]))


document = json.load(sys.stdin.buffer)
assert (document["schema"], document["kind"]) == ("modutils/1", "modinfo"), document["schema"]
for each in document["modules"]:
    sys.stdout.buffer.writelines(module(each))
