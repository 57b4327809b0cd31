"""A real browser, asked over the pipe of its DevTools protocol: what a page did once it was loaded."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FOLDER = Path(__file__).resolve().parents[2] / ".tools/browser"
"""Chromium's headless shell, and libraries that a bare machine lacks; `make .tools/browser/installed` unpacks them."""
SECONDS = 60.0
SETTLE = "new Promise(done => setTimeout(() => done(document.documentElement.outerHTML), 500))"
"""Long enough for what starts itself: focus, toggles, a refresh after no time."""


@dataclass(frozen=True, slots=True)
class Visit:
    """``requests``: addresses that were asked for, the page's own first. ``dialogs``: texts of alerts and the like."""

    dom: str
    requests: tuple[str, ...]
    dialogs: tuple[str, ...]


@dataclass
class Chromium:
    """One browser process; ``visit`` opens a page of its own each time."""

    profile: Path
    _seen: list[dict[str, Any]] = field(default_factory=list)
    _rest: bytes = b""
    _number: int = 0

    def __enter__(self) -> Self:
        if not (FOLDER / "chromium").exists():
            raise RuntimeError("the browser of the tests is missing: make .tools/browser/installed")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
        flags += [f"--user-data-dir={self.profile}", "--host-resolver-rules=MAP * ~NOTFOUND"]
        env = os.environ | {"LD_LIBRARY_PATH": str(FOLDER / "al2023/lib"), "HOME": str(self.profile)}
        asked, self._ask = os.pipe()
        self._told, tell = os.pipe()
        # The protocol's descriptors are 3 and 4.
        words = ["bash", "-c", f'exec 3<&{asked} 4>&{tell}; exec "$@"', "bash", str(FOLDER / "chromium"), *flags]
        self._process = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL, pass_fds=(asked, tell))
        os.close(asked)
        os.close(tell)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ask)
        os.close(self._told)

    def visit(self, path: Path) -> Visit:
        """What became of the page at ``path``."""
        self._seen.clear()
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self._call(f"{domain}.enable", session)
        self._call("Page.navigate", session, url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._seen):
            self._next()
        told = self._call("Runtime.evaluate", session, expression=SETTLE, awaitPromise=True)
        self._call("Target.closeTarget", targetId=target)
        asked = [event["params"] for event in self._seen if event["method"] == "Network.requestWillBeSent"]
        dialogs = [event["params"] for event in self._seen if event["method"] == "Page.javascriptDialogOpening"]
        return Visit(
            str(told["result"]["value"]),
            tuple(one["request"]["url"] for one in asked),
            tuple(one["message"] for one in dialogs),
        )

    def open_tab(self, width: int = 1280, height: int = 800, *, dark: bool = False) -> Tab:
        """A page of its own, of this size (pixels), that stays open."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        tab = Tab(self, target, self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Network", "Runtime", "Log"):
            tab.call(f"{domain}.enable")
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        tab.call("Emulation.setDeviceMetricsOverride", **shape)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        tab.call("Emulation.setEmulatedMedia", features=scheme)
        return tab

    def picture(self, path: Path, width: int, height: str) -> bytes:
        """The page at ``path`` as PNG, as high as the JavaScript ``height`` evaluates to, which can wait."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable", session)
        shape: dict[str, Any] = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", session, **shape)
        self._seen.clear()
        self._call("Page.navigate", session, url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._seen):
            self._next()
        found = self._call("Runtime.evaluate", session, expression=height, awaitPromise=True)
        self._call("Emulation.setDeviceMetricsOverride", session, **shape | {"height": int(found["result"]["value"])})
        shot = self._call("Page.captureScreenshot", session, format="png")
        self._call("Target.closeTarget", targetId=target)
        return base64.b64decode(shot["data"])

    def _call(self, method: str, session: str = "", **params: object) -> dict[str, Any]:
        self._number += 1
        number, asked = self._number, {"id": self._number, "method": method, "params": params}
        text = json.dumps(asked | ({"sessionId": session} if session else {}))
        os.write(self._ask, text.encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == number:
                if "result" not in found:
                    raise RuntimeError(f"{method}: {found.get('error')}")
                return dict(found["result"])

    def _next(self) -> dict[str, Any]:
        """The next message; events are kept, and dialogs answered, or the page would wait for ever."""
        while b"\0" not in self._rest:
            if not select.select([self._told], [], [], SECONDS)[0]:
                raise TimeoutError("the browser says nothing")
            data = os.read(self._told, 1 << 16)
            if not data:
                raise RuntimeError("the browser has ended")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        if "method" in found:
            self._seen.append(found)
            if found["method"] == "Page.javascriptDialogOpening":
                self._number += 1
                told = {"id": self._number, "method": "Page.handleJavaScriptDialog", "params": {"accept": False}}
                os.write(self._ask, json.dumps(told | {"sessionId": found["sessionId"]}).encode() + b"\0")
        return found


@dataclass(frozen=True, slots=True)
class Tab:
    """An open page."""

    browser: Chromium
    target: str
    session: str

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """One call of the protocol: https://chromedevtools.github.io/devtools-protocol/"""
        return self.browser._call(method, self.session, **params)

    def go(self, address: str) -> None:
        """Load the page at ``address``; events of before are forgotten."""
        self.browser._seen.clear()
        self.call("Page.navigate", url=address)
        while not self.events("Page.loadEventFired"):
            self.browser._next()

    def evaluate(self, script: str) -> Any:
        """What the JavaScript gives, as JSON; a promise is waited for. Raises RuntimeError for what it throws."""
        told = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(str(told["exceptionDetails"].get("exception", told["exceptionDetails"])))
        return told["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release a key by its DOM name and code, such as ``Tab``, 9."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def events(self, method: str) -> list[dict[str, Any]]:
        """The events of that name since the page was loaded."""
        own = (one for one in self.browser._seen if one.get("sessionId", self.session) == self.session)
        return [one["params"] for one in own if one["method"] == method]

    def complaints(self) -> list[str]:
        """What the browser's console says: errors, warnings, exceptions, violations of the page's policy."""
        console = self.events("Runtime.consoleAPICalled")
        texts = [
            f"{one['type']}: {[argument.get('value', argument.get('description')) for argument in one['args']]}"
            for one in console
            if one["type"] in ("error", "warning", "assert")
        ]
        texts += [str(one["exceptionDetails"]) for one in self.events("Runtime.exceptionThrown")]
        return texts + [str(one["entry"]["text"]) for one in self.events("Log.entryAdded")]

    def requests(self) -> list[str]:
        """The addresses that were asked for, the page's own first."""
        return [str(one["request"]["url"]) for one in self.events("Network.requestWillBeSent")]

    def screenshot(self, path: Path) -> None:
        """The viewport as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self.browser._call("Target.closeTarget", targetId=self.target)
