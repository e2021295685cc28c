"""An address that somebody else gave us leads out to them and never to our neighbours. No test asks a name server."""

import asyncio
import gzip
import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from control import outbound
from control.outbound import Address, Answer, Hitch, NotDelivered, Outbound, Target, is_public
from tests.control.mail.post_office import self_made
from tests.control.receiver import Receiver, listening

PUBLIC = "93.184.216.34"
OURS = (
    "127.0.0.1",
    "127.8.9.10",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "224.0.0.251",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
)
THEIRS = (PUBLIC, "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


class Names:
    """A name server that says what a story wants, each time the next thing."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


class Noted(Outbound):
    """Connects to nobody: it notes where it would have."""

    def __init__(self, names: Names, *, loopback: bool = False, dead: frozenset[str] = frozenset()) -> None:
        super().__init__(loopback=loopback, resolve=names)
        self.reached: list[str] = []
        self.dead = dead

    async def _post(self, target: Target, address: Address, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.reached.append(str(address))
        if str(address) in self.dead:
            raise httpx.ConnectError("nobody there")
        return Answer(200, b"")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


async def hitch(house: Outbound, url: str) -> Hitch:
    with pytest.raises(NotDelivered) as refused:
        await house.post(url, b"", {})
    return refused.value.hitch


@pytest.mark.parametrize("address", OURS)
def test_our_neighbours_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", THEIRS)
def test_the_internet_is(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OURS)
async def test_a_name_that_leads_to_our_neighbours_is_refused_and_nobody_is_connected_to(address: str) -> None:
    house = Noted(Names([address]))
    assert await hitch(house, "https://app.example/logout") is Hitch.ADDRESS
    assert house.reached == []


@pytest.mark.parametrize("address", OURS)
async def test_so_is_the_bare_address(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    house = Noted(Names([PUBLIC]))
    assert await hitch(house, f"https://{host}/logout") is Hitch.ADDRESS
    with pytest.raises(NotDelivered):
        house.check(f"https://{host}/logout")
    assert house.reached == []


async def test_one_bad_address_among_good_ones_is_enough() -> None:
    house = Noted(Names([PUBLIC, "10.0.0.1"]))
    assert await hitch(house, "https://app.example/") is Hitch.ADDRESS
    assert house.reached == []


async def test_what_was_looked_at_is_what_is_connected_to_and_the_name_is_asked_once() -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    house = Noted(names)
    assert (await house.post("https://app.example/logout", b"", {})).status == 200
    assert (house.reached, names.asked) == ([PUBLIC], ["app.example"])
    assert await hitch(house, "https://app.example/logout") is Hitch.ADDRESS
    assert house.reached == [PUBLIC]


async def test_the_next_address_is_tried_where_nobody_is_at_the_first() -> None:
    house = Noted(Names([PUBLIC, "8.8.8.8"]), dead=frozenset({PUBLIC}))
    assert (await house.post("https://app.example/", b"", {})).status == 200
    assert house.reached == [PUBLIC, "8.8.8.8"]


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/logout",
        "ftp://app.example/",
        "file:///etc/passwd",
        "https://",
        "https:app.example",
        "https://user@app.example/",
        "https://user:secret@app.example/",
        "https://[fe80::1%25eth0]/",
        "https://app.example:99999/",
        "not an address",
        "",
    ],
)
async def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    house = Noted(Names([PUBLIC]))
    assert await hitch(house, url) is Hitch.ADDRESS
    assert house.reached == []


@pytest.mark.parametrize("host", ["localhost", "softphone.localhost", "LOCALHOST", "localhost."])
async def test_this_machine_is_for_the_demo_alone(host: str) -> None:
    names = Names([PUBLIC])
    outside, demo = Noted(names), Noted(names, loopback=True)
    for url in (f"https://{host}/", f"http://{host}/"):
        assert await hitch(outside, url) is Hitch.ADDRESS
        with pytest.raises(NotDelivered):
            outside.check(url)
        demo.check(url)
        await demo.post(url, b"", {})
    assert (outside.reached, demo.reached) == ([], ["127.0.0.1", "127.0.0.1"])
    assert names.asked == [], "what ends in localhost is this machine, whatever a name server says"


async def test_the_demo_still_asks_none_of_the_neighbours() -> None:
    demo = Noted(Names(["10.0.0.1"]), loopback=True)
    assert await hitch(demo, "https://app.example/") is Hitch.ADDRESS
    assert await hitch(demo, "http://app.example/") is Hitch.ADDRESS
    assert await hitch(demo, "http://10.0.0.1/") is Hitch.ADDRESS
    assert demo.reached == []


async def test_a_name_that_nobody_knows_has_no_address() -> None:
    async def nobody(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    assert await hitch(Outbound(loopback=False, resolve=nobody), "https://app.example/") is Hitch.ADDRESS
    assert await hitch(Noted(Names([])), "https://app.example/") is Hitch.ADDRESS


async def test_a_form_arrives_as_it_was_sent(receiver: Receiver) -> None:
    receiver.body = b"thank you"
    answer = await Outbound(loopback=True).post_form(receiver.address, {"logout_token": "a.b+c/d=&e"})
    assert (answer.status, answer.body) == (200, b"thank you")
    came = receiver.came[0]
    assert came.line == "POST /backchannel-logout HTTP/1.1"
    assert came.form == {"logout_token": "a.b+c/d=&e"}
    assert came.headers["content-type"] == "application/x-www-form-urlencoded"
    assert came.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = "307 Temporary Redirect", {"Location": f"{receiver.address}?again"}
    answer = await Outbound(loopback=True).post_form(receiver.address, {})
    assert (answer.status, len(receiver.came)) == (307, 1)


async def test_a_proxy_of_the_environment_is_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert (await Outbound(loopback=True).post_form(receiver.address, {})).status == 200


async def test_of_a_long_answer_the_beginning_is_read_and_nothing_is_unpacked(receiver: Receiver) -> None:
    receiver.body = b"x" * 1_000_000
    answer = await Outbound(loopback=True).post_form(receiver.address, {})
    assert len(answer.body) == outbound.MOST_OF_AN_ANSWER
    receiver.body, receiver.headers = gzip.compress(b"x" * 1_000_000), {"Content-Encoding": "gzip"}
    answer = await Outbound(loopback=True).post_form(receiver.address, {})
    assert answer.body == receiver.body
    assert receiver.came[-1].headers["accept-encoding"] == "identity"


async def test_who_does_not_answer_is_not_waited_for(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "ANSWER_WITHIN", 0.1)
    receiver.silent = True
    assert await hitch(Outbound(loopback=True), receiver.address) is Hitch.TIME


async def test_neither_is_who_names_names_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr(outbound, "ANSWER_WITHIN", 0.05)
    assert await hitch(Outbound(loopback=False, resolve=slow), "https://app.example/") is Hitch.TIME


async def test_what_comes_back_may_be_no_answer(receiver: Receiver) -> None:
    receiver.raw = b"220 mail.story ESMTP\r\n"
    assert await hitch(Outbound(loopback=True), receiver.address) is Hitch.ANSWER
    receiver.raw = b""
    assert await hitch(Outbound(loopback=True), receiver.address) is Hitch.ANSWER


async def test_where_nobody_listens_nothing_arrives() -> None:
    async with listening() as gone:
        pass
    assert await hitch(Outbound(loopback=True), gone.address) is Hitch.CONNECTION


async def test_the_certificate_has_to_be_the_names_own(tmp_path: Path) -> None:
    paper = self_made(tmp_path, "app.example")
    believed = ssl.create_default_context(cafile=str(paper.file))
    house = Outbound(loopback=True, resolve=Names(["127.0.0.1"]), tls=believed)
    async with listening(paper.server) as app:
        url = f"https://app.example:{app.port}/logout"
        assert (await house.post(url, b"", {})).status == 200
        assert app.came[0].headers["host"] == f"app.example:{app.port}"
        assert await hitch(house, url.replace("app.example", "other.example")) is Hitch.CONNECTION
        assert await hitch(Outbound(loopback=True, resolve=Names(["127.0.0.1"])), url) is Hitch.CONNECTION
        assert len(app.came) == 1
