"""tools/latest.py with stand-ins for environments: what it installs, runs and tells."""

import sys
from pathlib import Path

import install
import latest

LOCKED = {"keras": "3.10", "numpy": "2.4"}
NEWEST = {"brand-new": "0.1", "keras": "3.15", "numpy": "2.4"}


def test_what_broke_and_what_is_newer_is_told(tmp_path, monkeypatch, capfd):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -rs\n")
    (tmp_path / "test_it.py").write_text("def test_good(): pass\ndef test_bad(): assert 0\n")
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(latest, "make_environment", lambda folder: Path(sys.prefix, "bin/python3"))
    monkeypatch.setattr(latest, "versions", lambda of: LOCKED if of == install.PYTHON else NEWEST)
    assert latest.main(["-k", "bad", "-p", "no:nbval"]) == 1
    told = capfd.readouterr().out
    assert "FAILED test_it.py::test_bad" in told and "1 failed, 1 deselected" in told
    table = told[told.index("package ") :].splitlines()
    assert [line.split()[-2:] for line in table[1:3]] == [["-", "0.1"], ["3.10", "3.15"]]
    assert "numpy" not in told
    assert not list((tmp_path / "build").iterdir())
    assert latest.changes(LOCKED, LOCKED) == ["Nothing is newer than in requirements.lock."]


def test_the_lock_plays_no_part_in_the_fresh_environment(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(latest.subprocess, "run", lambda command, **kw: calls.append(command))
    monkeypatch.setattr(install, "uv_install", lambda *words: calls.append(words))
    python = latest.make_environment(tmp_path)
    assert python == tmp_path / "bin/python" and calls[0][-1] == tmp_path
    assert calls[1] == (python, "--upgrade", "--editable", ".[dev]")


def test_versions_are_those_of_a_true_environment():
    versions = latest.versions(Path(sys.executable))
    assert "tensorflow" in versions and "pip" not in versions
