"""Write-verify settings as one text, ``max_pulses=50, width=200ns, gate_range=0.85..2.4``: in forms, plans, run files.

In place of the text, the name of a TOML file (``settings.toml``) stands for its section ``[write_verify]``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError, nearest
from mho.input_files import read_text
from mho.instruments.bench_file import Operation
from mho.procedures.quantities import parse_quantity
from mho.toml import load_toml

SUFFIX, SECTION = ".toml", "write_verify"
"""Of a file of settings, which may have other sections; a chip map is one, too."""

RANGE = ".."  # separator between the numbers of a setting with several


def read_settings(text: str | None, kind: type[WriteVerifySettings] = WriteVerifySettings) -> dict[str, Any]:
    """Parse the settings in a text and check each.

    Parameters
    ----------
    text : str or None
        ``name=value`` separated by commas; numbers with a unit or in SI units, several separated by ``..``. None and ""
        contain no settings. Or a TOML file with a section ``[write_verify]``.
    kind : type
        The settings' type, of a strategy with settings of its own.

    Raises
    ------
    InputError
        For an unknown or repeated setting, a value that is no such number or out of range, and a file that cannot be read.
    """
    if text is not None and text.strip().endswith(SUFFIX) and "=" not in text:
        return _of_file(text.strip(), kind)
    settings: dict[str, Any] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InputError(
                f"write_verify {text!r}: {name!r} is no setting; write name=value, as max_pulses=50"
            )
        if name in settings:
            raise InputError(f"write_verify {text!r} names {name} twice")
        settings[name] = _value(name, value, kind)
    _checked(kind(), settings)
    return settings


def verified_needs(
    needs: tuple[Operation, ...], text: str | None, kind: type[WriteVerifySettings] = WriteVerifySettings
) -> tuple[Operation, ...]:
    """Return the operations that a procedure needs whose cells are verified as settings in a text say.

    Lines that are verified at once take `multiply` in place of `read`. What a chip map says of it is not looked at. `kind`
    and the errors are those of `read_settings`.
    """
    if read_settings(text, kind).get("verify", "cell") == "cell":
        return needs
    return (*(one for one in needs if one != "read"), "multiply")


VERIFIED = "where write_verify says verify = row or hadamard, which takes it in place of `read`"
"""When `verified_needs` asks for `multiply`, as of `Procedure.may_need`."""


def settings_in_use(
    on_chip: WriteVerifySettings, text: str | None, kind: type[WriteVerifySettings] = WriteVerifySettings,
    strategy: str | None = None,
) -> WriteVerifySettings:  # fmt: skip
    """Return the settings of a run: the chip map's, replaced by those in a text and the name of a strategy.

    `kind` and the errors are those of `read_settings`. What tells a formed cell from a virgin one is the chip's: settings
    that would take the one for the other are refused.
    """
    named = {} if strategy is None else {"strategy": strategy}
    settings = _checked(kind(**dict(on_chip)), read_settings(text, kind) | named)
    if settings.formed_above > on_chip.formed_above:
        raise InputError(
            f"write_verify formed_above is {settings.formed_above:g} S, and by the chip map a cell that conducts "
            f"{on_chip.formed_above:g} S is formed: it would be formed again; leave the setting out, or change the chip map"
        )
    check_forming_gate(settings.forming_gate, on_chip, "write_verify forming_gate")
    return settings


def check_forming_gate(gate: float, on_chip: WriteVerifySettings, name: str) -> None:
    """Raise `InputError` for a gate voltage (V) at which no read could tell that forming is over."""
    if gate < on_chip.least_forming_gate:
        raise InputError(
            f"{name} is {gate:g} V, below the {on_chip.least_forming_gate:g} V of the chip map: a formed cell may conduct "
            "so little there that it reads as a virgin one, and the ramp would go on until it is destroyed; give "
            f"{on_chip.least_forming_gate:g} V or more"
        )


def settings_text(settings: WriteVerifySettings) -> str:
    """Format all settings as `read_settings` parses them, in SI units; empty tables are left out."""
    return ", ".join(f"{name}={_text(value)}" for name, value in settings if value != ())


def _of_file(path: str, kind: type[WriteVerifySettings]) -> dict[str, Any]:
    """Return the settings in a file's section, checked."""
    text = read_text(Path(path), InputError, f"cannot read write-verify settings {path}")
    section = load_toml(text, path, InputError).get(SECTION)
    if not isinstance(section, dict):
        raise InputError(f"{path} has no section [{SECTION}]; put the settings there, as in a chip map")
    for name in section:
        _check_known(name, kind)
    settings = {name: tuple(one) if isinstance(one, list) else one for name, one in section.items()}
    _checked(kind(), settings)
    return settings


def _check_known(name: str, kind: type[WriteVerifySettings]) -> None:
    fields = kind.model_fields
    if name not in fields:
        meant = nearest(name, fields, otherwise=f"there are {', '.join(fields)}")
        raise InputError(f"write_verify has no setting {name!r}; {meant}")


def _value(name: str, text: str, kind: type[WriteVerifySettings]) -> Any:
    _check_known(name, kind)
    field = kind.model_fields[name]
    if isinstance(field.default, str):
        return text
    extra = field.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    several = isinstance(field.default, tuple)
    numbers = [parse_quantity(one, unit, f"write_verify {name}") for one in text.split(RANGE)]
    if not several and len(numbers) > 1:
        raise InputError(f"write_verify {name} is {text!r}; it is one number")
    whole = [int(one) if isinstance(field.default, int) and one.is_integer() else one for one in numbers]
    return tuple(whole) if several else whole[0]


def _checked(base: WriteVerifySettings, changed: dict[str, Any]) -> WriteVerifySettings:
    try:
        return type(base)(**{**dict(base), **changed})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        given = f" is {_text(changed[name])}" if name in changed else ""
        raise InputError(
            f"write_verify {name}{given}: {first['msg'].removeprefix('Value error, ')}"
        ) from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return RANGE.join(f"{one!r}" for one in value) if isinstance(value, tuple) else f"{value!r}"
