"""``config.example.toml`` is derived from the table of settings; to renew it, see the first test."""

import itertools
import re
import tomllib
from pathlib import Path

import pytest
import trustme

from webhook_engine.config.loading import Config, example_toml
from webhook_engine.config.sections import all_settings

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
MODULE = "webhook_engine.config.loading"
HOW = f"python -c 'from {MODULE} import example_toml; print(example_toml(), end=\"\")' > config.example.toml"


def test_the_file_is_what_the_table_of_settings_says() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example_toml(), f"renew it: {HOW}"


def test_it_loads_to_exactly_the_defaults() -> None:
    assert Config.load(EXAMPLE, {}) == Config()


def test_every_key_is_in_it_under_its_section_with_a_comment() -> None:
    lines = example_toml().splitlines()
    found = []
    section = ""
    for before, line in itertools.pairwise(lines):
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"(?:# )?([a-z_]+) = ", line):
            assert before.startswith("# ")
            found.append((section, match[1]))
    assert found == [(section, key) for section, key, _ in all_settings()]


@pytest.mark.parametrize(
    ("section", "key"),
    [(section, key) for section, key, known in all_settings() if known.example is not None],
)
def test_what_is_commented_out_is_a_working_example(section: str, key: str, tmp_path: Path) -> None:
    (line,) = re.findall(rf"^# ({key} = .*)$", example_toml(), re.MULTILINE)
    values = tomllib.loads(line)
    if key == "jwt_public_key":
        values["jwt_algorithm"] = "EdDSA"
    if key == "schema":
        values["url"] = "postgresql://localhost/webhooks"
    if key == "ca_file":
        # The file of the example is on no machine but that of who wrote it.
        values[key] = str(tmp_path / "ca.pem")
        trustme.CA().cert_pem.write_to_path(values[key])
    assert getattr(getattr(Config(**{section: values}), section), key) is not None
