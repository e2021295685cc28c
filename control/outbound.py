"""Requests to addresses that others gave us: an app's end, told of a logout; one day the receivers of webhooks.

Whoever registers an address may not make this house ask its own neighbours (SSRF). So the name is resolved here, every
address it has must be one of the public internet, and the connection goes to the very address that was looked at: a
name that answers differently the second time (DNS rebinding) is not asked a second time. No redirect is followed, no
proxy of the environment is used, and an answer is cut off when it is slow or long.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host name, as text. Raises OSError where there is none."""

CONNECT_WITHIN = 2.0
ANSWER_WITHIN = 5.0
"""Seconds for all of it: name, connection, request and answer."""
MOST_OF_AN_ANSWER = 16 * 1024
"""Bytes of an answer that are read; what comes after them is nobody's concern."""
MOST_ADDRESSES = 3
"""Of one name, tried one after the other."""
OURS = "Understudy"

_IPV4 = ipaddress.IPv4Network
_IPV6 = ipaddress.IPv6Network
GLOBAL_UNICAST = _IPV6("2000::/3")
NAT64 = _IPV6("64:ff9b::/96")
SIX_TO_FOUR = _IPV6("2002::/16")
NEVER = (
    _IPV4("100.64.0.0/10"),  # shared between a carrier's customers (RFC 6598)
    _IPV4("168.63.129.16/32"),  # a public address by which a cloud's machines ask for their metadata
    _IPV4("192.0.0.0/24"),  # protocols' own (RFC 6890), another cloud's metadata among them
    _IPV4("192.88.99.0/24"),  # relays of 6to4 (RFC 7526)
    _IPV6("2001::/23"),  # protocols' own (RFC 2928), Teredo among them, which wraps an IPv4 address
    _IPV6("2001:db8::/32"),  # documentation (RFC 3849)
    _IPV6("3fff::/20"),  # documentation (RFC 9637)
)
"""What some versions of Python's own lists take for public, or what is public and a machine's own all the same."""


class Hitch(StrEnum):
    """Why something did not arrive."""

    ADDRESS = "address"
    """It has no address, or one that this house does not send to."""
    CONNECTION = "connection"
    TIME = "time"
    ANSWER = "answer"
    """What came back is no answer."""


class NotDelivered(Exception):
    """Nothing arrived, or nobody said so."""

    def __init__(self, hitch: Hitch) -> None:
        super().__init__(hitch.value)
        self.hitch = hitch


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other end said: the status, and the beginning of the body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart: `host` is without a final dot and without the brackets of IPv6."""

    url: httpx.URL
    host: str
    port: int

    @classmethod
    def of(cls, text: str, *, loopback: bool) -> "Target":
        """Take it apart. Raises NotDelivered unless it is https, or http on this machine where that is allowed."""
        try:
            url = httpx.URL(text)
            host = url.raw_host.decode("ascii").strip("[]").rstrip(".").lower()
        except (httpx.InvalidURL, ValueError, TypeError):
            raise NotDelivered(Hitch.ADDRESS) from None
        if not host or url.userinfo or "%" in host or url.scheme not in {"https", "http"}:
            raise NotDelivered(Hitch.ADDRESS)
        if url.scheme == "http" and not (loopback and _on_this_machine(host)):
            raise NotDelivered(Hitch.ADDRESS)
        port = url.port if url.port is not None else 443 if url.scheme == "https" else 80
        if not 0 < port < 65536:
            raise NotDelivered(Hitch.ADDRESS)
        return cls(url, host, port)

    def at(self, address: Address) -> httpx.URL:
        """The same, with the address in the place of the name."""
        return self.url.copy_with(host=str(address), port=self.port)


class Outbound:
    """Posts to addresses that others gave us. `loopback` is the demo's: its apps run on this machine.

    `resolve` asks for the addresses of a name, `tls` says whose certificates are believed.
    """

    def __init__(self, *, loopback: bool, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.loopback = loopback
        self._resolve = resolve or ask_for_addresses
        self._tls_given = tls

    def check(self, url: str) -> None:
        """Raises NotDelivered for an address that is never sent to, as far as it tells without asking for its name."""
        target = Target.of(url, loopback=self.loopback)
        literal = _literal(target.host)
        if literal is not None:
            self._require(literal)
        elif _is_localhost(target.host) and not self.loopback:
            raise NotDelivered(Hitch.ADDRESS)

    async def post_form(self, url: str, fields: Mapping[str, str]) -> Answer:
        """Post a form. Raises NotDelivered."""
        body = str(httpx.QueryParams(dict(fields))).encode()
        return await self.post(url, body, {"Content-Type": "application/x-www-form-urlencoded"})

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post to where the name leads now. Raises NotDelivered; a redirect is an answer like any other."""
        target = Target.of(url, loopback=self.loopback)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                addresses = await self._addresses(target)
                return await self._first_that_answers(target, addresses, body, headers)
        except TimeoutError:
            raise NotDelivered(Hitch.TIME) from None

    async def _addresses(self, target: Target) -> list[Address]:
        """Where it leads. One address that is not allowed is enough: no honest name mixes them."""
        literal = _literal(target.host)
        if literal is not None:
            found = [literal]
        elif _is_localhost(target.host):
            # Never asked for: these names are this machine, whatever a name server says (RFC 6761 section 6.3).
            found = [ipaddress.IPv4Address("127.0.0.1")]
        else:
            try:
                found = [ipaddress.ip_address(text) for text in await self._resolve(target.host, target.port)]
            except (OSError, ValueError):
                raise NotDelivered(Hitch.ADDRESS) from None
        if not found:
            raise NotDelivered(Hitch.ADDRESS)
        for address in found:
            self._require(address)
        return found[:MOST_ADDRESSES]

    def _require(self, address: Address) -> None:
        if not (is_public(address) or (self.loopback and _is_loopback(address))):
            raise NotDelivered(Hitch.ADDRESS)

    async def _first_that_answers(
        self, target: Target, addresses: Sequence[Address], body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """One that cannot be connected to has got nothing, so the next is tried; whatever else is final."""
        for address in addresses:
            try:
                return await self._post(target, address, body, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            except httpx.TimeoutException:
                raise NotDelivered(Hitch.TIME) from None
            except (httpx.RemoteProtocolError, httpx.DecodingError):
                raise NotDelivered(Hitch.ANSWER) from None
            except httpx.HTTPError:
                raise NotDelivered(Hitch.CONNECTION) from None
        raise NotDelivered(Hitch.CONNECTION)

    async def _post(self, target: Target, address: Address, body: bytes, headers: Mapping[str, str]) -> Answer:
        sent = {"Host": target.url.netloc.decode("ascii"), "User-Agent": OURS, "Accept-Encoding": "identity"}
        # A client of its own: a connection kept open for one name must not serve another one at the same address.
        async with (
            httpx.AsyncClient(
                verify=self._tls,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(ANSWER_WITHIN, connect=CONNECT_WITHIN),
            ) as client,
            client.stream(
                "POST",
                target.at(address),
                content=body,
                headers=sent | dict(headers) | {"Connection": "close"},
                # The certificate has to be the name's, which is also what is asked for (SNI).
                extensions={"sni_hostname": target.host},
            ) as answer,
        ):
            return Answer(answer.status_code, await _beginning(answer))

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._tls_given or httpx.create_ssl_context(trust_env=False)


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, and what it wraps is as well."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = _wrapped(address)
        if wrapped is not None:
            return is_public(wrapped)
        if address not in GLOBAL_UNICAST:
            return False
    if any(address.version == network.version and address in network for network in NEVER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for: mapped, translated (NAT64, RFC 6052) or tunnelled (6to4)."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour if address in SIX_TO_FOUR else None


def _is_loopback(address: Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _on_this_machine(host: str) -> bool:
    literal = _literal(host)
    return _is_localhost(host) if literal is None else _is_loopback(literal)


async def _beginning(answer: httpx.Response) -> bytes:
    """As it came over the wire: nothing is unpacked, so that little cannot become much."""
    body = b""
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) >= MOST_OF_AN_ANSWER:
            break
    return body[:MOST_OF_AN_ANSWER]


_ASKING = ThreadPoolExecutor(8, thread_name_prefix="names")
"""Of their own: names that nobody answers for must not keep those waiting whose password is being checked."""


async def ask_for_addresses(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine's resolver orders them."""
    loop = asyncio.get_running_loop()
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await loop.run_in_executor(_ASKING, ask)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))
