"""tools/latest.py, this environment standing for the fresh one: what it runs and tells."""

import install
import latest

LOCKED = {"keras": "3.10", "numpy": "2.4"}
NEWEST = {"brand-new": "0.1", "keras": "3.15", "numpy": "2.4"}


def test_what_broke_and_what_is_newer_is_told(tmp_path, monkeypatch, capfd):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -rs\n")
    (tmp_path / "test_it.py").write_text("def test_good(): pass\ndef test_bad(): assert 0\n")
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(latest, "make_environment", lambda folder: install.PYTHON)
    assert latest.main(["-k", "bad", "-p", "no:nbval"]) == 1
    told = capfd.readouterr().out
    assert "FAILED test_it.py::test_bad" in told and "1 failed, 1 deselected" in told
    assert told.endswith("\nNothing is newer than in requirements.lock.\n")
    assert not list((tmp_path / "build").iterdir())
    versions = latest.versions(install.PYTHON)
    assert "tensorflow" in versions and "pip" not in versions
    _, *rows = latest.changes(LOCKED, NEWEST)
    assert [row.split() for row in rows] == [["brand-new", "-", "0.1"], ["keras", "3.10", "3.15"]]


def test_the_lock_plays_no_part_in_the_fresh_environment(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(latest.subprocess, "run", lambda command, **kw: calls.append(command))
    monkeypatch.setattr(install, "uv_install", lambda *words: calls.append(words))
    python = latest.make_environment(tmp_path)
    assert python == tmp_path / "bin/python" and calls[0][-1] == tmp_path
    assert calls[1] == (python, "--upgrade", "--editable", ".[dev]")
