"""Every template can be parsed, and holds neither a script nor a style of its own, which the policy would refuse."""

from __future__ import annotations

import re

import pytest

from enrichment_view.rendering import STATIC, TEMPLATES, _environment

every_template = pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.glob("*.html")))


@every_template
def test_it_is_a_template(name: str) -> None:
    assert _environment().get_template(name)


@every_template
def test_it_has_no_inline_script_style_or_handler(name: str) -> None:
    text = (TEMPLATES / name).read_text()
    scripts = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", text)
    assert scripts == []
    assert re.findall(r"\sstyle=|<style|\son[a-z]+=|javascript:", text) == []


@every_template
def test_it_asks_no_other_host_and_marks_nothing_as_safe(name: str) -> None:
    text = (TEMPLATES / name).read_text()
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", text) == []
    assert "| safe" not in text
    assert "autoescape false" not in text


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.iterdir()))
def test_a_static_file_asks_no_other_host_and_evaluates_nothing(name: str) -> None:
    text = (STATIC / name).read_text().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://|\beval\(|new Function", text) == []
