"""Everything rmaudit refuses, with the exit code that a pipeline sees.

    RmauditError
    ├── UsageError            2   wrong option, file or configuration
    │   ├── SuiteError            a probe folder is broken, or there is no such suite
    │   └── RunExistsError        the run folder is already there
    ├── CannotMeasureError    3   nothing can be said about this model
    │   ├── LoadRefusedError      the checkpoint cannot be trusted to give its own scores
    │   ├── SelfTestError         the loaded model failed a check that its numbers depend on
    │   ├── ScoringError          the model failed, or answered with something that is not a reward
    │   └── RunError              a run folder is incomplete, damaged or not comparable
    ├── InternalError         4   a fault of ours
    └── InterruptedRunError 130   the user stopped a scan; it can be gone on with

Each message is one paragraph for a person: what happened, where, and what to do next.
"""

from __future__ import annotations


class RmauditError(Exception):
    """Base of all errors that are shown to the user without a traceback."""

    exit_code = 4


class UsageError(RmauditError):
    """The command, an option or a configuration file is wrong."""

    exit_code = 2


class SuiteError(UsageError):
    """A suite does not exist, or its folder is broken."""


class RunExistsError(UsageError):
    """The run folder exists already, and evidence is never overwritten."""


class CannotMeasureError(RmauditError):
    """No measurement is possible, so none is invented."""

    exit_code = 3


class LoadRefusedError(CannotMeasureError):
    """The checkpoint was not loaded, because its scores could not be trusted."""


class SelfTestError(CannotMeasureError):
    """The loaded model failed a check of the self-test, and the user has not accepted that."""


class ScoringError(CannotMeasureError):
    """The model failed while scoring, or too many of its answers are not rewards."""


class RunError(CannotMeasureError):
    """A saved run is incomplete, damaged or not comparable."""


class InternalError(RmauditError):
    """A fault of rmaudit itself."""


class InterruptedRunError(RmauditError):
    """The user stopped a scan; what was scored is kept."""

    exit_code = 130
