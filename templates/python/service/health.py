"""Tells whether the service is alive and whether requests should be sent to it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """Looks at one dependency."""

    name: str
    """The key in the answer, such as "postgres"."""
    probe: Callable[[], object] | None
    """Raises when the dependency does not answer, within a few seconds. None: the dependency is turned off."""
    required: bool = False
    """The service is not ready without it. Otherwise it is only degraded."""


def readiness(checks: list[Check], *, stopping: bool) -> tuple[int, dict[str, Any]]:
    """Return the status and body that answer GET /readyz."""
    results = {check.name: _look(check) for check in checks}
    down = [check for check in checks if results[check.name] == "down"]
    if stopping:
        status = "stopping"
    elif any(check.required for check in down):
        status = "unready"
    else:
        status = "degraded" if down else "ready"
    return 503 if status in ("stopping", "unready") else 200, {"status": status, "checks": results}


def _look(check: Check) -> str:
    if check.probe is None:
        return "disabled"
    try:
        check.probe()
    except Exception as e:  # noqa: BLE001 # whatever it is, the dependency does not work
        log.warning("dependency is down", extra={"dependency": check.name, "error": str(e)})
        return "down"
    return "up"
