"""An experiment that lives elsewhere, while it runs here."""

from __future__ import annotations

import logging
import shlex
import sys
from typing import TYPE_CHECKING

from luthier.callbacks.uploads import Uploads
from luthier.core.errors import BadArgument, LuthierError, StoreFailed
from luthier.store import mirror
from luthier.store.jsonl import SEGMENT_BYTES, JsonlStore
from luthier.store.mirror import Mirror
from luthier.tune import place, staging
from luthier.tune.bringing import Bringing, settle
from luthier.tune.configs import SyncConfig
from luthier.tune.occupancy import Occupancy
from luthier.tune.past import Past

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from luthier.core.state import ExperimentState
    from luthier.store.remote import Remote
    from luthier.tune.configs import RunConfig

log = logging.getLogger("luthier")

_SEGMENT_BYTES = 1 << 20  # the open segment is uploaded whole each time that it has grown


def segment_bytes(remote: Remote | None) -> int:
    """Return how large the segments of a log become that is kept at *remote*, if anywhere."""
    return SEGMENT_BYTES if remote is None else _SEGMENT_BYTES


def publish(directory: str, remote: Remote, run: RunConfig, on_loss: Callable[[str], None]) -> Occupancy:
    """Let a new experiment be known at *remote*, as this process's; where that does not work, take it back here.

    Raises:
        BadArgument: nothing can be written there.
        ExperimentExists: somebody else has just begun one under that name.
    """
    occupancy: Occupancy | None = None
    try:
        staging.remember(directory, remote, given=run.storage_filesystem is not None)
        occupancy = Occupancy(directory, remote, (run.sync_config or SyncConfig()).lease_s, on_loss)
        place.refuse_published(remote)
        mirror.publish(directory, remote)
    except BaseException as error:
        if occupancy is not None:
            occupancy.end()
        staging.forget_residue(directory)
        if isinstance(error, StoreFailed) and error.__cause__ is not None:
            raise place.unusable(remote, error.__cause__) from error
        if isinstance(error, LuthierError) or not isinstance(error, Exception):
            raise
        raise place.unusable(remote, error) from error
    return occupancy


def occupied(
    directory: str, remote: Remote, sync: SyncConfig | None, on_loss: Callable[[str], None]
) -> tuple[Occupancy, bool]:
    """Become the one driver of the experiment at *remote*, and fetch what the log in *directory* lacks.

    Returns:
        What holds it, and whether the log has grown.

    Raises:
        Conflict: another driver lives; or the experiment went on in two ways.
        StoreFailed: the remote cannot be reached.
    """
    occupancy = Occupancy(directory, remote, (sync or SyncConfig()).lease_s, on_loss)
    try:
        return occupancy, staging.bring_up_to_date(remote, directory, locked=True)
    except BaseException:
        occupancy.end()
        raise


class Mirrored:
    """Uploads what happens in an experiment, and fetches what it lacks to go on.

    Args:
        directory: the experiment's directory; whoever makes this object is the one who writes its log.
        remote: where it lives.
        experiment: as it is now.
        occupancy: lets this process upload, and no other.
        sync: how uploads are done.
        going_on: whether trials are to go on.

    Raises:
        StoreFailed: something that is needed cannot be fetched.
    """

    def __init__(
        self,
        directory: str,
        remote: Remote,
        experiment: ExperimentState,
        occupancy: Occupancy,
        sync: SyncConfig | None = None,
        *,
        going_on: bool = True,
    ) -> None:
        sync = SyncConfig() if sync is None else sync
        self._remote, self._directory, self._timeout = remote, directory, sync.sync_timeout
        bringing = Bringing(directory, remote)
        self.bring = bringing.checkpoint
        mirror = Mirror(directory, remote, turn=occupancy.turn)
        if experiment.trials:
            settle(mirror.journal, remote, directory)
            if going_on:
                bringing.unfinished(experiment)
        self.uploads = Uploads(mirror, experiment, sync.upload_period_s)
        self._mirror, self._occupancy = mirror, occupancy

    def finish(self, say: Callable[[Iterable[str]], None]) -> bool:
        """Wait until all is up, and return whether it is; where it is not, tell how to go on.

        Args:
            say: gets lines for people.
        """
        done = False
        if self._occupancy.loss:
            self.uploads.finish(0.0, lambda _: None)
            return False
        timeout = 0.0 if isinstance(sys.exception(), KeyboardInterrupt) else self._timeout
        try:
            done = self.uploads.finish(timeout, lambda line: say([line]))
        finally:
            self._occupancy.end(release=done)
            if not done and not self._occupancy.loss:
                trouble = f" ({self._mirror.trouble})" if self._mirror.trouble else ""
                log.warning(
                    "not all of the experiment is up at %s%s. All of it is safe in %s. To finish the upload: "
                    "luthier sync %s (or go on with it by Tuner.restore).",
                    self._remote.url, trouble, self._directory, shlex.quote(self._directory),
                )  # fmt: skip
        return done


def finish_upload(directory: str, timeout: float, say: Callable[[Iterable[str]], None]) -> str | None:
    """Upload what is not up yet of the experiment in *directory*; return its URL, or None where that did not work.

    Raises:
        NotAnExperiment: there is none.
        BadArgument: it does not live elsewhere, or nobody has said how to get there.
        Conflict: somebody runs it, here or on another machine; or somebody else has gone on with it elsewhere.
        StoreFailed: the remote cannot be read.
    """
    past = Past(directory)
    remote = staging.remote_of(past.directory)
    if remote is None:
        raise BadArgument("directory", directory, "the staging directory of an experiment that lives elsewhere")
    sync = SyncConfig(sync_timeout=timeout)
    with JsonlStore(past.directory):
        occupancy, _ = occupied(past.directory, remote, sync, lambda _: None)
        try:
            mirrored = Mirrored(past.directory, remote, past.experiment, occupancy, sync, going_on=False)
            done = mirrored.finish(say)
        finally:
            occupancy.end(release=False)
        occupancy.refuse_loss()
        return remote.url if done else None
