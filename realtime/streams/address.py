"""HOST:PORT as users write it, and what a failing socket means to them (any thread)."""

from __future__ import annotations

import argparse
import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from engines.errors import UserError

LOOPBACK: Final = "127.0.0.1"
_LARGEST_PORT: Final = 65535


@dataclass(frozen=True)
class Address:
    """A host by name or number, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read "HOST:PORT", "[IPV6]:PORT" or "PORT" (then the host is this machine's loopback).

    Raises argparse.ArgumentTypeError, for the parser of the command line.
    """
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not (port.isascii() and port.isdecimal()) or int(port) > _LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} has no port from 0 to {_LARGEST_PORT}; write HOST:PORT or PORT")
    if (":" in host and not bracketed) or (not host and text != port) or host == "[]":
        raise argparse.ArgumentTypeError(f"{text} is no HOST:PORT; an IPv6 address stands in brackets")
    return Address((host[1:-1] if bracketed else host) or LOOPBACK, int(port))


def at_usual_port(port: int) -> Callable[[str], Address]:
    """Return a reader like `parse_address` that takes a host alone, too, and this port then."""

    def parse(text: str) -> Address:
        alone = text.endswith("]") or not (":" in text or text.isdecimal())
        return parse_address(f"{text}:{port}" if text and alone else text)

    return parse


def resolve(option: str, address: Address, kind: socket.SocketKind) -> list[tuple[socket.AddressFamily, Address]]:
    """All places of the host, those of IPv4 first: what other programs mean by a name such as localhost.

    Raises UserError, naming `option`, if nobody knows the host. May take seconds.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=kind)
    except (OSError, UnicodeError) as error:
        raise UserError(f"{option} {address}: this host is not known here ({_reason(error)})") from error
    places = [(family, Address(_host(place), address.port)) for family, _, _, _, place in found]
    return sorted(dict.fromkeys(places), key=lambda place: place[0] != socket.AF_INET)


def is_loopback(address: Address) -> bool:
    """Whether only this machine reaches an address that was resolved."""
    return ip_address(address.host.partition("%")[0]).is_loopback


def socket_error(option: str, address: Address, error: OSError) -> UserError:
    """What to tell the user of a socket that cannot be had."""
    ways = {
        errno.EADDRINUSE: "another program uses this port; choose another one, or 0 for any that is free",
        errno.EACCES: "this port needs special rights; choose one above 1023",
        errno.EADDRNOTAVAIL: f"this machine has no such address; use {LOOPBACK}, or 0.0.0.0 for all there are",
    }
    return UserError(f"{option} {address}: {ways.get(error.errno or 0, _reason(error))}")


def _host(place: tuple[Any, ...]) -> str:
    """The number; of IPv6 on one network only (fe80::...) with the network's, without which it means nothing."""
    scope = f"%{place[3]}" if len(place) == 4 and place[3] else ""
    return f"{place[0]}{'' if '%' in place[0] else scope}"


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if number and number > 0 else str(getattr(error, "strerror", None) or error)
