"""How fast a service over HTTP is asked about many companies: ``make bench-enrichment``.

A server on loopback, in a process of its own, answers each request after 200 ms. A provider of the playbook asks it
about 1,000 companies, with the ledger that keeps answers and costs, and then once more, when every answer is known.
Told is the time of both, and the first one's ratio to the least possible: 1,000 × 200 ms, shared by the connections.
Exit 1 when 1,000 look-ups take 10 s or longer. Writes ``build/bench-enrichment.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd

from leadgate import playbook as playbooks
from leadgate.connectors.http_provider import ServiceProvider
from leadgate.ledger import open_ledger
from leadgate.ledger.lookups import Lookups
from leadgate.playbook import HttpProvider
from leadgate.settings import Settings

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
_MOST_SECONDS = 10.0
_BODY = b'{"org": {"size": 120, "industry": "Software", "country": "Germany"}}'


def serve(told: Connection, seconds: float) -> None:
    """Answer each request after ``seconds``; tell the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(seconds)
                writer.write(head + _BODY)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(listen())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--companies", type=int, default=1_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=0.2, help="that one answer takes")
    asked = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, asked.seconds), daemon=True)
    server.start()
    try:
        seconds, again, answered = measure(here.recv(), asked.companies, asked.connections)
    finally:
        server.terminate()
        server.join()
    least = asked.companies * asked.seconds / asked.connections
    figures = {
        "companies": asked.companies,
        "connections": asked.connections,
        "answered": answered,
        "seconds": round(seconds, 2),
        "least_seconds": round(least, 2),
        "ratio": round(seconds / least, 2),
        "seconds_when_known": round(again, 3),
    }
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-enrichment.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"{answered:,} look-ups at {asked.seconds * 1000:g} ms over {asked.connections} connections: {seconds:.2f} s")
    print(f"  {seconds / least:.2f} times the least that is possible ({least:.2f} s)")
    print(f"  once more, from the ledger: {again:.3f} s")
    if answered < asked.companies or seconds * 1_000 / asked.companies >= _MOST_SECONDS:
        sys.exit(1)


def measure(port: int, companies: int, connections: int) -> tuple[float, float, int]:
    """Seconds of the first and of the second time, and how many companies were answered about."""
    declared = HttpProvider.model_validate(
        {
            "type": "http",
            "name": "bench",
            "url": f"http://127.0.0.1:{port}/companies?domain={{company_domain}}",
            "fields": {"employees": "org.size", "industry": "org.industry", "country": "org.country"},
            "allow_private": True,
            "per_second": 1_000,
            "connections": connections,
            "batch_timeout": "10m",
        }
    )
    rules = playbooks.load_default().playbook
    frame = pd.DataFrame(
        {"company_domain": [f"company{number}.example" for number in range(companies)]}
        | dict.fromkeys(declared.fields, pd.Series([None] * companies, dtype=object))
    )
    with tempfile.TemporaryDirectory() as home, open_ledger(Settings(home=Path(home))) as ledger:
        provider = ServiceProvider(declared, rules, Lookups(ledger), ledger.key, NOW)
        provider.look_up(frame.head(1).assign(company_domain="warm.example"))  # imports, and the first connection
        started = time.perf_counter()
        answers = provider.look_up(frame)
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        provider.look_up(frame)
        return seconds, time.perf_counter() - started, int(answers["employees"].notna().sum())


if __name__ == "__main__":
    main()
