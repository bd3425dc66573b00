"""What the package says of itself: how it is cited, on which Pythons it runs, and what the next changelog will say."""

from __future__ import annotations

import re
import tomllib

import yaml
from repository import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FRAGMENTS = sorted(path for path in (ROOT / "changelog.d").iterdir() if path.name != ".gitignore")
CFF_KEYS = {
    "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license",
    "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact", "repository-code",
    "title", "type", "url", "version",
}  # fmt: skip
"""All that a file of Citation File Format 1.2.0 may say (its schema allows nothing else)."""


def test_the_citation_file_is_one_of_version_1_2_0_and_says_what_the_project_says():
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"authors", "cff-version", "message", "title"} <= set(told) <= CFF_KEYS
    assert told["cff-version"] == "1.2.0"
    assert told["type"] == "software"
    project = PROJECT["project"]
    assert (str(told["version"]), told["license"]) == (project["version"], project["license"])
    assert [one["name"] for one in told["authors"]] == [one["name"] for one in project["authors"]]
    assert f"Copyright (c) 2026 {project['authors'][0]['name']}" in (ROOT / "LICENSE").read_text("utf-8")
    assert all(isinstance(word, str) and word for word in told["keywords"])
    assert set(told["keywords"]) <= set(project["keywords"])


def test_the_pythons_it_names_are_those_it_takes_from_the_first_on():
    named = [
        int(found[1])
        for one in PROJECT["project"]["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", one))
    ]
    assert PROJECT["project"]["requires-python"] == f">=3.{named[0]}"
    assert named == list(range(named[0], named[-1] + 1))


def test_every_fragment_of_the_changelog_is_of_a_known_type_and_one_paragraph():
    known = [one["directory"] for one in PROJECT["tool"]["towncrier"]["type"]]
    assert known == ["added", "changed", "deprecated", "removed", "fixed", "security"]
    for path in FRAGMENTS:
        assert re.fullmatch(rf"(\+[a-z0-9-]+|\d+)\.({'|'.join(known)})(\.\d+)?\.md", path.name), path.name
        text = path.read_text("utf-8")
        assert re.fullmatch(r"\S[^\n]*[.)]\n", text), (
            f"{path.name}: one paragraph on one line, ended by a full stop"
        )
        assert text[0] not in "-*#", (
            f"{path.name}: no bullet and no heading, which the changelog has of its own"
        )


def test_the_changelog_has_the_place_where_fragments_go():
    settings = PROJECT["tool"]["towncrier"]
    page = (ROOT / settings["filename"]).read_text("utf-8")
    assert page.count(settings["start_string"]) == 1
