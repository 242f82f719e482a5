"""Whether `modinfo --json` says what `modinfo -0` says: facts.py JSON TEXT. Prints how many modules it compared."""

import json
import sys


def raw(text):
    return bytes.fromhex(text["hex"]) if isinstance(text, dict) else text.encode()


def colons(digits, line=None):
    pairs = [digits[at : at + 2].upper() for at in range(0, len(digits), 2)]
    line = line or max(len(pairs), 1)
    return ":\n\t\t".join(":".join(pairs[at : at + line]) for at in range(0, len(pairs), line)).encode()


def parameter(one):
    name, kind, description = (raw(one[key] or "") for key in ("name", "type", "description"))
    if one["type"] is None:
        return name + b":" + description
    if one["description"] is None:
        return name + b":" + kind
    return name + b":" + description + b" (" + kind + b")"


def facts_of_json(module):
    facts = [(b"filename", raw(module["filename"]))]
    facts += [(raw(field["key"]), raw(field["value"])) for field in module["fields"]]
    signature = module["signature"]
    if signature and signature["signature"] is not None:
        facts += [
            (b"sig_id", signature["id_type"].encode()),
            (b"signer", raw(signature["signer"] or "")),
            (b"sig_key", colons(signature["key_id"])),
            (b"sig_hashalgo", signature["hash"].encode()),
            (b"signature", colons(signature["signature"], 20)),
        ]
    return facts + [(b"parm", parameter(one)) for one in reversed(module["parameters"])]


def facts_of_text(text):
    modules = []
    for entry in text.split(b"\0")[:-1]:
        if entry.startswith(b"filename:       "):
            modules.append([])
        if entry.startswith((b"filename:       ", b"parm:           ")):
            key, value = entry.split(b":", 1)
            modules[-1].append((key, value.lstrip(b" ") if key == b"filename" else value[11:]))
        else:
            key, _, value = entry.partition(b"=")
            modules[-1].append((key, value))
    return modules


with open(sys.argv[1], "rb") as document, open(sys.argv[2], "rb") as text:
    ours, theirs = [facts_of_json(module) for module in json.load(document)["modules"]], facts_of_text(text.read())
for one, other in zip(ours, theirs):
    if one != other:
        sys.exit(f"{one[0][1].decode()}:\n{[fact for fact in one if fact not in other]}\n{[fact for fact in other if fact not in one]}")
if len(ours) != len(theirs):
    sys.exit(f"{len(ours)} modules and {len(theirs)}")
print(len(ours))
