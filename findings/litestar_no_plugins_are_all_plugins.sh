#!/bin/sh
# Litestar 2.25.0: an empty list of documentation plugins serves all of its documentation pages.
#
# OpenAPIConfig(render_plugins=[]) reads like "no pages", and a service that makes its own takes
# it for that. It is the same as the default: ReDoc at /schema, Swagger, Elements and RapiDoc
# beside it, each of which loads scripts or fonts from hosts of others. Naming
# JsonRenderPlugin() alone leaves the description and no page.
# Seen: with [] four pages of HTML that name foreign hosts; with [JsonRenderPlugin()] none.
# Exits with 0 while that is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'litestar==2.25.0' 'httpx==0.28.1'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import re

from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.testing import TestClient

PAGES = ("/schema", "/schema/swagger", "/schema/elements", "/schema/rapidoc")


def foreign(plugins):
    app = Litestar([], openapi_config=OpenAPIConfig("x", "1", render_plugins=plugins))
    with TestClient(app) as client:
        pages = [client.get(page) for page in PAGES]
    return sum(
        page.status_code == 200
        and "text/html" in page.headers["content-type"]
        and bool(re.search(r'(?:src|href)="https://', page.text))
        for page in pages
    )


found = foreign([]), foreign([JsonRenderPlugin()])
print(found)
assert found == (4, 0), "it has changed"
PYTHON
