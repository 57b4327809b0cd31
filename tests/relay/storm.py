"""``make relay-storm``: thousands of webhooks through two relays, under every fault we know, each effective once."""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from modelwatch.clients.github import GitHubClient
from modelwatch.clients.retry import RetryPolicy
from modelwatch.relay.run_election import RunElection
from modelwatch.testing.standins.faults import Fault, FaultQueue
from modelwatch.testing.standins.pagerduty.webhooks import WebhookSender

from .world import FILE, SECRET, WORKFLOW, RelayProcess, github_server, incident, raw

NEXT_SECRET = "second-" * 7
REPOSITORIES = {f"PSERVICE{number}": f"acme/model-{number}" for number in range(5)}
CONFIG = "[services]\n" + "\n".join(f'{service} = "{name}"' for service, name in REPOSITORIES.items())
SCALE = 0.005
"""Of PagerDuty's waits: 10 s become 50 ms."""
TROUBLES: tuple[tuple[str, float, str, dict[str, object]], ...] = (
    ("401", 0.005, "status", {"status": 401}),
    ("403", 0.005, "status", {"status": 403}),
    ("404", 0.005, "status", {"status": 404}),
    ("422", 0.005, "status", {"status": 422}),
    ("429 with Retry-After", 0.002, "status", {"status": 429, "headers": (("retry-after", "5"),)}),
    ("403 secondary limit", 0.002, "status", {"status": 403, "headers": (("retry-after", "5"),)}),
    ("500", 0.01, "status", {"status": 500}),
    ("502 after the effect", 0.01, "status", {"status": 502, "when": "after"}),
    ("reset", 0.01, "reset", {}),
    ("reset after the effect", 0.01, "reset", {"when": "after"}),
    ("dropped after the effect", 0.01, "drop", {"when": "after"}),
    ("4 s slow, after the effect", 0.001, "delay", {"when": "after", "seconds": 4.0}),
    ("4 s slow", 0.001, "delay", {"seconds": 4.0}),
    ("kill -9 of the relay", 0.0008, "kill", {}),
    ("kill -9 after the effect", 0.0008, "kill", {"when": "after"}),
)


class Weather(FaultQueue):
    """Strikes dispatches at random; a kill takes either relay."""

    def __init__(self, seed: int, relays: dict[str, RelayProcess], often: float) -> None:
        super().__init__()
        self.struck: Counter[str] = Counter()
        self.calm = False
        self._random = random.Random(seed)
        self._relays = relays
        self._often = often
        self._seen = 0
        self._guard = threading.Lock()

    def match(self, method: str, path: str, body: bytes) -> Fault | None:
        if self.calm or method != "POST" or not path.endswith("/dispatches"):
            return None
        with self._guard:
            self._seen += 1
            # The first ones of each kind come for sure, so that a small storm has them all.
            name, what, more = self._due(self._seen)
            if not name:
                return None
            self.struck[name] += 1
            victim = self._random.choice(list(self._relays.values()))
            pid = (lambda: victim.pid) if what == "kill" else None
            return Fault(what, pid=pid, **more)  # type: ignore[arg-type]

    def _due(self, seen: int) -> tuple[str, str, dict[str, object]]:
        place, rest = divmod(seen, 7)
        if rest == 0 and 0 < place <= len(TROUBLES):
            name, _, what, more = TROUBLES[place - 1]
            return name, what, more
        dice = self._random.random()
        for name, share, what, more in TROUBLES:
            dice -= share * self._often
            if dice < 0:
                return name, what, more
        return "", "", {}


@dataclass
class Result:
    """What a storm came to."""

    webhooks: int
    seconds: float = 0.0
    delivered: int = 0
    deliveries: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    dispatches: int = 0
    effects: Counter[str] = field(default_factory=Counter)
    guards: int = 0
    forged: int = 0
    forged_through: int = 0
    dropped: int = 0
    starts: int = 0
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def twice(self) -> list[str]:
        return [name for name, count in self.effects.items() if count > 1]

    @property
    def holds(self) -> bool:
        once = len(self.effects) == self.webhooks and not self.twice
        return once and not self.lost and not self.dropped and not self.forged_through


class Storm:
    """Two relays that know nothing of each other, one GitHub, and a PagerDuty that delivers at least once."""

    def __init__(self, folder: Path, webhooks: int, seed: int = 1, often: float = 1.0) -> None:
        self.result = Result(webhooks)
        self._ending = threading.Event()
        self._github, token = github_server()
        for repository in REPOSITORIES.values():
            self._github.standin.state.add_repo(repository, files={f".github/workflows/{WORKFLOW}": FILE})
        self._relays = {
            name: RelayProcess(folder / name, self._github.url, token, config=CONFIG) for name in ("a", "b")
        }
        self._weather = Weather(seed, self._relays, often)
        self._github._faults = self._weather
        self._random = random.Random(seed)

    def run(self) -> Result:
        result, began = self.result, time.monotonic()
        with ExitStack() as stack:
            stack.enter_context(self._github)
            for relay in self._relays.values():
                stack.enter_context(relay)
            result.starts = len(self._relays)
            keepers = [threading.Thread(target=job, daemon=True) for job in (self._keep, *[self._forge] * 4)]
            for keeper in keepers:
                keeper.start()
            turn = iter(range(10**9))
            addresses = [f"{relay.url}/pagerduty" for relay in self._relays.values()]
            courier = WebhookSender(
                lambda: addresses[next(turn) % 2], [SECRET], workers=12, wait_scale=SCALE, redeliver_every=9
            )
            with courier:
                names = self._send(courier)
                if not courier.wait(1_800):
                    raise RuntimeError("webhooks are still on their way after half an hour")
            self._weather.calm = True
            self._ending.set()
            for keeper in keepers:
                keeper.join(30)
            result.seconds = time.monotonic() - began
            result.delivered, result.dropped = len(courier.delivered), len(courier.dropped)
            result.deliveries, result.struck = courier.status_counts, self._weather.struck
            self._judge(names)
        return result

    def _send(self, courier: WebhookSender) -> list[str]:
        """Every webhook, in three thirds: one secret, both while it is rotated, the other."""
        total = self.result.webhooks
        names = [f"EVENT-{number}" for number in range(total)]
        self._random.shuffle(names)
        for place, name in enumerate(names):
            if place == total // 3:
                self._rotate(courier, [NEXT_SECRET, SECRET])
            elif place == 2 * total // 3:
                self._rotate(courier, [NEXT_SECRET])
            courier.send(incident(name, service={"id": f"PSERVICE{place % len(REPOSITORIES)}"}))
            while courier._open > 200:
                time.sleep(0.005)
        return names

    def _rotate(self, courier: WebhookSender, secrets: list[str]) -> None:
        """As it is done: the relays learn the new secret before PagerDuty uses it, and forget the old one later."""
        for relay in self._relays.values():
            relay.secrets_file.write_text("\n".join(dict.fromkeys([*secrets, *courier.secrets])) + "\n")
        courier.secrets = secrets

    def _keep(self) -> None:
        """What a container platform does: start again what has died."""
        while not self._ending.wait(0.05):
            for relay in self._relays.values():
                if relay.process is not None and relay.process.poll() is not None:
                    with suppress(RuntimeError):  # killed again while it started
                        self.result.starts += 1
                        relay.start()

    def _forge(self) -> None:
        number = 0
        while not self._ending.wait(0.02):
            number += 1
            relay = self._relays["ab"[number % 2]]
            try:
                answer = relay.post(raw(incident(f"FORGED-{number}")), ("guess",))
            except OSError:
                continue
            self.result.forged += 1
            # A relay that is being killed may answer nothing, or that it is busy.
            self.result.forged_through += 200 <= answer.status < 300

    def _judge(self, names: list[str]) -> None:
        """Each workflow run with a twin asks the guard; of those that are alone every hundredth does."""
        state = self._github.standin.state
        homes = {number: home for home in REPOSITORIES.values() for number in state.repo(home).runs.items}
        runs = {number: state.repo(home).runs.items[number] for number, home in homes.items()}
        self.result.dispatches = len(runs)
        by_name: dict[str, list[int]] = {}
        for number, run in sorted(runs.items()):
            by_name.setdefault(run.title.rpartition(" ")[2], []).append(number)
        self.result.forged_through += sum(name.startswith("FORGED") for name in by_name)
        self.result.lost = [name for name in names if name not in by_name]
        asking: list[tuple[str, int]] = []
        for place, (name, numbers) in enumerate(by_name.items()):
            if len(numbers) > 1 or place % 100 == 0:
                asking += [(name, number) for number in numbers]
            else:
                self.result.effects[name] += 1
        token = state.add_token(permissions={"actions": "read"})
        local = threading.local()
        self._github.requests.clear()

        def ask(asked: tuple[str, int]) -> str:
            name, number = asked
            if not hasattr(local, "client"):
                local.client = GitHubClient(self._github.url, token, RetryPolicy(initial_wait=0.0))
            run = runs[number]
            guard = RunElection(
                local.client,
                homes[number],
                WORKFLOW,
                lambda: run.created,
                settle_seconds=0.0,
                poll_interval=0.1,
                clock_tolerance=1.0,
            )
            first = runs[by_name[name][0]]
            return name if guard.decide(name, number, first.created).proceed else ""

        self._random.shuffle(asking)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(ask, asking))
        self.result.guards = len(asking)
        self.result.effects.update(name for name in found if name)


def table(result: Result) -> str:
    """For people."""
    many = result.dispatches - len(result.effects)
    statuses = ", ".join(f"{status or 'none'} {count:,}" for status, count in sorted(result.deliveries.items()))
    rows = [
        ("webhooks", f"{result.webhooks:,} in {result.seconds:.0f} s"),
        ("deliveries by answer", statuses),
        ("faults of GitHub", f"{sum(result.struck.values()):,}"),
        *((f"  {name}", f"{result.struck[name]:,}") for name, *_ in TROUBLES),
        ("starts of the two relays", f"{result.starts}"),
        ("forged webhooks, through", f"{result.forged:,}, {result.forged_through}"),
        ("workflow runs", f"{result.dispatches:,}, of which {many:,} too many"),
        ("asked the guard over HTTP", f"{result.guards:,}: every one with a twin, and every 100th without"),
        ("effective exactly once", f"{sum(count == 1 for count in result.effects.values()):,}"),
        ("effective twice", f"{len(result.twice)}"),
        ("lost", f"{len(result.lost)}"),
        ("dropped by PagerDuty", f"{result.dropped}"),
    ]
    return "\n".join(f"{name:<28} {value}" for name, value in rows)


def main(words: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        result = Storm(Path(folder), int(words[0]) if words else 10_000).run()
    print(table(result))
    print("holds" if result.holds else "DOES NOT HOLD")
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
