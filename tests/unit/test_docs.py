"""The documents name what there is: every setting, every command, every article."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.cli import COMMANDS
from terminal.settings import PROFILES
from terminal.settings.sections import READERS, defaults

ROOT = Path(__file__).parents[2]


def test_the_settings_reference_names_every_setting() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    sections = page.split("\n## ")
    for section, keys in READERS.items():
        heading = "policy.<function>" if section.startswith("policy.") else section
        text = next(part for part in sections if part.startswith(f"`[{heading}]`"))
        missing = [key for key in keys if f"`{key}`" not in text]
        assert not missing, f"[{section}] {missing}"


def documented_defaults() -> Iterator[tuple[str, str, str]]:
    """Section, setting and what the reference says of its default."""
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for part in page.split("\n## "):
        if heading := re.match(r"`\[(\w+)\]`", part):
            for row in re.findall(r"^\| `(\w+)` \| (.*?) \|", part, re.M):
                yield heading[1], row[0], row[1].replace("`, `", ",")


def test_the_settings_reference_says_the_true_defaults() -> None:
    seen = 0
    for section, key, said in documented_defaults():
        if key == "data_dir":
            continue  # by the custom of the system
        in_profiles = [defaults(section, profile)[key] for profile in PROFILES]
        if said == "by profile":
            assert len(set(in_profiles)) > 1, f"[{section}] {key} is the same in each profile"
        elif written := re.fullmatch("`([^`]*)`", said):
            read = READERS[section][key](written[1])
            assert [read] * len(PROFILES) == in_profiles, f"[{section}] {key}"
            seen += 1
        elif not said:
            assert not any(in_profiles), f"[{section}] {key} has a default"
    assert seen > 50


def test_the_command_reference_names_every_command() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"`ssct {name}" not in page] == []


def test_the_regulation_page_is_what_the_marks_say() -> None:
    script = ROOT / "scripts" / "regulation.py"
    subprocess.run([sys.executable, script, "--check"], check=True)


@pytest.mark.parametrize("pattern", [r"^#+ ", r"^```", r"^\| "])
def test_the_two_readmes_keep_step(pattern: str) -> None:
    english = (ROOT / "README.md").read_text("utf-8")
    chinese = (ROOT / "README.zh-CN.md").read_text("utf-8")
    assert len(re.findall(pattern, english, re.M)) == len(re.findall(pattern, chinese, re.M)) > 0


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_links_between_documents_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text("utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
