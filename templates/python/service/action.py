"""Actions: typed handlers, ready to be served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from flask import Flask
from pydantic import BaseModel
from werkzeug.datastructures import Headers

from service.calls import Call
from service.session import Session

ArgsT = TypeVar("ArgsT", bound=BaseModel)
ArgsT_co = TypeVar("ArgsT_co", bound=BaseModel, covariant=True)
ArgsT_contra = TypeVar("ArgsT_contra", bound=BaseModel, contravariant=True)
OutT = TypeVar("OutT")
OutT_co = TypeVar("OutT_co", covariant=True)


@dataclass(frozen=True)
class Request(Generic[ArgsT_co]):
    """One call of an action."""

    action: str
    """The GraphQL name, such as "registerUser"."""
    args: ArgsT_co
    """The GraphQL arguments."""
    session: Session = field(default_factory=Session)
    """Who calls."""
    query: str = ""
    """The text of the whole GraphQL request; empty for asynchronous actions and direct calls."""
    headers: Headers = field(default_factory=Headers)
    """The HTTP headers of the call, with what the action's definition adds or forwards."""


class Handler(Protocol[ArgsT_contra, OutT_co]):
    """Implements one action. It is used by several threads at once.

    An `ActionError` reaches the caller as it is; any other exception is logged and answered with status 500 and no
    detail. A handler may also be a `HasRoutes`, a `HasWork`, a `HasMaxBodyBytes` or an `IsFrequent`.
    """

    def handle(self, req: Request[ArgsT_contra]) -> OutT_co: ...


@runtime_checkable
class HasRoutes(Protocol):
    """A handler with further HTTP routes, such as a page that a mail links to."""

    def routes(self, app: Flask) -> None: ...


@runtime_checkable
class HasWork(Protocol):
    """Does work in the background, in a process of its own that gunicorn starts, watches and stops with the others."""

    def work(self, stopping: Callable[[], bool]) -> None:
        """Work until stopping says so, and leave within 20 s then. When it returns or raises before, the process is
        replaced."""


@runtime_checkable
class HasMaxBodyBytes(Protocol):
    """A handler with another limit for the request body than the server's."""

    max_body_bytes: int


@runtime_checkable
class IsFrequent(Protocol):
    """A handler that is asked often and answers cheaply: the wider rate limit is for it."""

    frequent: bool


class Action(Generic[ArgsT, OutT]):
    """A handler under its name and path."""

    def __init__(self, name: str, path: str, args: type[ArgsT], handler: Handler[ArgsT, OutT]) -> None:
        self.name = name
        """The GraphQL name, such as "registerUser"."""
        self.path = path
        """The last element of the URL, such as "register-user"."""
        self.handler = handler
        self.max_body_bytes = handler.max_body_bytes if isinstance(handler, HasMaxBodyBytes) else 0
        """Bounds the request body; 0: the server's limit."""
        self.frequent = isinstance(handler, IsFrequent) and handler.frequent
        """Whether the action may be called more often than others."""
        self._args = args

    def invoke(self, call: Call) -> Any:
        """Decode the call's arguments and run the handler."""
        return self.handler.handle(Request(self.name, call.decode(self._args), call.session, call.query, call.headers))
