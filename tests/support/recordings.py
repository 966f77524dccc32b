"""Recordings of a real kube-apiserver, replayed against another server, and how the answers differ.

What no two servers share (uids, versions, times, drawn names, hashes) is left out of the
comparison, and so is what the real server does in any order: causes of a refusal, and managed
fields of one second.
"""

import http.client
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.plane import ControlPlane

Json = Any
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"2026-11-\d\dT\d\d:\d\d:\d\dZ")
_DRAWN = re.compile(r"\b(b-|gold-)[a-z0-9]{5}\b")
_AGE = re.compile(r"\d+[smhd](\d+[smhd])?")
_HASH = re.compile(r"hash=[0-9A-Fa-f]+")
_OWN = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "continue")
_LEARNT = ("uid", "resourceVersion", "continue")


@dataclass(frozen=True)
class Answer:
    """What a server says: a status code, headers, and a body or the events of a watch."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Json:
        try:
            return json.loads(self.text)
        except ValueError:
            return self.text

    def events(self) -> list[Json]:
        return [json.loads(line) for line in self.text.splitlines()]


def call(
    plane: ControlPlane,
    method: str,
    path: str,
    body: Json = None,
    *,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send one request with the token of the control plane; a body that is no text becomes JSON."""
    trusted = ssl.create_default_context(cafile=str(plane.authority))
    connection = http.client.HTTPSConnection(
        urlsplit(plane.url).netloc, context=trusted, timeout=120
    )
    sent = {"User-Agent": "golden/1", "Authorization": f"Bearer {plane.token}"}
    sent |= {"Content-Type": "application/json"} if body is not None else {}
    sent |= headers or {}
    data = body if isinstance(body, bytes | str | None) else json.dumps(body)
    try:
        connection.request(
            method,
            path,
            body=data.encode() if isinstance(data, str) else data,
            headers={key: value for key, value in sent.items() if value},
        )
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


@dataclass
class Replay:
    """Replays scenarios in order: what one server drew is put in place of what another drew."""

    plane: ControlPlane
    drawn: dict[str, str] = field(default_factory=dict)

    def differences(self, step: Json) -> Iterator[str]:
        """Send a recorded request and yield each place where the answer is another one."""
        recorded = step["response"]
        answer = self._send(step["request"])
        if answer.status != recorded["status"]:
            yield f"status: {recorded['status']} became {answer.status}"
        if "events" in recorded:
            yield from compared(settled(recorded["events"]), settled(answer.events()))
        else:
            self.learn(recorded["body"], answer.json())
            yield from compared(settled(recorded["body"]), settled(answer.json()))
        for name, value in recorded["headers"].items():
            given = answer.headers.get(name, "")
            if given.replace("; ", ";") != value.replace("; ", ";"):
                yield f"header {name}: {value} became {given}"

    def learn(self, recorded: Json, answered: Json) -> None:
        """Remember what stands for a uid, version or drawn name of the recording from now on."""
        if isinstance(recorded, dict) and isinstance(answered, dict):
            learnt = [*_LEARNT, "name"] if "generateName" in recorded else _LEARNT
            for key, value in recorded.items():
                other = answered.get(key)
                if key in learnt and isinstance(value, str) and isinstance(other, str):
                    self._stand_in(value, other)
                self.learn(value, other)
        elif isinstance(recorded, list) and isinstance(answered, list):
            for one, other in zip(recorded, answered, strict=False):
                self.learn(one, other)

    def translated(self, text: str) -> str:
        for recorded in sorted(self.drawn, key=len, reverse=True):
            text = text.replace(recorded, self.drawn[recorded])
        return text

    def _stand_in(self, recorded: str, answered: str) -> None:
        if recorded not in ("", "0", "1") and recorded != answered:
            self.drawn[recorded] = answered

    def _send(self, request: Json) -> Answer:
        headers = {"Accept": request.get("accept"), "Content-Type": request.get("content_type")}
        if "authorization" in request:
            headers["Authorization"] = request["authorization"] or ""
        given = {key: value for key, value in headers.items() if value is not None}
        body = request.get("body")
        if body is not None:
            body = self.translated(body if isinstance(body, str) else json.dumps(body))
        # Every recorded watch had its events within its first moments.
        path = self.translated(request["path"]).replace("timeoutSeconds=2", "timeoutSeconds=1")
        return call(self.plane, request["method"], path, body, headers=given)


def scenario(directory: Path, name: str) -> Json:
    return json.loads((directory / f"{name}.json").read_text())


def settled(value: Json, key: str = "") -> Json:
    """Return a value without what differs from server to server, in an order of its own."""
    if isinstance(value, dict):
        if _is_refusal(value):
            value = value | {"message": sorted(re.split(r", |: \[|\]$", value["message"]))}
        return {name: settled(item, name) for name, item in value.items()}
    if isinstance(value, list):
        items = [settled(item, key) for item in value]
        if key in ("managedFields", "causes"):
            return {_label(item): item for item in items}
        return _by_name(items)
    if isinstance(value, str):
        return _settled_text(value, key)
    return value


def _label(item: Json) -> str:
    """Return what tells one managed field entry, or one cause, from the others."""
    keys = ("manager", "operation", "subresource", "field", "message")
    return " ".join(str(item[key]) for key in keys if key in item)


def _is_refusal(value: Json) -> bool:
    details = value.get("details")
    return value.get("kind") == "Status" and isinstance(details, dict) and "causes" in details


def _settled_text(text: str, key: str) -> str:
    if (key in _OWN and text) or (key == "cells" and _AGE.fullmatch(text)):
        return f"<{key}>"
    for pattern, stand_in in ((_UID, "<uid>"), (_TIME, "<time>"), (_HASH, "hash=<hash>")):
        text = pattern.sub(stand_in, text)
    return _DRAWN.sub(r"\1<drawn>", text)


def _by_name(items: list[Json]) -> Json:
    """Return a discovery list as a mapping, so that a missing kind does not shift all others."""
    for key in ("subresource", "resource", "name"):
        keys = {key, "verbs"}
        if items and all(isinstance(item, dict) and keys <= item.keys() for item in items):
            return {item[key]: item for item in items}
    if items and all(isinstance(item, dict) and "versions" in item for item in items):
        return {item.get("name") or item["metadata"].get("name", ""): item for item in items}
    return items


def compared(recorded: Json, answered: Json, path: str = "") -> Iterator[str]:
    """Yield the differences of two values, each with its path."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        for key in sorted(recorded.keys() | answered.keys()):
            where = f"{path}.{key}"
            if key not in recorded:
                yield f"{where}: added {_short(answered[key])}"
            elif key not in answered:
                yield f"{where}: missing {_short(recorded[key])}"
            else:
                yield from compared(recorded[key], answered[key], where)
    elif isinstance(recorded, list) and isinstance(answered, list):
        if len(recorded) != len(answered):
            yield f"{path}: {_short(recorded)} became {_short(answered)}"
            return
        for index, (one, other) in enumerate(zip(recorded, answered, strict=True)):
            yield from compared(one, other, f"{path}[{index}]")
    elif recorded != answered:
        yield f"{path}: {_short(recorded)} became {_short(answered)}"


def _short(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
