"""The documents name what there is: every setting, every command, every article."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from terminal import settings
from terminal.cli import COMMANDS

ROOT = Path(__file__).parents[2]


def test_the_settings_reference_names_every_setting() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    sections = page.split("\n## ")
    for section, keys in settings._READERS.items():
        heading = "policy.<function>" if section.startswith("policy.") else section
        text = next(part for part in sections if part.startswith(f"`[{heading}]`"))
        missing = [key for key in keys if f"`{key}`" not in text]
        assert not missing, f"[{section}] {missing}"


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
