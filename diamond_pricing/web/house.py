"""What stands on a client's sheet of the house itself: name, address, logo, terms."""

import base64
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Annotated

import msgspec

from diamond_pricing.errors import ServiceError
from diamond_pricing.registry.store import Store

FILE = "house.toml"
LARGEST = 256 << 10  # bytes of a logo
_MEDIA = {".png": "image/png", ".svg": "image/svg+xml"}
Text = Annotated[str, msgspec.Meta(max_length=200)]


class House(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The house that quotes, from ``house.toml``."""

    name: Text = ""
    address: Text = ""
    contact: Text = ""  # also whom the desk asks for a price by hand
    # At the end of each sheet; how long a quote holds; a PNG or SVG file beside house.toml.
    terms: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    valid_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    logo: Annotated[str, msgspec.Meta(pattern=r"^[\w.-]*$")] = ""
    drawing: bytes = b""  # of the logo; read, not declared

    @property
    def source(self) -> str:
        """The logo as the source of an image; empty without one."""
        media = _MEDIA.get(self.logo[-4:].lower(), "")
        return f"data:{media};base64,{base64.b64encode(self.drawing).decode()}" if media else ""

    @property
    def format(self) -> str:
        """``png``, ``svg`` or nothing."""
        return self.logo[-3:].lower() if self.logo else ""

    def valid_until(self, created: str) -> str:
        """The last day of a quote of a day; empty where it is not said."""
        if self.valid_days is None:
            return ""
        return (date.fromisoformat(created[:10]) + timedelta(self.valid_days)).isoformat()


def read_house(stores: Sequence[Store]) -> House:
    """Read ``house.toml`` and the logo from the first store that has one, if any has.

    Raises
    ------
    ServiceError
        For a file that is not valid, with what is wrong.
    """
    for store in stores:
        with suppress(FileNotFoundError):
            return _read(store, store.read(FILE))
    return House()


def _read(store: Store, data: bytes) -> House:
    try:
        house = msgspec.convert(tomllib.loads(data.decode("utf-8-sig")), House)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ServiceError(f"{store}: {FILE}: {error}.") from error
    if house.drawing:
        raise ServiceError(f"{store}: {FILE}: the field drawing is not known; name a logo.")
    if not house.logo:
        return house
    if house.logo[-4:].lower() not in _MEDIA:
        raise ServiceError(f"{FILE}: logo must be a .png or .svg file, not {house.logo!r}.")
    try:
        drawing = store.read(house.logo)
    except FileNotFoundError as error:
        raise ServiceError(f"{FILE}: there is no file {house.logo!r} beside it.") from error
    if len(drawing) > LARGEST:
        raise ServiceError(f"{FILE}: the logo has over {LARGEST >> 10} kB.")
    house = msgspec.structs.replace(house, drawing=drawing)
    with suppress(ImportError):  # a logo that the sheet could not be printed with is refused
        import typst

        text = "#image(bytes(json(bytes(sys.inputs.logo))), format: sys.inputs.format)"
        logo = msgspec.json.encode(list(house.drawing)).decode()
        given = {"logo": logo, "format": house.format}
        try:
            typst.compile(text.encode(), sys_inputs=given)
        except typst.TypstError as error:
            raise ServiceError(f"{FILE}: {house.logo} cannot be drawn: {error}") from error
    return house
