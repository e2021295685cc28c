"""Where one is led to: pages of this panel, and nothing that a browser could read as another host."""

import pytest

from control.local_path import local_path, path_of

PANEL = "https://panel.example"


@pytest.mark.parametrize(
    "path",
    [
        "/users/12/bindings?phone_system=3&extension=9",
        "/",
        "/oauth/authorize?redirect_uri=http%3A%2F%2Fsoftphone.localhost%3A8001%2Fcallback&state=a%5Cb%2F%2F",
        "/find?q=%22dairy%22",
    ],
)
def test_a_page_of_the_panel_is_where_one_was_going(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "trick",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https://evil.example",
        "https://panel.example@evil.example/",
        "//panel.example@evil.example",
        "/%2fevil.example",
        "/%2Fevil.example",
        "/%5cevil.example",
        "/%255cevil.example",
        "/%25252fevil.example",
        "/%09/evil.example",
        "/\t/evil.example",
        "/\n//evil.example",
        " //evil.example",
        "/ /evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
        None,
        "/" + "a" * 9000,
    ],
)
def test_t13_an_open_redirect_leads_to_the_default_page(trick: str | None) -> None:
    assert local_path(trick) == "/"


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/?next=/sign-in", "/sign-out", "/setup?token=x"])
def test_nobody_is_led_round_in_a_circle(path: str) -> None:
    assert local_path(path, "/home") == "/home"


def test_the_page_a_form_came_from_is_ours_or_none() -> None:
    assert path_of("https://panel.example/users?q=dan", PANEL) == "/users?q=dan"
    assert path_of("https://evil.example/users", PANEL) is None
    assert path_of("https://panel.example.evil.example/", PANEL) is None
    assert path_of("https://panel.example//evil.example", PANEL) is None
    assert path_of(None, PANEL) is None
