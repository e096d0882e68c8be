"""One worker of a search for hyperparameters: ``python -m course_utils.search --help``.

Optuna proposes the settings and keeps the trials; here stands what it takes to start any number of
workers, on one machine or many, and to lose nothing when some of them are killed. A worker needs
to know the storage and the name of the study, and nothing of the others. All try the same
objective until the study has at least so many finished trials: with N workers up to N - 1 more, as
the others finish what they have begun. A worker that is started later goes on.
"""

import argparse
import importlib
import json
import math
import os
import platform
import signal
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
import psutil
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.storages import (
    BaseStorage,
    JournalStorage,
    RDBStorage,
    RetryHeartbeatStaleTrialCallback,
)
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

# Seconds after which what takes milliseconds counts as left by a dead worker: a lock, and a trial
# that does not yet name its worker.
GRACE = 10
BEAT = 60  # seconds between two signs of life that a worker gives a database
IN_A_ROW = 10  # so many trials fail one after the other before a worker gives up
# What Optuna raises when a trial is to be ended that has ended already.
_GIVEN_UP = (ValueError, AssertionError, optuna.exceptions.UpdateFinishedTrialError)
_RECORD = b'{"op_code"'  # how every line of Optuna's journal begins


class SearchError(Exception):
    """What keeps a search from going on, in a sentence. No finished trial is lost by it."""


@dataclass(frozen=True)
class Objective:
    """What a search makes small.

    Parameters
    ----------
    loss : callable
        Takes one setting of each name in space as keywords, returns one finite number.
    space : mapping of str to Optuna distribution
        Where to look.
    """

    loss: Callable[..., float]
    space: Mapping[str, BaseDistribution]


def _digits(rate: float, width: int, l2: float) -> float:
    """Log loss on 300 digits of a network that learned from 300 others, in nats."""
    from sklearn.datasets import load_digits
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    x, y = load_digits(return_X_y=True)
    network = MLPClassifier(
        width, learning_rate_init=rate, alpha=l2, batch_size=30, max_iter=32, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that 32 epochs are few
        network.fit(x[:300] / 16, y[:300])
    return log_loss(y[300:600], network.predict_proba(x[300:600] / 16), labels=range(10))


digits = Objective(
    _digits,
    {
        "rate": FloatDistribution(1e-4, 1, log=True),
        "width": IntDistribution(4, 64, log=True),
        "l2": FloatDistribution(1e-5, 1, log=True),
    },
)


class _Lock(JournalFileOpenLock):
    """Optuna's lock, under which a line that a killed worker has left unfinished is removed.

    The next line would be written behind it, and nobody could read the journal any more.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), GRACE)
        self._path = path

    def acquire(self) -> bool:
        super().acquire()
        try:
            with open(self._path, "r+b") as journal:
                journal.seek(max(0, journal.seek(0, os.SEEK_END) - 1))
                if journal.read(1) not in (b"", b"\n"):
                    journal.seek(0)
                    journal.truncate(journal.read().rfind(b"\n") + 1)
        except OSError:
            self.release()
            raise
        return True


def _journal(path: Path) -> BaseStorage:
    path = path.expanduser().resolve()  # a lock on a relative path could wait for ever
    if not path.parent.is_dir():
        raise SearchError(f"The journal {path} cannot be made: there is no folder {path.parent}.")
    with open(path, "ab+") as journal:  # whoever may not write shall hear it now
        journal.seek(0)
        start = journal.read(len(_RECORD))
    if not _RECORD.startswith(start):
        raise SearchError(f"{path} is no journal of a search. It was left as it is.")
    return JournalStorage(JournalFileBackend(str(path), _Lock(path)))


def _database(address: str) -> BaseStorage:
    for attempt in range(5):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return RDBStorage(
                    address,
                    heartbeat_interval=BEAT,
                    heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=1),
                )
        except SQLAlchemyError as error:  # another worker may be making the same tables just now
            known = ("already exists", "UNIQUE", "locked")
            if attempt == 4 or not any(text in str(error) for text in known):
                raise
            time.sleep(0.2 + os.getpid() % 8 / 10)
    raise AssertionError


def open_storage(address: str) -> BaseStorage:
    """Open the place where the trials are kept, and make it if it is new.

    Parameters
    ----------
    address : str
        A file for Optuna's journal, which needs no server; or the address of a database, such as
        ``postgresql+psycopg://user@host/name`` or ``mysql+pymysql://user@host/name``.

    Raises
    ------
    SearchError
        It cannot be reached, written or read, or the database's driver is missing.
    """
    shown = address
    try:
        if "://" not in address:
            return _journal(Path(address))
        shown = make_url(address).render_as_string(hide_password=True)
        return _database(address)
    except ImportError as error:
        driver = getattr(error.__cause__, "name", None) or getattr(error, "name", None)
        raise SearchError(
            f"The driver {driver or 'of this database'} is missing. Run in the course's folder: "
            'pip install ".[search]"'
        ) from None
    except (OSError, SQLAlchemyError, ValueError, KeyError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise SearchError(f"The storage {shown} cannot be used: {reason}") from None


def _me() -> list:
    """Name this machine, this process, and when it started: numbers of processes come again.

    A machine's name may come again, too, such as localhost; its hardware address hardly does.
    """
    address = uuid.getnode()
    if address >> 40 & 1:  # there is none, and the number is random
        address = 0
    now = psutil.Process()
    return [f"{platform.node()} {address:012x}", now.pid, now.create_time()]


def _is_alive(pid: int, started: float) -> bool:
    """Whether a process of this machine still runs. In doubt it does."""
    try:
        process = psutil.Process(pid)
        is_other = abs(process.create_time() - started) > 2  # clocks are set now and then
        return process.status() != psutil.STATUS_ZOMBIE and not is_other
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _is_left(trial: FrozenTrial) -> bool:
    """Whether a running trial was left by a worker that is surely dead."""
    if "worker" not in trial.user_attrs:  # killed before it could say who it is
        return time.time() - trial.datetime_start.timestamp() > GRACE
    machine, pid, started = trial.user_attrs["worker"]
    here, me, _ = _me()
    return machine == here and (pid == me or not _is_alive(pid, started))


def requeue(study: optuna.Study) -> list[int]:
    """Have trials repeated that a dead worker of this machine has left running.

    A journal knows no signs of life, so a trial remembers the machine and process of its worker.
    Call it between two trials: then one of this very process is left over from another one that
    had the same number. Each trial is repeated once, so that one that kills its worker ends.

    Returns
    -------
    list of int
        Numbers of the trials that were given up and, but for repeated ones, put into the queue.
    """
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _is_left(trial):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except _GIVEN_UP:
            continue  # another worker was faster
        if trial.params and "repeats" not in trial.user_attrs:
            study.enqueue_trial(trial.params, user_attrs={"repeats": trial.number})
        found.append(trial.number)
    return found


def _name(loss: Callable) -> str:
    return f"{loss.__module__}:{getattr(loss, '__qualname__', type(loss).__name__)}"


def open_study(storage: BaseStorage, name: str, objective: Objective) -> optuna.Study:
    """Open a study, and make it if it is new.

    Raises
    ------
    SearchError
        The study of this name has another objective or space, or was not made by this command.
    """
    study = optuna.create_study(
        storage=storage,
        sampler=optuna.samplers.TPESampler(constant_liar=True),  # no seed: workers shall differ
        study_name=name,
        load_if_exists=True,
    )
    space = {name: json.loads(distribution_to_json(d)) for name, d in objective.space.items()}
    has_trials = study.get_trials(deepcopy=False)  # first these: whoever makes some has set space
    kept = study.user_attrs
    if "space" not in kept and not has_trials and study.directions == [StudyDirection.MINIMIZE]:
        study.set_user_attr("objective", _name(objective.loss))
        study.set_user_attr("space", space)
        kept = study.user_attrs
    if "space" not in kept:
        what = "was not made by this command"
    elif (other := kept["space"]) != space:
        what = f"looks in another space, of {', '.join(other)} and with limits of its own"
    elif kept.get("objective") != _name(objective.loss):
        what = f"has another objective, {kept.get('objective')}"
    else:
        return study
    raise SearchError(
        f"The study {name!r} {what}. Its trials were left as they are: choose another name."
    )


def _suggest(trial: Trial, name: str, where: BaseDistribution) -> float | int | str:
    if isinstance(where, CategoricalDistribution):
        return trial.suggest_categorical(name, where.choices)
    suggest = trial.suggest_int if isinstance(where, IntDistribution) else trial.suggest_float
    return suggest(name, where.low, where.high, step=where.step, log=where.log)


class _Worker:
    def __init__(self, objective: Objective, trials: int) -> None:
        self.objective, self.trials, self.failed, self.number = objective, trials, 0, None

    def loss(self, trial: Trial) -> float:
        self.number = trial.number
        trial.set_user_attr("worker", _me())
        try:
            space = self.objective.space
            settings = {name: _suggest(trial, name, where) for name, where in space.items()}
            loss = float(self.objective.loss(**settings))
            if not math.isfinite(loss):
                raise ValueError(f"the loss is {loss}")
        except Exception as error:
            self.failed += 1
            print(f"trial {trial.number} failed, {type(error).__name__}: {error}", flush=True)
            raise
        self.failed = 0
        print(f"trial {trial.number}: {loss:.4f}", flush=True)
        return loss

    def run(self, study: optuna.Study) -> None:
        while len(finished(study)) < self.trials:
            for number in requeue(study):
                print(f"trial {number} was left by a dead worker", flush=True)
            self.number = None
            try:
                study.optimize(self.loss, n_trials=1, catch=Exception)
            except _GIVEN_UP as error:
                if self.number is not None:  # another worker, or the database, took it for dead
                    print("this trial was given up by another worker", flush=True)
                else:
                    self.failed += 1
                    print(f"no trial began, {type(error).__name__}: {error}", flush=True)
            if self.failed == IN_A_ROW:
                raise SearchError(f"{IN_A_ROW} trials failed one after the other.")


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that have a loss."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def search(address: str, name: str, trials: int, objective: Objective = digits) -> optuna.Study:
    """Work for a study until it has so many finished trials, those of other workers counted.

    An objective that raises, or whose loss is not finite, fails its trial: it is said, does not
    count, and another one is tried.

    Raises
    ------
    SearchError
        If trials is not positive; see `open_storage` and `open_study`; or ten trials fail in a row.
    """
    if trials < 1:
        raise SearchError(f"trials={trials} must be at least 1.")
    try:
        study = open_study(open_storage(address), name, objective)
        _Worker(objective, trials).run(study)
    except (OSError, SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise SearchError(
            f"The storage is not there any more, finished trials are kept: {error}"
        ) from None
    return study


def _objective(name: str) -> Objective:
    """Find MODULE:NAME."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SearchError(f"The objective {name} cannot be found: {error}.") from None
    if not isinstance(found, Objective):
        raise SearchError(f"{name} is no course_utils.search.Objective.")
    return found


def main() -> None:
    """Be one worker; what is wrong is said in one line."""
    parser = argparse.ArgumentParser("python -m course_utils.search", description=__doc__)
    parser.add_argument("--storage", required=True, help="a file, or a database's address")
    parser.add_argument("--study", required=True, help="its name")
    parser.add_argument(
        "--trials", required=True, type=int, help="at least so many finished ones, of all workers"
    )
    parser.add_argument(
        "--objective", default="course_utils.search:digits", help="MODULE:NAME of an Objective"
    )
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = search(given.storage, given.study, given.trials, _objective(given.objective))
        print(f"best of {len(finished(study))}: {study.best_value:.4f}, {study.best_params}")
    except SearchError as error:
        sys.exit(f"search: {error}")


def _stop(*_) -> None:
    """End at once, as a killed worker does, and with the status by which a shell can tell."""
    os.write(2, b"search: stopped. All finished trials are kept.\n")
    os._exit(130)


if __name__ == "__main__":
    from course_utils import search as _module  # once, and not a second time as __main__

    signal.signal(signal.SIGINT, _stop)  # Optuna does not end well when it is interrupted
    _module.main()
