"""A service's life: it starts, says how it is, and stops in order without losing what it has begun."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError

from shared.contract.errors import Misconfigured
from shared.runtime import port
from shared.runtime.lasting import Ended, for_ever, give_up, running, spawn
from shared.runtime.observe import READY, configure_logging, watch_loop
from shared.runtime.settings import Settings

log = structlog.get_logger(__name__)

Check = Callable[[], "str | None"]
STALLED: Final = 60.0  # seconds without a turn after which a loop counts as stuck


class Health:
    """Startup: ready to begin. Live: every loop turns; never "the broker answers", or an outage restarts the whole fleet.
    Ready: may be given work. A check returns what is wrong, or None. What is only `warned` of takes no work away.
    """

    def __init__(self) -> None:
        self.startup: dict[str, Check] = {}
        self.ready: dict[str, Check] = {}
        self.warned: dict[str, Check] = {}
        self._ticks: dict[str, float] = {}
        self.stopping = False

    def tick(self, loop: str) -> None:
        """A loop says that it turns."""
        self._ticks[loop] = time.monotonic()

    def forget(self, loop: str) -> None:
        self._ticks.pop(loop, None)

    def stuck(self) -> dict[str, str]:
        now = time.monotonic()
        return {name: f"no turn for {now - at:.0f} s" for name, at in self._ticks.items() if now - at > STALLED}

    def unready(self) -> dict[str, str]:
        if self.stopping:
            return {"stopping": "this process is about to end"}
        return _failing(self.startup) | _failing(self.ready)


def _failing(checks: dict[str, Check]) -> dict[str, str]:
    return {name: wrong for name, check in checks.items() if (wrong := _told(check))}


def _told(check: Check) -> str | None:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 whatever it is: a check that breaks must not hide the others
        return f"cannot be told: {type(error).__name__}"


def _answer(wrong: dict[str, str], warned: Mapping[str, str] = {}, **more: object) -> web.Response:
    status = "fail" if wrong else "warn" if warned else "pass"
    told = {"status": status, "wrong": wrong, **({"warned": warned} if warned else {}), **more}
    return web.json_response(told, status=503 if wrong else 200)


class Life:
    """What a service hangs itself into: routes, tasks, and what to do at the end, latest first."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.health = Health()
        self.app = web.Application(client_max_size=4 * 1024 * 1024)
        port.guard(self.app, settings)
        self.resources = AsyncExitStack()
        self._closing: list[Callable[[], Awaitable[object]]] = []
        self._tasks: set[asyncio.Task[object]] = set()
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None

    def routes(self, routes: Iterable[web.AbstractRouteDef]) -> None:
        self.app.add_routes(routes)

    def spawn(self, work: Coroutine[Any, Any, object], name: str, *, ends: bool = False) -> asyncio.Task[object]:
        """Run until the end; a task that fails ends the process, since nobody else would notice.

        So does one that ends before, unless that is what it `ends`.
        """
        task = spawn(work if ends else for_ever(work, name), name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def on_stop(self, close: Callable[[], Awaitable[object]]) -> None:
        """Run when stopping, after HTTP no longer accepts, latest registered first."""
        self._closing.append(close)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if task.cancelled() and self._ended.is_set():
            return
        if error := Ended(task.get_name()) if task.cancelled() else task.exception():
            self._failure = error
            self._ended.set()
            log.error("task.failed", task=task.get_name(), exc_info=error)

    def end(self) -> None:
        self._ended.set()

    def _health_routes(self) -> None:
        async def startup(_request: web.Request) -> web.Response:
            return _answer(_failing(self.health.startup))

        async def live(_request: web.Request) -> web.Response:
            return _answer(self.health.stuck(), tasks=running())

        async def ready(_request: web.Request) -> web.Response:
            return _answer(self.health.unready(), _failing(self.health.warned))

        async def metrics(_request: web.Request) -> web.Response:
            return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

        self.app.router.add_get("/health/startup", startup)
        self.app.router.add_get("/health/live", live)
        self.app.router.add_get("/health/ready", ready)
        self.app.router.add_get("/metrics", metrics)

    async def live(self, start: Callable[[Life], Awaitable[None]]) -> int:
        """From start to exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        self._health_routes()
        READY.set_function(lambda: not self.health.unready())
        async with self.resources:
            await start(self)
            runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=self.settings.drain_seconds)
            await runner.setup()
            server = await port.open_port(runner, self.settings.http_host, self.settings.http_port)
            self.spawn(watch_loop(), "loop lag")
            spare_garbage_collection()
            log.info("service.started", addresses=[str(one.getsockname()) for one in server.sockets])
            await self._ended.wait()
            await self._stop(runner, server)
        return 1 if self._failure else 0

    async def _stop(self, runner: web.AppRunner, server: asyncio.Server) -> None:
        self.health.stopping = True
        log.info("service.stopping")
        server.close()
        await runner.cleanup()
        for close in reversed(self._closing):
            try:
                async with asyncio.timeout(self.settings.drain_seconds):
                    await close()
            except Exception:
                log.exception("stop.failed", what=getattr(close, "__qualname__", repr(close)))
        await give_up(self._tasks, within=self.settings.drain_seconds)
        log.info("service.stopped")


def spare_garbage_collection() -> None:
    """What stands after the start stays: it need not be walked through again for every few hundred new objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def run(name: str, start: Callable[[Life], Awaitable[None]]) -> None:
    """The whole of a service's __main__: settings from the environment, then live until a signal comes."""
    try:
        settings = Settings()
    except ValidationError as error:
        names = ", ".join("PARLEY_" + str(item["loc"][0]).upper() for item in error.errors())
        sys.exit(f"{name}: the environment cannot be used: see {names}; `parley doctor` explains each variable")
    except Misconfigured as error:
        sys.exit(f"{name}: {error}")
    configure_logging(settings, name)
    try:
        sys.exit(asyncio.run(Life(name, settings).live(start)))
    except Misconfigured as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {error.strerror or error}; is port {settings.http_port} in use?")
