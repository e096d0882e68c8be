"""A search that workers share: what kills it, what is wrong with it, and that nothing is lost."""

import os
import platform
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from course_utils import search
from course_utils.search import Objective, SearchError

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = {
    "rate": FloatDistribution(1e-4, 1, log=True),
    "width": IntDistribution(4, 64),
    "bend": CategoricalDistribution(["relu", "tanh"]),
}
quick = Objective(lambda rate, width, bend: rate + 1 / width + (bend == "relu"), SPACE)


def _slow(rate, width, bend):
    time.sleep(0.05)
    return rate


slow = Objective(_slow, SPACE)


@pytest.fixture
def journal(tmp_path):
    return str(tmp_path / "study.journal")


@pytest.fixture
def dead():
    """Return how a worker calls itself that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return [search._me()[0], process.pid, time.time()]


def python(*words):
    """Start Python in a process of its own, with its errors where they are seen."""
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = os.environ | {"PYTHONPATH": paths}
    return subprocess.Popen([sys.executable, *words], text=True, env=environment, **pipes)


def worker(address, trials, objective="test_search:slow"):
    """Start the command."""
    words = ["-m", "course_utils.search", "--storage", address, "--study", "s"]
    return python(*words, "--trials", str(trials), "--objective", objective)


def trials(address):
    return optuna.load_study(study_name="s", storage=search.open_storage(address)).trials


def finished(address):
    return {t.number: (t.value, t.params) for t in trials(address) if t.value is not None}


def running(address, name, **more):
    """Leave a trial running, as a worker of that name does that is killed."""
    study = search.open_study(search.open_storage(address), "s", quick)
    trial = study.ask(SPACE)
    for key, value in ({"worker": name} | more).items():
        trial.set_user_attr(key, value)
    return trial


def test_a_search_is_resumed_where_it_ended(journal):
    search.search(journal, "s", 3, quick)
    before = finished(journal)
    study = search.search(journal, "s", 5, quick)
    assert len(finished(journal)) == 5 and before.items() <= finished(journal).items()
    assert study.best_value == min(value for value, _ in finished(journal).values())
    search.search(journal, "s", 5, quick)  # nothing is left to do
    assert len(trials(journal)) == 5


def test_settings_come_from_the_space(journal):
    for _, settings in search.search(journal, "s", 8, quick) and finished(journal).values():
        assert settings.keys() == SPACE.keys()
        assert all(d._contains(d.to_internal_repr(settings[n])) for n, d in SPACE.items())


def test_the_lessons_objective_is_a_networks_log_loss():
    good, bad = (search.digits.loss(rate=rate, width=32, l2=1e-4) for rate in (0.01, 1e-4))
    assert 0.1 < good < 0.6 < bad < 3


# ------------------------------------------------------------------------------- killed workers


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill so")
def test_workers_killed_at_random_moments_lose_no_finished_trial(journal):
    rng, seen = random.Random(4), {}
    for _ in range(3):
        process = worker(journal, 1_000)
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.4))
        process.kill()
        process.communicate()
        assert seen.items() <= finished(journal).items()
        seen = finished(journal)
    assert seen
    last = worker(journal, len(seen) + 2)
    _, errors = last.communicate()
    assert last.returncode == 0, errors
    assert seen.items() <= finished(journal).items()
    # A trial killed before it could note its worker waits its time; every other one was given up.
    assert all("worker" not in t.user_attrs for t in trials(journal) if not t.state.is_finished())


def test_a_trial_left_before_it_could_note_its_worker_is_given_up_in_time(journal, monkeypatch):
    study = search.open_study(search.open_storage(journal), "s", quick)
    study.ask()
    search.search(journal, "s", 1, quick)
    assert trials(journal)[0].state == TrialState.RUNNING  # its worker may be about to say so
    monkeypatch.setattr(search, "GRACE", 3)
    time.sleep(3.1)
    search.search(journal, "s", 2, quick)
    assert trials(journal)[0].state == TrialState.FAIL and len(finished(journal)) == 2


def test_the_trial_of_a_dead_worker_is_repeated_with_its_settings(journal, dead):
    left = running(journal, dead)
    search.search(journal, "s", 2, quick)
    old, *others = trials(journal)
    assert old.state == TrialState.FAIL
    (again,) = (t for t in others if t.user_attrs.get("repeats") == old.number)
    assert again.params == left.params and again.state == TrialState.COMPLETE


def test_the_trial_of_a_live_worker_is_left_alone(journal):
    parent = psutil.Process().parent()
    running(journal, [search._me()[0], parent.pid, parent.create_time()])
    search.search(journal, "s", 1, quick)
    assert trials(journal)[0].state == TrialState.RUNNING


@pytest.mark.parametrize("machine", ["another machine", f"{platform.node()} 0123456789ab"])
def test_the_trial_of_another_machine_is_left_alone(journal, machine, dead):
    running(journal, [machine, *dead[1:]])  # the second one bears the name of this machine
    search.search(journal, "s", 1, quick)
    assert trials(journal)[0].state == TrialState.RUNNING


def test_a_live_process_that_has_the_number_of_a_dead_worker_does_not_hide_it(journal):
    parent = psutil.Process().parent()
    running(journal, [search._me()[0], parent.pid, parent.create_time() - 3600])
    search.search(journal, "s", 1, quick)
    assert trials(journal)[0].state == TrialState.FAIL


def test_a_trial_that_bears_this_process_is_left_over_from_another_one(journal):
    running(journal, search._me())  # in a container every worker is number 1
    search.search(journal, "s", 1, quick)
    assert trials(journal)[0].state == TrialState.FAIL


def test_a_machine_without_a_hardware_address_has_its_name(monkeypatch):
    monkeypatch.setattr(search.uuid, "getnode", lambda: 1 << 40 | random.getrandbits(40))
    assert search._me()[0] == search._me()[0] == f"{platform.node()} {0:012x}"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no zombies")
def test_a_killed_worker_that_nobody_has_waited_for_is_dead():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    assert search._is_alive(process.pid, started)
    process.kill()
    deadline = time.monotonic() + 10
    while search._is_alive(process.pid, started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not search._is_alive(process.pid, started)
    process.communicate()


def test_a_trial_is_repeated_once_so_that_one_that_kills_its_worker_ends(journal, dead):
    running(journal, dead, repeats=0)
    search.search(journal, "s", 1, quick)
    old, *others = trials(journal)
    assert old.state == TrialState.FAIL and all("repeats" not in t.user_attrs for t in others)


def test_two_workers_do_not_repeat_the_same_dead_trial(journal, dead):
    running(journal, dead)
    one, other = (search.open_study(search.open_storage(journal), "s", quick) for _ in range(2))
    assert search.requeue(one) == [0] and search.requeue(other) == []
    assert sum("repeats" in t.user_attrs for t in one.trials) == 1


def test_a_worker_whose_trial_was_given_up_goes_on(journal):
    def loss(rate, width, bend):
        study = optuna.load_study(study_name="s", storage=search.open_storage(journal))
        if len(study.trials) == 1:  # as if another worker had thought that this one is dead
            study.tell(0, state=TrialState.FAIL)
        return rate

    search.search(journal, "s", 2, Objective(loss, SPACE))
    assert [t.state for t in trials(journal)] == [TrialState.FAIL] + 2 * [TrialState.COMPLETE]


# --------------------------------------------------------------------------- the journal, the lock


def test_a_half_written_line_is_removed_before_the_next_one(journal):
    search.search(journal, "s", 3, quick)
    whole = Path(journal).read_bytes()
    Path(journal).write_bytes(whole + b'{"op_code":4,"worker_id":"ab')
    search.search(journal, "s", 5, quick)
    assert len(finished(journal)) == 5
    assert Path(journal).read_bytes().startswith(whole)


def test_a_half_written_line_is_removed_while_others_work(journal):
    study = search.search(journal, "s", 3, quick)
    with open(journal, "ab") as file:  # a worker is killed while this one runs
        file.write(b'{"op_co')
    study.set_user_attr("still", "writing")
    assert len(finished(journal)) == 3
    assert search.open_study(search.open_storage(journal), "s", quick).user_attrs["still"]


@pytest.mark.parametrize("relative", [False, True])
def test_a_lock_that_was_left_behind_is_broken(tmp_path, monkeypatch, relative):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "GRACE", 3)
    name = "study.journal" if relative else str(tmp_path / "study.journal")
    search.search(name, "s", 1, quick)
    Path(name + ".lock").touch()
    start = time.monotonic()
    search.search(name, "s", 2, quick)
    assert 2 < time.monotonic() - start < 30 and len(finished(name)) == 2


def test_a_lock_is_no_link_to_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    backend = search.open_storage("study.journal")._backend
    assert Path(backend._file_path).is_absolute() and Path(backend._lock._lock_file).is_absolute()


MAKE_TABLES = """
import sys
from test_search import quick, search

print("ready", flush=True)
sys.stdin.readline()
search.search(sys.argv[1], "s", 1, quick)
"""


def test_workers_that_start_together_may_all_make_the_tables(tmp_path):
    address = f"sqlite:///{tmp_path}/study.db"
    workers = [python("-c", MAKE_TABLES, address) for _ in range(4)]
    assert [process.stdout.readline() for process in workers] == 4 * ["ready\n"]
    for process in workers:
        print(file=process.stdin, flush=True)
    errors = [process.communicate(timeout=120)[1] for process in workers]
    assert [process.returncode for process in workers] == 4 * [0], errors
    assert len(finished(address)) >= 1


def test_two_workers_do_not_try_the_same_settings(journal):
    workers = [worker(journal, 8) for _ in range(2)]
    errors = [process.communicate()[1] for process in workers]
    assert [process.returncode for process in workers] == [0, 0], errors
    assert len({t.user_attrs["worker"][1] for t in trials(journal)}) == 2
    settings = [tuple(params.values()) for _, params in finished(journal).values()]
    assert len(set(settings)) == len(settings) >= 8


def test_a_seed_that_the_caller_set_makes_workers_no_twins(tmp_path):
    import numpy as np

    found = []
    for name in "ab":
        np.random.seed(7)
        random.seed(7)
        found.append(search.search(str(tmp_path / name), "s", 1, quick).trials[0].params)
    assert found[0] != found[1]


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("number", [0, -3])
def test_a_number_of_trials_that_is_not_positive_is_refused(journal, number):
    with pytest.raises(SearchError, match=f"trials={number} must be at least 1"):
        search.search(journal, "s", number, quick)
    assert not Path(journal).exists()


def test_another_space_under_the_same_name_is_refused_and_nothing_is_lost(journal):
    search.search(journal, "s", 3, quick)
    before = finished(journal)
    other = Objective(quick.loss, SPACE | {"rate": FloatDistribution(1e-3, 1, log=True)})
    with pytest.raises(SearchError, match="'s' looks in another space"):
        search.search(journal, "s", 5, other)
    assert finished(journal) == before and len(trials(journal)) == 3
    assert search.search(journal, "t", 1, other).best_value  # another name is free


def test_another_objective_under_the_same_name_is_refused_and_nothing_is_lost(journal):
    search.search(journal, "s", 3, quick)
    before = finished(journal)
    with pytest.raises(SearchError, match="'s' has another objective, test_search:<lambda>"):
        search.search(journal, "s", 5, slow)
    assert finished(journal) == before and len(trials(journal)) == 3


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_study_that_somebody_else_made_is_refused_and_nothing_is_lost(journal, direction):
    storage = search.open_storage(journal)
    study = optuna.create_study(storage=storage, study_name="s", direction=direction)
    if direction == "minimize":  # an empty one could be taken over
        study.optimize(lambda trial: trial.suggest_float("rate", 0, 1), n_trials=2)
    with pytest.raises(SearchError, match="'s' was not made by this command"):
        search.search(journal, "s", 5, quick)
    assert len(trials(journal)) == 2 * (direction == "minimize")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), ValueError("no memory"), "text"])
def test_an_objective_that_fails_is_said_and_another_trial_is_tried(journal, capsys, bad):
    calls = []

    def loss(rate, width, bend):
        calls.append(rate)
        if len(calls) == 2:
            if isinstance(bad, Exception):
                raise bad
            return bad
        return rate

    search.search(journal, "s", 3, Objective(loss, SPACE))
    assert len(finished(journal)) == 3 and trials(journal)[1].state == TrialState.FAIL
    assert "trial 1 failed, ValueError: " in capsys.readouterr().out


def test_an_objective_that_always_fails_ends_the_search_and_loses_nothing(journal):
    losses = iter([0.3, 0.2, 0.1])

    def loss(rate, width, bend):
        return next(losses, float("nan"))

    search.search(journal, "s", 3, Objective(loss, SPACE))
    before = finished(journal)
    with pytest.raises(SearchError, match="10 trials failed one after the other"):
        search.search(journal, "s", 5, Objective(loss, SPACE))
    assert finished(journal) == before


@pytest.mark.parametrize("where", ["sample_independent", "sample_relative"])
def test_a_sampler_that_always_fails_ends_the_search_and_loses_nothing(
    journal, monkeypatch, capsys, where
):
    def fail(*_):
        raise ValueError("no such distribution")

    search.search(journal, "s", 3, quick)
    before = finished(journal)
    monkeypatch.setattr(optuna.samplers.TPESampler, where, fail)
    with pytest.raises(SearchError, match="10 trials failed one after the other"):
        search.search(journal, "s", 5, quick)
    assert finished(journal) == before
    assert "no such distribution" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SearchError, match="there is no folder"):
        search.open_storage(str(tmp_path / "nowhere" / "a.journal"))


def test_a_storage_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(SearchError, match="cannot be used"):
        search.open_storage(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write all")
def test_a_file_without_write_permission_is_named(journal):
    search.search(journal, "s", 1, quick)
    Path(journal).chmod(0o400)
    with pytest.raises(SearchError, match="Permission denied"):
        search.search(journal, "s", 2, quick)


@pytest.mark.parametrize("content", [b"rate,loss\n1,2", b'{"a": 1}', b"{"])
def test_a_file_that_is_no_journal_stays_as_it_was(journal, content):
    Path(journal).write_bytes(content)
    if b'{"op_code"'.startswith(content):  # may be the first line of a journal, half written
        assert len(search.search(journal, "s", 1, quick).trials) == 1
        return
    with pytest.raises(SearchError, match="is no journal of a search"):
        search.search(journal, "s", 1, quick)
    assert Path(journal).read_bytes() == content


def test_a_broken_journal_is_a_sentence(journal):
    search.search(journal, "s", 2, quick)
    broken = Path(journal).read_bytes().replace(b"\n", b"}\n", 1)
    Path(journal).write_bytes(broken)
    with pytest.raises(SearchError, match="cannot be used"):
        search.search(journal, "s", 3, quick)
    assert Path(journal).read_bytes() == broken


def test_a_database_that_cannot_be_reached_is_named_without_its_password():
    pytest.importorskip("psycopg")
    with pytest.raises(SearchError, match="cannot be used") as error:
        search.open_storage("postgresql+psycopg://me:secret@127.0.0.1:1/x")
    assert "secret" not in str(error.value) and "127.0.0.1" in str(error.value)


@pytest.mark.parametrize("address", ["nonsense://x", "postgresql://[", "://"])
def test_an_address_that_is_none_is_a_sentence(address):
    with pytest.raises(SearchError, match=r"cannot be used|is missing"):
        search.open_storage(address)


def test_a_missing_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(SearchError, match=r"pymysql is missing. Run .*: pip install .*\[search\]"):
        search.open_storage("mysql+pymysql://me@127.0.0.1:1/x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--trials", "0"], "search: trials=0 must be at least 1."),
        (["--trials", "2", "--objective", "nowhere:f"], "search: The objective nowhere:f cannot"),
        (["--trials", "2", "--objective", "math:pi"], "search: math:pi is no "),
        (["--trials", "two"], "invalid int value"),
        ([], "required: --trials"),
    ],
)
def test_the_command_says_in_a_line_what_is_wrong(journal, monkeypatch, capsys, given, said):
    monkeypatch.setattr(sys, "argv", ["search", "--storage", journal, "--study", "s", *given])
    with pytest.raises(SystemExit) as end:
        search.main()
    assert end.value.code and said in capsys.readouterr().err + str(end.value)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_an_interrupted_command_says_so_and_loses_nothing(journal):
    rng, seen = random.Random(6), {}
    for _ in range(2):
        process = worker(journal, 1_000)
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.2))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode == 130
        assert errors.splitlines()[-1] == "search: stopped. All finished trials are kept."
        assert seen.items() < finished(journal).items()
        seen = finished(journal)


def test_the_command_reports_its_best_trial(journal, monkeypatch, capsys):
    given = ["--storage", journal, "--study", "s", "--trials", "2"]
    given += ["--objective", "test_search:slow"]
    monkeypatch.setattr(sys, "argv", ["search", *given])
    search.main()
    assert capsys.readouterr().out.splitlines()[-1].startswith("best of 2: ")
