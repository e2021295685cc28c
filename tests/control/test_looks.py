"""What templates may use, and the frame every page stands in."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from control.looks import STATIC, fingerprints, flip_sort, icon, initials, query
from tests.control.shell import (
    EVENING,
    TEMPLATES,
    Banner,
    Reader,
    environment,
    impersonating,
    page,
    typed_text,
)

ALL_TEMPLATES = sorted(TEMPLATES.rglob("*.html"))


def drawn(text: str, **context: object) -> str:
    return environment(piece=text).get_template("piece.html").render(**context)


def test_a_static_file_has_a_new_address_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "app.css").write_text("a{}")
    before = fingerprints(tmp_path)["app.css"]
    (tmp_path / "app.css").write_text("b{}")
    assert fingerprints(tmp_path)["app.css"] != before
    assert drawn("{{ asset('app.css') }}") == f"/static/app.css?v={fingerprints(STATIC)['app.css']}"


def test_a_static_file_that_is_not_there_is_noticed() -> None:
    with pytest.raises(KeyError):
        drawn("{{ asset('missing.css') }}")


def test_an_icon_is_decoration_unless_it_has_words() -> None:
    assert 'aria-hidden="true"' in icon("cable")
    labelled = icon("cable", '"><script>')
    assert 'role="img"' in labelled
    assert "<script>" not in labelled


def test_a_misspelt_name_is_an_error_when_shown_and_false_when_asked() -> None:
    with pytest.raises(UndefinedError, match="nmae"):
        drawn("{{ me.nmae }}", me=Reader())
    assert drawn("{% if me.nickname %}x{% endif %}", me=Reader()) == ""


def test_a_query_keeps_what_holds_and_drops_what_is_gone() -> None:
    params = {"q": "dan & co", "sort": "name", "cursor": "abc"}
    assert query(params, sort="-name", cursor=None) == "?q=dan+%26+co&sort=-name"


def test_a_column_sorts_up_first_and_down_when_it_is_up() -> None:
    assert flip_sort(None, "name") == "name"
    assert flip_sort("name", "name") == "-name"
    assert flip_sort("-name", "name") == "name"


@pytest.mark.parametrize(("name", "mark"), [("Pia Pine", "PP"), ("Ada", "A"), ("", ""), ("Jan van der Berg", "JB")])
def test_initials(name: str, mark: str) -> None:
    assert initials(name) == mark


def test_lines_are_grouped_by_the_readers_days() -> None:
    lines = [{"at": EVENING}, {"at": EVENING - timedelta(hours=1)}, {"at": EVENING - timedelta(days=1)}]
    text = "{% for day, group in lines | by_day %}{{ day }}: {{ group | length }}; {% endfor %}"
    assert drawn(text, lines=lines, me=Reader(), now=EVENING) == "Friday 20 November: 2; Thursday 19 November: 1; "


def test_never_is_a_word_too() -> None:
    assert drawn("{{ none | when }}") == "Never"


@pytest.mark.parametrize("path", ALL_TEMPLATES, ids=lambda path: path.name)
def test_no_template_needs_more_than_the_strict_policy(path: Path) -> None:
    source = typed_text(path)
    assert not re.search(r"\sstyle=|<style|javascript:|\son[a-z]+=", source)
    assert re.findall(r"<script(?![^>]*\ssrc=)", source) == []
    assert re.findall(r'(?:src|href)="(?:https?:)?//', source) == []


@pytest.mark.parametrize("path", ALL_TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_posts_carries_both_hidden_fields(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    for form in re.findall(r'<form[^>]*method="(?:post|{{ method }})".*?</form>', source, re.DOTALL):
        if 'action="{{ answer.to }}"' in form or 'action="{{ back.to }}"' in form:
            # It is posted to an app, which nothing of ours is for.
            assert not re.search(r"guards|csrf|acting|<input", form)
        elif "guards()" not in form:
            assert "csrf_field()" in form
            assert "acting_field()" in form or 'action="/sign-in' in form or 'action="/setup' in form


def test_the_bar_of_an_impersonation_names_both_and_has_the_way_out() -> None:
    html = page(banner=impersonating())
    bar = html[html.index('data-stand-in="impersonation"') : html.index("</section>")]
    for said in ("Pia Pine", "Dan Dale", "dan@dairy.example", "ext 101", "Dairy", "14:32 left"):
        assert said in bar
    assert re.search(r'<form method="post" action="/impersonation/stop">.*Stop impersonating', bar, re.DOTALL)
    assert 'name="_csrf_token" value="token-of-pia"' in bar
    assert 'name="_acting" value="12"' in bar
    assert "<title>(as Dan Dale) 2" in html
    assert html.count('action="/impersonation/stop"') == 2  # in the bar and in the account menu
    assert 'href="/account"' not in html, "their account is not opened to who stands in"
    assert 'action="/account/theme"' not in html


def test_the_bar_of_a_binding_says_whom_the_apps_see() -> None:
    html = page(banner=Banner())
    assert "Your app logins open as <b>Dan Dale</b>, ext 101 at <b>Dairy</b>." in html
    assert re.search(r'data-stand-in="binding".*action="/bindings/77/release".*Remove binding', html, re.DOTALL)
    ending = page(banner=Banner(ends_at=EVENING + timedelta(hours=4)))
    assert "until 22:02 today." in ending


def test_a_stale_binding_says_why() -> None:
    html = page(banner=Banner(stale_reason="the extension was given to someone else."))
    assert "no longer works: the extension was given to someone else." in html


def test_a_page_without_a_stand_in_has_no_bar() -> None:
    assert "data-stand-in" not in page()


@pytest.mark.parametrize("frame", ["base.html", "plain.html", "error.html"])
def test_every_frame_shows_the_bar(frame: str) -> None:
    html = page(f"{{% extends '{frame}' %}}", banner=impersonating(), status=404)
    assert html.count('data-stand-in="impersonation"') == 1


def test_names_are_text_wherever_they_stand() -> None:
    nasty = "<img src=x onerror=alert(1)>\"'\r\nSet-Cookie: a=b"
    bar = impersonating()
    bar.subject_name = bar.tenant = nasty
    html = page(banner=bar, me=Reader(name=nasty, tenant_name=nasty), title=nasty, toasts=[{"text": nasty}])
    assert "<img" not in html


def test_an_error_page_needs_nothing_at_all() -> None:
    html = drawn("{% extends 'error.html' %}", status=500)
    assert "Something went wrong here" in html
    assert "Sign out" not in html


def test_an_error_page_keeps_the_frame_of_who_is_signed_in() -> None:
    html = page("{% extends 'error.html' %}", status=403, rule="layer", sentence="Ask South.", request_id="r-1")
    assert "Ask South." in html
    assert "layer" in html
    assert 'class="side"' in html


def test_a_sortable_column_says_how_it_is_sorted_and_leads_to_the_other_way() -> None:
    html = page(
        "{% from 'macros/tables.html' import data_table with context %}"
        "{% call(row, key) data_table(columns, rows, 'x', '-number', {'q': '1'}) %}"
        "{{ row[key] }}{% endcall %}",
        columns=[{"key": "number", "label": "Number", "sort": True}, {"key": "user", "label": "User"}],
        rows=[{"number": "101", "user": "Dan & Dina"}],
    )
    assert '<th scope="col" class="" aria-sort="descending"><a href="?q=1&amp;sort=number">' in html
    assert '<th scope="row">101</th>' in html
    assert '<td class="" data-label="User">Dan &amp; Dina</td>' in html


def test_a_wrong_field_is_tied_to_what_is_wrong_with_it() -> None:
    html = page(
        "{% from 'macros/forms.html' import field with context %}"
        "{{ field('reason', 'Reason', value='<b>', error='Say why.', hint='Dan sees it.', required=true) }}"
    )
    assert 'aria-describedby="hint-reason error-reason" aria-invalid="true"' in html
    assert 'value="&lt;b&gt;"' in html


@pytest.mark.parametrize(("inline", "tag"), [("true", "section"), ("false", "dialog")])
def test_a_question_is_a_dialog_or_a_page_with_the_same_form(inline: str, tag: str) -> None:
    html = page(
        "{% from 'macros/forms.html' import dialog with context %}"
        "{% call dialog('bind', 'Bind me?', '/bindings', 'Bind me', inline=" + inline + ", cancel_href='/x') %}"
        "<p>5</p>{% endcall %}"
    )
    assert f'<{tag} id="bind" aria-labelledby="bind-heading"' in html
    assert '<form method="post" action="/bindings">' in html
    assert 'name="_csrf_token" value="token-of-pia"' in html


def test_what_was_and_what_is_can_be_heard_and_a_secret_is_not_told() -> None:
    html = page(
        "{% from 'macros/history.html' import diff with context %}{{ diff(changes) }}",
        changes=[
            {"label": "Ring time", "before": "15 s", "after": None},
            {"label": "Password", "secret": True, "before": "a", "after": "hunter2"},
        ],
    )
    assert '<del><span class="vh">was </span>15 s</del>' in html
    assert "empty" in html
    assert "hunter2" not in html
