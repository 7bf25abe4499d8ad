#!/bin/sh
# Litestar 2.25.0: OPTIONS names the methods of the first handler of a path alone.
#
# Two handlers may share a path, as GET and POST of a collection do. The handler that Litestar
# makes for OPTIONS is kept when the second is registered, and goes on telling what it was made
# with: "Allow: OPTIONS, POST", although GET is answered. Clients and checkers that trust the
# header (RFC 9110, 10.2.1) conclude that the collection cannot be read.
# Seen: GET answers 200 and is not in Allow.
# Exits with 0 while that is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'litestar==2.25.0' 'httpx==0.28.1'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from litestar import Controller, Litestar, get, post
from litestar.testing import TestClient


class Stones(Controller):
    path = "/stones"

    @post()
    async def add(self) -> None: ...

    @get()
    async def listed(self) -> list[str]:
        return []


with TestClient(Litestar([Stones])) as client:
    read = client.get("/stones").status_code
    allowed = client.options("/stones").headers["allow"]
print(read, allowed)
assert read == 200, "it has changed"
assert "GET" not in allowed, "it has changed"
PYTHON
