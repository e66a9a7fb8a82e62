"""The HTTP side: Snowflake's protocol as far as the connector uses it, and the embedded server's own pages."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hmac
import itertools
import json
import re
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from fakesnow.expr import normalise_ident
from fakesnow.transforms import SERVER_VERSION
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.bindings import read_bindings
from local.errors import SnowflakeError
from local.faults import FaultList, Holds, StatementLog
from local.plans import Plans
from local.session import Account, Login, Session
from local.storage import Storage
from local.write_lock import WriteLock

# The connector gives up a silent request after 60 s and sends it again; Snowflake answers "in progress" before that.
_PATIENCE_SECONDS = 40
_IN_PROGRESS = "333333"
_SESSION_GONE = "390111"
_WRONG_PASSWORD = "390100"
_MAX_STATEMENTS_AT_ONCE = 256
_SESSION_LIFE_SECONDS = 4 * 3600


class SnowflakeApplication:
    """All sessions of one server.

    :param idle_limit_seconds: see :class:`local.write_lock.WriteLock`
    """

    def __init__(self, storage: Storage, user: str, password: str, idle_limit_seconds: float) -> None:
        self._storage = storage
        self._user = user
        self._password = password
        self._account = Account(storage, WriteLock(idle_limit_seconds), FaultList(), Holds(), StatementLog(), Plans())
        self._sessions: dict[str, Session] = {}
        self._session_ids = itertools.count(1)
        self._running: OrderedDict[str, asyncio.Future[dict[str, Any]]] = OrderedDict()
        self._threads = ThreadPoolExecutor(_MAX_STATEMENTS_AT_ONCE, "statement")

    def routes(self) -> Starlette:
        """The ASGI application; closing it checkpoints the databases."""
        post, get = ["POST"], ["GET"]
        return Starlette(
            routes=[
                Route("/session/v1/login-request", self.login, methods=post),
                Route("/session", self.end_session, methods=post),
                Route("/session/heartbeat", self.heartbeat, methods=post),
                Route("/queries/v1/query-request", self.query, methods=post),
                Route("/queries/v1/abort-request", self.abort, methods=post),
                Route("/queries/{request_id}/result", self.query_result, methods=get),
                Route("/monitoring/queries/{query_id}", self.monitoring, methods=get),
                Route("/telemetry/send", self.telemetry, methods=post),
                Route("/health", self.health, methods=get),
                Route("/faults", self.faults, methods=["GET", "POST", "PUT", "DELETE"]),
                Route("/held", self.held, methods=["GET", "DELETE"]),
                Route("/sessions", self.abort_session, methods=["DELETE"]),
                Route("/statements", self.statements, methods=get),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        for session in list(self._sessions.values()):
            session.cancel()
        for session in list(self._sessions.values()):
            session.close()
        self._threads.shutdown(wait=True)
        self._storage.close()

    async def login(self, request: Request) -> Response:
        """Open a session for the right user and password."""
        data = (await _read_json(request))["data"]
        user = str(data.get("LOGIN_NAME", "")).upper()
        if user != self._user.upper() or not hmac.compare_digest(str(data.get("PASSWORD", "")), self._password):
            return _failure(_WRONG_PASSWORD, "Incorrect username or password was specified.", "08001")
        names = {
            field: normalise_ident(value) if (value := request.query_params.get(parameter)) else None
            for field, parameter in (
                ("database", "databaseName"),
                ("schema", "schemaName"),
                ("warehouse", "warehouse"),
                ("role", "roleName"),
            )
        }
        self._forget_old_sessions()
        session_id = next(self._session_ids)
        parameters = data.get("SESSION_PARAMETERS") or {}
        session = Session(self._account, session_id, Login(user=user, **names), parameters)
        token = secrets.token_urlsafe(32)
        self._sessions[token] = session
        self._account.log.count_login()
        return _success(
            {
                "token": token,
                "masterToken": secrets.token_urlsafe(32),
                "sessionId": session_id,
                "serverVersion": SERVER_VERSION,
                "parameters": [
                    *({"name": name, "value": value} for name, value in session.parameters.items()),
                    # 0 keeps array bindings in the request instead of uploading them to a stage.
                    {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                    {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                ],
                "sessionInfo": {
                    "databaseName": names["database"],
                    "schemaName": names["schema"],
                    "warehouseName": names["warehouse"],
                    "roleName": names["role"],
                },
            }
        )

    def _forget_old_sessions(self) -> None:
        oldest = time.monotonic() - _SESSION_LIFE_SECONDS
        for token in [token for token, session in self._sessions.items() if session.idle_since < oldest]:
            self._sessions.pop(token).close()

    def _session(self, request: Request) -> Session | None:
        match = re.search(r'Token="([^"]+)"', request.headers.get("Authorization", ""))
        return self._sessions.get(match[1]) if match else None

    async def end_session(self, request: Request) -> Response:
        """Close a session: its open transaction is rolled back."""
        session = self._session(request)
        if session and request.query_params.get("delete"):
            await self._close(session)
        return _success(None)

    async def _close(self, session: Session) -> None:
        self._sessions = {token: other for token, other in self._sessions.items() if other is not session}
        await asyncio.get_running_loop().run_in_executor(self._threads, session.close)

    async def heartbeat(self, request: Request) -> Response:
        """Say whether the session still exists."""
        return _success(None) if self._session(request) else _session_gone()

    async def query(self, request: Request) -> Response:
        """Run a statement; a request that the connector sends again joins the first one."""
        session = self._session(request)
        if session is None:
            return _session_gone()
        body = await _read_json(request)
        request_id = request.query_params.get("requestId") or secrets.token_hex(16)
        if request_id not in self._running:
            loop = asyncio.get_running_loop()
            port = request.client.port if request.client else 0
            self._running[request_id] = loop.run_in_executor(self._threads, _run_statement, session, body, port)
            while len(self._running) > 2 * _MAX_STATEMENTS_AT_ONCE and next(iter(self._running.values())).done():
                self._running.popitem(last=False)
        return await self._await_result(request_id)

    async def query_result(self, request: Request) -> Response:
        """Go on waiting for a statement that was in progress."""
        if self._session(request) is None:
            return _session_gone()
        return await self._await_result(request.path_params["request_id"])

    async def _await_result(self, request_id: str) -> Response:
        future = self._running.get(request_id)
        if future is None:
            return _failure("000709", f"Statement {request_id} not found", "02000")
        done, _ = await asyncio.wait([future], timeout=_PATIENCE_SECONDS)
        if done:
            return JSONResponse(future.result())
        data = {"getResultUrl": f"/queries/{request_id}/result", "queryId": request_id}
        return JSONResponse({"success": True, "code": _IN_PROGRESS, "message": "in progress", "data": data})

    async def abort(self, request: Request) -> Response:
        """Cancel the running statement of a session."""
        if session := self._session(request):
            session.cancel()
        return _success(None)

    async def monitoring(self, request: Request) -> Response:
        """The status of a query; every statement is over when its id is known."""
        return _success({"queries": [{"status": "SUCCESS", "id": request.path_params["query_id"]}]})

    async def telemetry(self, request: Request) -> Response:
        """Swallow the connector's telemetry."""
        return _success(None)

    async def health(self, _: Request) -> Response:
        """Whether the server answers."""
        return JSONResponse({"status": "ok", "sessions": len(self._sessions), "logins": self._account.log.logins})

    async def faults(self, request: Request) -> Response:
        """Read, replace, add or remove faults."""
        if refused := self._refused(request):
            return refused
        faults = self._account.faults
        if request.method == "DELETE":
            faults.replace([])
        elif request.method in {"PUT", "POST"}:
            change = faults.replace if request.method == "PUT" else faults.add
            try:
                change(json.loads(await request.body()))
            except (TypeError, ValueError, re.error) as error:
                return PlainTextResponse(f"Not a list of faults: {error}", 422)
        return JSONResponse(faults.as_json())

    async def held(self, request: Request) -> Response:
        """The statements that are held back; DELETE lets one (``id``) or all of them go on."""
        if refused := self._refused(request):
            return refused
        holds = self._account.holds
        if request.method == "DELETE":
            wanted = request.query_params.get("id")
            holds.release(int(wanted) if wanted else None)
        return JSONResponse(holds.as_json())

    async def abort_session(self, request: Request) -> Response:
        """End the session ``id``, as SYSTEM$ABORT_SESSION does: its open transaction is rolled back."""
        if refused := self._refused(request):
            return refused
        wanted = request.query_params.get("id")
        for session in [session for session in self._sessions.values() if str(session.session_id) == wanted]:
            await self._close(session)
        return JSONResponse({"sessions": len(self._sessions)})

    async def statements(self, request: Request) -> Response:
        """The log of all sessions' statements."""
        if refused := self._refused(request):
            return refused
        return JSONResponse(self._account.log.as_json(int(request.query_params.get("since", 0))))

    def _refused(self, request: Request) -> Response | None:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        try:
            password = base64.b64decode(credentials).decode().partition(":")[2] if scheme == "Basic" else credentials
        except ValueError:
            password = ""
        if hmac.compare_digest(password.encode(), self._password.encode()):
            return None
        return PlainTextResponse("Password required", 401, {"WWW-Authenticate": "Basic"})


def _run_statement(session: Session, body: dict[str, Any], client_port: int) -> dict[str, Any]:
    try:
        result = session.execute(body["sqlText"], read_bindings(body.get("bindings") or {}), client_port)
    except SnowflakeError as error:
        code = f"{error.errno:06d}"
        data = {"errorCode": code, "sqlState": error.sqlstate, "queryId": str(uuid.uuid4())}
        return {"success": False, "code": code, "message": error.message, "data": data}
    connection = session.connection
    reply: dict[str, Any] = {
        "parameters": [{"name": "TIMEZONE", "value": "UTC"}, {"name": "AUTOCOMMIT", "value": _autocommit(session)}],
        "rowtype": result.rowtype,
        "total": result.rows,
        "returned": result.rows,
        "queryId": result.query_id,
        "statementTypeId": result.statement_type,
        "finalDatabaseName": connection.database,
        "finalSchemaName": connection.schema,
        "finalWarehouseName": session.warehouse,
        "finalRoleName": session.role,
        **result.body,
    }
    return {"success": True, "code": None, "message": None, "data": reply}


def _autocommit(session: Session) -> bool:
    return session.transactions.autocommit


async def _read_json(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    content: dict[str, Any] = json.loads(body)
    return content


def _success(data: Any) -> JSONResponse:
    return JSONResponse({"success": True, "code": None, "message": None, "data": data})


def _failure(code: str, message: str, sqlstate: str) -> JSONResponse:
    # Always HTTP 200: the connector retries most other statuses for minutes.
    data = {"errorCode": code, "sqlState": sqlstate}
    return JSONResponse({"success": False, "code": code, "message": message, "data": data})


def _session_gone() -> JSONResponse:
    message = "Session no longer exists.  New login required to access the service."
    return _failure(_SESSION_GONE, message, "08001")
