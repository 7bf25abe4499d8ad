"""Complete the bill of materials that cyclonedx-py writes of an environment, and check it.

``cyclonedx-py environment … | python -m scripts.sbom > FILE`` adds the hashes of the lock, the
licences of docs/reference/licences.md, the files of others that the wheel holds, and the
project's own version. Run by ``make sbom``.
"""

import hashlib
import json
import re
import sys
import uuid
from typing import Any

from scripts.licences import rows
from scripts.locks import ROOT, canonical, hashes

REGISTRIES = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com))\b")
_VENDORED = ROOT / "diamond_pricing" / "web" / "page" / "static" / "vendor" / "README.md"
_SALES = ROOT / "diamond_pricing" / "stones" / "data" / "catalog.csv.xz"


def completed(bill: dict[str, Any]) -> dict[str, Any]:
    """Return the bill with what the environment does not know.

    Raises
    ------
    SystemExit
        When a package is not the lock's.
    """
    locked = hashes(ROOT / "requirements.lock")
    licences = {name: licence for name, (licence, _) in rows("Every package").items()}
    for part in bill["components"]:
        name = canonical(part["name"])
        known = locked.get((name, part["version"]))
        if not known:
            raise SystemExit(f"{name} {part['version']} is not in requirements.lock.")
        part["hashes"] = _hashes(known)
        part["licenses"] = _licensed(licences[name])
        part["externalReferences"] = _elsewhere(part)
    for tool in bill["metadata"].get("tools", {}).get("components", []):
        tool["externalReferences"] = _elsewhere(tool)
    own = bill["metadata"]["component"]
    text = (ROOT / "diamond_pricing" / "__init__.py").read_text()
    version = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    assert version is not None
    own["version"] = version[1]
    own["purl"] = f"pkg:pypi/diamond-pricing@{version[1]}"
    within = _within()
    bill["components"] += within
    for one in bill["dependencies"]:
        if one["ref"] == own["bom-ref"]:
            refs = {part["bom-ref"] for part in within}
            one["dependsOn"] = sorted({*one.get("dependsOn", []), *refs})
    bill["dependencies"] += [{"ref": part["bom-ref"]} for part in within]
    content = json.dumps(bill, sort_keys=True)
    bill["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, content).urn
    return bill


def _hashes(found: list[str]) -> list[dict[str, str]]:
    """One for each file of that version which the lock lets in."""
    return [{"alg": "SHA-256", "content": one} for one in found]


def _licensed(licence: str) -> list[dict[str, Any]]:
    if " " in licence or licence.startswith("LicenseRef-"):
        return [{"expression": licence, "acknowledgement": "concluded"}]
    return [{"license": {"id": licence, "acknowledgement": "concluded"}}]


def _elsewhere(part: dict[str, Any]) -> list[dict[str, Any]]:
    found = part.get("externalReferences", [])
    return [one for one in found if not REGISTRIES.search(one["url"])]


def _within() -> list[dict[str, Any]]:
    """Describe the files of others in the wheel."""
    found: dict[str, dict[str, Any]] = {}
    for line in _VENDORED.read_text().splitlines():
        row = re.fullmatch(r"\| (\S+) \| (\S+) (\S+) \| ([^,]+), .* \| ([0-9a-f]{64}) \|", line)
        if row is None:
            continue
        _, name, version, licence, digest = row.groups()
        purl = f"pkg:npm/{name}@{version}"
        part = found.setdefault(
            purl,
            {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": version,
                "purl": purl,
                "hashes": [],
                "licenses": _licensed(licence),
            },
        )
        part["hashes"] += _hashes([digest])
    digest = hashlib.sha256(_SALES.read_bytes()).hexdigest()
    sales = {
        "type": "data",
        "bom-ref": _SALES.name,
        "name": _SALES.name,
        "version": "2008",
        "hashes": _hashes([digest]),
        "licenses": _licensed("MIT"),
    }
    return [*found.values(), sales]


def main() -> None:
    """Read a bill, write it completed."""
    # Only the environment of the audit has it.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = json.dumps(completed(json.load(sys.stdin)), indent=1, sort_keys=True)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong:
        raise SystemExit(f"The bill is not valid CycloneDX 1.6: {wrong}")
    print(text)


if __name__ == "__main__":
    main()
