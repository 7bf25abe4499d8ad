"""The bill of materials: what `make sbom` adds to what cyclonedx-py finds, and checks by
CycloneDX's own schema in the environment of audits."""

import json
from importlib.metadata import version

import pytest

from scripts import sbom


def bill(*parts: tuple[str, str]) -> dict:
    return {
        "metadata": {
            "component": {"bom-ref": "root", "name": "diamond_pricing"},
            "tools": {"components": [{"name": "tool"}]},
        },
        "components": [
            {
                "bom-ref": name,
                "name": name,
                "version": version,
                "externalReferences": [
                    {"url": f"https://{host}/{name}", "type": "website"}
                    for host in ("example.org", "pypi" + ".org", "files.pythonhosted" + ".org")
                ],
            }
            for name, version in parts
        ],
        "dependencies": [{"ref": "root", "dependsOn": [name for name, _ in parts]}],
    }


@pytest.fixture(scope="module")
def made() -> dict:
    return sbom.completed(
        bill(*((name, version(name)) for name in ("click", "Jinja2", "numpy")))
    )


def test_every_part_has_version_hashes_and_licence(made):
    assert len(made["components"]) == 6
    for part in made["components"]:
        assert part["version"]
        assert {one["alg"] for one in part["hashes"]} == {"SHA-256"}
        (licence,) = part["licenses"]
        assert licence.get("expression") or licence["license"]["id"]


def test_it_names_what_the_wheel_holds_of_others(made):
    names = {part["name"] for part in made["components"]}
    assert {"htmx.org", "swagger-ui-dist", "catalog.csv.xz"} <= names
    (root,) = (one for one in made["dependencies"] if one["ref"] == "root")
    assert set(root["dependsOn"]) == {part["bom-ref"] for part in made["components"]}


def test_it_names_no_registry(made):
    assert "example.org" in json.dumps(made)
    assert not sbom.REGISTRIES.search(json.dumps(made))


def test_the_same_parts_have_the_same_number(made):
    again = bill(*((name, version(name)) for name in ("click", "Jinja2", "numpy")))
    assert sbom.completed(again)["serialNumber"] == made["serialNumber"]
    assert sbom.completed(bill())["serialNumber"] != made["serialNumber"]


def test_a_package_that_is_not_locked_has_no_place_in_it():
    with pytest.raises(SystemExit, match=r"click 0\.1 is not in requirements\.lock"):
        sbom.completed(bill(("click", "0.1")))
