"""The labelling page's server: who is let in, what comes out of clips, several people at once, a kill in the middle."""

from __future__ import annotations

import io
import os
import shutil
import socket
import sqlite3
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from PIL import Image

from benchmarks.labelling import CLASSES, Crowd, Server
from earmark import UserError
from earmark.cli import main
from earmark.labelling import store
from earmark.labelling.project import find_project, open_project
from earmark.server import pictures
from earmark.server.security import Rules, host_of
from earmark.server.serving import Address, addresses, bound, check_address, link_token
from earmark.server.shelf import Shelf
from earmark.server.sound import Sounds, key_of
from serving import RATE, Served, begun, make_sounds

JSON = {"content-type": "application/json"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Six tones, one of three classes asked for."""
    with Served(begun(make_sounds(tmp_path / "tones")), tmp_path / "kept") as one:
        yield one


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url) as one:
        yield one


def post(client: httpx.Client, change: str, /, **body: object) -> dict[str, Any]:
    """What a change gives, which must be well."""
    reply = client.post(f"/api/{change}", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def problem(reply: httpx.Response, status: int) -> str:
    assert reply.status_code == status, reply.text
    return reply.json()["error"]["text"]


# ---- a session ----


def test_a_session_from_the_name_to_the_last_clip(client: httpx.Client, served: Served) -> None:
    assert client.get("/api/project").json()["question"]["classes"] == ["saxophone", "vocals", "piano"]
    me = post(client, "enter", name="  Ann  ")["annotator"]
    assert me["name"] == "Ann"
    tasks = post(client, "next", annotator=me["id"], n=2)["tasks"]
    seen = []
    while tasks:
        clip = tasks[0]["clip"]["id"]
        seen.append(clip)
        reply = post(
            client, "answer", annotator=me["id"], clip=clip, answer={"label": "piano"}, token=f"t{clip}", n=2
        )
        assert reply["saved"]["replaces"] is False
        tasks = reply["tasks"]
    assert sorted(seen) == [1, 2, 3, 4, 5, 6]
    progress = client.get("/api/progress", params={"annotator": me["id"]}).json()["progress"]
    assert progress == {
        "mine": 6,
        "everybody": 6,
        "total": 6,
        "per_class": [["saxophone", 0], ["vocals", 0], ["piano", 6]],
    }
    assert len(served.project.said().answers) == 6


def test_two_annotators_never_have_the_same_clip(client: httpx.Client) -> None:
    ids = [post(client, "enter", name=name)["annotator"]["id"] for name in ("Ann", "Ben")]
    given = [{one["clip"]["id"] for one in post(client, "next", annotator=i, n=3)["tasks"]} for i in ids]
    assert given[0] | given[1] == {1, 2, 3, 4, 5, 6}
    assert not given[0] & given[1]


def test_the_same_answer_sent_twice_is_one_and_a_second_one_is_told(client: httpx.Client) -> None:
    post(client, "enter", name="Ann")
    clip = post(client, "next", annotator=1, n=1)["tasks"][0]["clip"]["id"]
    send = {"annotator": 1, "clip": clip, "answer": {"label": "piano"}, "token": "once"}
    first, again = post(client, "answer", **send)["saved"], post(client, "answer", **send)["saved"]
    assert (first["id"], again["repeated"]) == (again["id"], True)
    other_tab = post(client, "answer", **{**send, "answer": {"label": "vocals"}, "token": "other"})
    assert other_tab["saved"]["replaces"] is True
    assert other_tab["progress"]["mine"] == 1


def test_undo_walks_back_through_ones_own_answers(client: httpx.Client) -> None:
    post(client, "enter", name="Ann")
    order = []
    for n in range(3):
        clip = post(client, "next", annotator=1, n=1)["tasks"][0]["clip"]["id"]
        order.append(clip)
        answer = {"label": "piano", "comment": f"number {n}"}
        post(client, "answer", annotator=1, clip=clip, answer=answer, token=str(n))
    before: int | None = None
    for n in (2, 1, 0):
        task = post(client, "undo", annotator=1, before=before)["task"]
        assert task["clip"]["id"] == order[n]
        assert task["answer"] == {"label": "piano", "comment": f"number {n}"}
        before = task["clip"]["id"]
    assert post(client, "undo", annotator=1, before=before)["task"] is None


def test_disagreements_are_shown_with_who_said_what_and_settled(tmp_path: Path) -> None:
    project = begun(make_sounds(tmp_path / "tones", 2), overlap=2)
    with Served(project, tmp_path / "kept") as served, httpx.Client(base_url=served.url) as client:
        for i, (name, label) in enumerate((("Ann", "piano"), ("Ben", "vocals")), 1):
            post(client, "enter", name=name)
            post(client, "answer", annotator=i, clip=1, answer={"label": label}, token="1")
            post(client, "answer", annotator=i, clip=2, answer={"label": "piano"}, token="2")
        found = client.get("/api/disagreements").json()
        assert found["total"] == 1
        task = found["tasks"][0]
        assert (task["clip"]["id"], task["settle"]) == (1, True)
        assert task["said"] == [
            {"name": "Ann", "answer": {"label": "piano"}},
            {"name": "Ben", "answer": {"label": "vocals"}},
        ]
        post(client, "settle", annotator=1, clip=1, answer={"label": "vocals"}, token="settled")
        assert client.get("/api/disagreements").json() == {"total": 0, "tasks": []}


# ---- sound and pictures ----


def test_a_clip_is_heard_as_it_was_recorded_and_by_ranges(client: httpx.Client, served: Served) -> None:
    whole = client.get("/clip/1/wav")
    assert whole.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(whole.content)) as heard:
        assert (heard.getframerate(), heard.getnchannels(), heard.getnframes()) == (RATE, 1, RATE)
        samples = np.frombuffer(heard.readframes(RATE), "<i2") / 32768
    truth, _ = soundfile.read(served.project.clip(1).path)
    assert np.abs(samples - truth).max() < 1e-4
    part = client.get("/clip/1/wav", headers={"range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert part.content == whole.content[100:200]
    assert client.get("/clip/1/wav", headers={"range": "bytes=-50"}).content == whole.content[-50:]
    assert client.get("/clip/1/wav", headers={"range": "bytes=99999999-"}).status_code == 416


@pytest.mark.parametrize("form", ["flac", "ogg", "aiff", "mp3"])
def test_every_format_is_heard_as_wav(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    soundfile.write(folder / f"tone.{form}", tone, RATE)
    project = begun(folder)
    data = Sounds(tmp_path / "kept").get(project.clip(1), "wav")
    with wave.open(str(data)) as heard:
        samples = np.frombuffer(heard.readframes(RATE), "<i2") / 32768
    assert np.argmax(np.abs(np.fft.rfft(samples[: RATE // 2]))) * 2 == pytest.approx(1000, abs=4)
    project.close()


@pytest.mark.parametrize(("rate", "heard_at"), [(4000, 8000), (96000, 48000)])
def test_rates_that_browsers_do_not_play_are_changed_and_the_picture_keeps_its_own(
    tmp_path: Path, rate: int, heard_at: int
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    soundfile.write(folder / "a.wav", 0.3 * np.sin(2 * np.pi * 700 * np.arange(rate) / rate), rate)
    with Served(begun(folder), tmp_path / "kept") as served, httpx.Client(base_url=served.url) as client:
        with wave.open(io.BytesIO(client.get("/clip/1/wav").content)) as heard:
            assert (heard.getframerate(), heard.getnframes()) == (heard_at, heard_at)
        assert client.get("/clip/1/json").json()["axes"]["linear"]["hz"][-1] == rate / 2


@pytest.mark.parametrize("scale", pictures.SCALES)
@pytest.mark.parametrize("hertz", [400.0, 3000.0])
def test_a_tone_lights_the_height_that_the_axis_gives_it(scale: pictures.Scale, hertz: float) -> None:
    tone = (0.3 * np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE)).astype(np.float32)
    image = Image.open(io.BytesIO(pictures.spectrogram(pictures.power(tone, RATE), RATE, scale)))
    shades = np.asarray(image).astype(float)
    row = shades.mean(axis=1).argmax()
    axis = pictures.axis(RATE, scale)
    heights = np.linspace(0, 1, len(axis["hz"]))
    height = np.interp(hertz, np.array(axis["hz"], float), heights)
    assert 1 - (row + 0.5) / len(shades) == pytest.approx(height, abs=1.5 / pictures.ROWS)


def test_a_click_lights_its_column_and_its_place_in_the_waveform() -> None:
    silence = np.full(RATE, 1e-4, np.float32)
    silence[RATE // 4] = 0.9
    shades = np.asarray(
        Image.open(io.BytesIO(pictures.spectrogram(pictures.power(silence, RATE), RATE, "mel")))
    )
    columns = shades.astype(float).mean(axis=0)
    assert columns.argmax() / len(columns) == pytest.approx(0.25, abs=0.02)
    drawn = np.asarray(Image.open(io.BytesIO(pictures.waveform(silence))))
    assert drawn.sum(axis=0).argmax() / drawn.shape[1] == pytest.approx(0.25, abs=0.005)


def test_long_clips_have_pictures_of_the_same_size() -> None:
    rng = np.random.default_rng(0)
    for seconds in (0.05, 1, 300):
        power = pictures.power(rng.standard_normal(round(seconds * 8000)).astype(np.float32), 8000)
        assert power.shape[1] <= 1.6 * pictures.COLUMNS
        level = 10 * np.log10(power.mean())
        assert level == pytest.approx(10 * np.log10(3 / 8 * (len(power) - 1) * 2), abs=1.5)


def test_silence_is_a_clip_too(tmp_path: Path) -> None:
    folder = make_sounds(tmp_path / "quiet", 1)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    with Served(begun(folder), tmp_path / "kept") as served, httpx.Client(base_url=served.url) as client:
        ids = [i for i in (1, 2) if served.project.clip(i).file == "silent.wav"]
        look = client.get(f"/clip/{ids[0]}/json").json()
        assert (look["seconds"], look["peak_db"]) == (1.0, None)
        assert np.asarray(Image.open(io.BytesIO(client.get(f"/clip/{ids[0]}/mel.png").content))).max() == 0
        with wave.open(io.BytesIO(client.get(f"/clip/{ids[0]}/wav").content)) as heard:
            assert heard.getnframes() == RATE


def test_a_clip_is_made_once_and_a_changed_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = begun(make_sounds(tmp_path / "tones", 1))
    sounds, clip = Sounds(tmp_path / "kept"), project.clip(1)
    first = sounds.get(clip, "wav")
    assert isinstance(first, Path)
    made = first.stat().st_mtime_ns
    assert sounds.get(clip, "mel.png") != first
    assert Sounds(tmp_path / "kept").get(clip, "wav") == first
    assert first.stat().st_mtime_ns == made
    key = key_of(clip)
    soundfile.write(clip.path, np.full(RATE, 0.2), RATE)
    assert key_of(clip) != key
    project.close()


# ---- what goes wrong ----


def test_a_folder_that_is_gone_is_said_and_answers_are_still_taken(
    client: httpx.Client, served: Served
) -> None:
    post(client, "enter", name="Ann")
    shutil.move(served.project.root / "tone 0.wav", served.project.root / "elsewhere.wav")
    gone = next(i for i in range(1, 7) if served.project.clip(i).file == "tone 0.wav")
    assert "there is no such file" in problem(client.get(f"/clip/{gone}/wav"), 404)
    assert {one["clip"]["version"] for one in post(client, "next", annotator=1, n=6)["tasks"]} >= {"gone"}
    assert post(client, "answer", annotator=1, clip=gone, answer={"skip": "other"}, token="1")["saved"]


def test_a_locked_database_is_told_as_something_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.3)
    project = begun(make_sounds(tmp_path / "tones", 1))
    send = {"annotator": 1, "clip": 1, "answer": {"label": "piano"}, "token": "1"}
    with Served(project, tmp_path / "kept") as served, httpx.Client(base_url=served.url) as client:
        post(client, "enter", name="Ann")
        with closing(sqlite3.connect(project.store.where, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert "locked" in problem(client.post("/api/answer", json=send), 503)
            other.execute("ROLLBACK")
        assert post(client, "answer", **send)["saved"]["repeated"] is False


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("enter", {"name": "a" * 10_000}, 422, "10,000 characters"),
        ("enter", {"name": "\u200b\n"}, 422, "visible characters"),
        ("enter", {"name": 7}, 422, "wanted text"),
        ("enter", {}, 422, "wanted text"),
        ("next", {"annotator": "1"}, 422, "wanted a number"),
        ("next", {"annotator": True}, 422, "wanted a number"),
        ("next", {"annotator": 2**40}, 422, "wanted a number"),
        ("answer", {"annotator": 1, "clip": 99, "answer": {"label": "piano"}, "token": "1"}, 422, "none of number 99"),
        ("answer", {"annotator": 9, "clip": 1, "answer": {"label": "piano"}, "token": "1"}, 422, "none of number 9"),
        ("answer", {"annotator": 1, "clip": 1, "answer": {"label": "pino"}, "token": "1"}, 422, "not one of"),
        ("answer", {"annotator": 1, "clip": 1, "answer": None, "token": "1"}, 422, "wanted an object"),
        ("answer", {"annotator": 1, "clip": 1, "answer": {"label": "piano"}, "token": ""}, 422, "token"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(
    client: httpx.Client, name: str, body: object, status: int, words: str
) -> None:
    post(client, "enter", name="Ann")
    assert words in problem(client.post(f"/api/{name}", json=body), status)


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"", 400), (b"[1]", 400), (b'{"a": NaN}', 400), (b"[" * 100_000, 400), (b"\xff", 400), (b" " * 300_000, 413),
     (b'{"annotator": ' + b"9" * 5000 + b"}", 400)],
)  # fmt: skip
def test_requests_that_are_no_json_or_too_long_are_refused(
    client: httpx.Client, data: bytes, status: int
) -> None:
    reply = client.post("/api/answer", content=data, headers=JSON)
    assert reply.status_code == status
    assert reply.json()["error"]["problem"]


def test_hostile_names_go_over_the_wire_unharmed(tmp_path: Path) -> None:
    evil = ["<script>alert(1)<\xa0script>.wav", "a\nb\"'.wav", os.fsdecode(b"caf\xe9.wav")]
    folder = make_sounds(tmp_path / "evil", 3, names=evil)
    with Served(begun(folder), tmp_path / "kept") as served, httpx.Client(base_url=served.url) as client:
        post(client, "enter", name="Ann")
        tasks = post(client, "next", annotator=1, n=3)["tasks"]
        assert sorted(one["clip"]["file"] for one in tasks) == sorted(evil)
        assert all(client.get(f"/clip/{i}/wav").status_code == 200 for i in (1, 2, 3))


def test_no_path_leaves_the_page_or_the_folder(client: httpx.Client, served: Served) -> None:
    secret = served.project.root.parent / "secret.wav"
    secret.write_bytes(b"secret")
    for path in (
        "/clip/../secret.wav", "/clip/1/..%2f..%2fsecret.wav", "/clip/1/secret", "/clip/99/wav", "/clip/-1/wav",
        "/clip/a/wav", "/web/../server/app.py", "/web/..%2fserver%2fapp.py", "/web/%2e%2e/server/app.py",
        "/labels.sqlite", "/clip/999999999999999999999/wav",
    ):  # fmt: skip
        reply = client.get(path)
        assert reply.status_code in (400, 404, 422), path
        assert b"secret" not in reply.content or b"no such part" in reply.content


def test_reads_change_nothing_and_changes_are_no_reads(client: httpx.Client) -> None:
    for name in ("enter", "next", "touch", "answer", "undo", "settle"):
        assert client.get(f"/api/{name}").status_code == 405
    for name in ("project", "progress", "disagreements"):
        assert client.post(f"/api/{name}", json={}).status_code == 405


# ---- who is let in ----


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:{port}", 200), ("127.0.0.1:{port}", 200), ("[::1]:{port}", 200), ("LOCALHOST", 200),
     ("evil.example", 403),
     ("127.0.0.1.evil.example:{port}", 403), ("localhost.evil.example", 403), ("192.168.1.2:{port}", 403),
     ("", 403)],
)  # fmt: skip
def test_without_a_link_only_local_names_are_answered(
    client: httpx.Client, served: Served, host: str, status: int
) -> None:
    reply = client.get("/api/project", headers={"host": host.format(port=served.port)})
    assert reply.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:{port}"}, 200),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)  # fmt: skip
def test_changes_come_from_the_own_page_as_json(
    client: httpx.Client, served: Served, headers: dict[str, str], status: int
) -> None:
    sent = {**JSON, **{name: value.format(port=served.port) for name, value in headers.items()}}
    assert client.post("/api/enter", content=b'{"name": "Ann"}', headers=sent).status_code == status


def test_a_shared_page_wants_the_link_once(tmp_path: Path) -> None:
    rules = Rules("t" * 32, "earmark-1")
    with Served(begun(make_sounds(tmp_path / "tones", 1)), tmp_path / "kept", rules) as served:
        with httpx.Client(base_url=served.url) as client:
            for path in (
                "/",
                "/api/project",
                "/web/main.js",
                "/clip/1/wav",
                "/?key=",
                "/?key=wrong",
                "/?key=" + "ü" * 32,
            ):
                assert client.get(path).status_code == 403
            assert client.get("/api/project?key=" + "t" * 32).status_code == 403, (
                "the link is to the page alone"
            )
            entered = client.get("/?key=" + "t" * 32)
            assert (entered.status_code, entered.headers["location"]) == (303, "/")
            assert "HttpOnly" in entered.headers["set-cookie"]
            assert "samesite=lax" in entered.headers["set-cookie"].lower()
            assert client.get("/").status_code == 200
            assert client.get("/api/project", headers={"host": "studio.example"}).status_code == 200
            assert client.get("/?key=" + "t" * 32).status_code == 303, "the token leaves the address bar"
        for cookie in ("earmark-1=wrong", "earmark-1", ";;;=", "other=" + "t" * 32):
            assert httpx.get(served.url, headers={"cookie": cookie}).status_code == 403


def test_every_answer_keeps_the_page_to_itself(client: httpx.Client) -> None:
    for path in ("/", "/api/project", "/clip/1/wav", "/web/main.js", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert client.get("/api/project").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("header", "name"),
    [("localhost:80", "localhost"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("Host", "host"), ("", ""), ("::1", "")],
)  # fmt: skip
def test_hosts_are_told_from_ports(header: str, name: str) -> None:
    assert host_of(header) in (name, ":")  # "::1" without brackets is no Host header


def test_the_link_stays_the_same_and_is_for_ones_own_eyes(tmp_path: Path) -> None:
    token = link_token("p", tmp_path)
    assert len(token) >= 32
    assert link_token("p", tmp_path) == token
    assert link_token("other", tmp_path) != token
    assert (tmp_path / ".link-p").stat().st_mode & 0o777 == 0o600


def test_a_port_that_is_taken_is_told_with_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=rf"--port {port}: another program listens there already.*--port 0"
        ) as error:
            bound(Address(port=port))
        assert "is free" in error.value.remedy


def test_hosts_beyond_this_machine_need_share() -> None:
    with pytest.raises(UserError, match="Add --share"):
        check_address(Address(host="0.0.0.0"))
    check_address(Address(host="0.0.0.0", share=True))
    with pytest.raises(UserError, match="cannot be listened to"):
        bound(Address(host="203.0.113.7", share=True))
    assert addresses(Address(host="0.0.0.0", share=True), 7, "k")[0] == "http://127.0.0.1:7/?key=k"
    assert addresses(Address(host="::1"), 7, None) == ["http://[::1]:7/"]


# ---- the shelf ----


def test_a_shelf_throws_away_what_was_not_used_for_longest(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, ("a", "b"), most_bytes=1000)
    for i in range(12):
        path = shelf.get(f"k{i}", "a", lambda: {"a": b"x" * 90, "b": b"y" * 10})
        assert isinstance(path, Path)
        os.utime(tmp_path / f"k{i}.a", (1000 + i, 1000 + i))
        os.utime(tmp_path / f"k{i}.b", (1000 + i, 1000 + i))
    left = {path.name.split(".")[0] for path in tmp_path.iterdir()}
    assert "k11" in left
    assert "k0" not in left
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000


def test_a_shelf_that_cannot_be_written_keeps_things_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    shelf, made = Shelf(tmp_path / "file" / "shelf", ("a",)), []
    for _ in range(2):
        assert shelf.get("k", "a", lambda: made.append(1) or {"a": b"x"}) == b"x"
    assert made == [1]


def test_sounds_from_memory_have_ranges_too(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("in the way")
    with Served(begun(make_sounds(tmp_path / "tones", 1)), tmp_path / "kept" / "x") as served:
        whole = httpx.get(served.url + "clip/1/wav")
        part = httpx.get(served.url + "clip/1/wav", headers={"range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, whole.content[4:8])
        assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
        assert (
            httpx.get(served.url + "clip/1/wav", headers={"range": "bytes=-4"}).content == whole.content[-4:]
        )
        assert httpx.get(served.url + "clip/1/wav", headers={"range": "bytes=99999999-"}).status_code == 416


# ---- the command ----


def test_the_command_serves_until_ctrl_c_and_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = make_sounds(tmp_path / "tones", 2)
    ask = ("--ask", "saxophone,piano", "--port", "0", "--clip", "0.5")
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {tmp_path}/opened\n")
    browser.chmod(0o755)
    program = Server(str(folder), *ask, browser=str(browser))
    with httpx.Client(base_url=program.url) as client:
        post(client, "enter", name="Ann")
        post(client, "answer", annotator=1, clip=1, answer={"label": "piano"}, token="1")
    assert (tmp_path / "opened").read_text().strip() == program.url
    code, said = program.interrupt()
    assert code == 0, said
    assert "Traceback" not in said
    assert "labels.sqlite" in said.splitlines()[-1]
    again = Server(str(folder), "--port", "0")
    try:
        with httpx.Client(base_url=again.url) as client:
            progress = post(client, "enter", name="ann")["progress"]
        assert (progress["mine"], progress["total"]) == (1, 4)
    finally:
        again.kill()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{tones}"], 2, "found no classes to ask for"),
        (["{tones}", "--ask", "a,b", "--host", "0.0.0.0"], 1, "Add --share"),
        (["{tones}/missing", "--ask", "a,b"], 1, "missing"),
        (["{empty}", "--ask", "a,b"], 1, "there is no sound file in it"),
        (["{tones}", "--ask", "a,b", "--kind", "yes-no"], 1, "asked of one class"),
    ],
)
def test_the_command_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"tones": make_sounds(tmp_path / "tones", 1), "empty": tmp_path / "empty"}
    given = [one.format(**places) for one in arguments]
    assert main(["label", *given, "--port", "0", "--no-browser"]) == code
    assert words in capsys.readouterr().err
    assert find_project(places["tones"]) is None


def test_another_question_than_it_began_with_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_sounds(tmp_path / "tones", 1)
    begun(folder).close()
    assert main(["label", str(folder), "--ask", "a,b", "--port", "0", "--no-browser"]) == 2
    assert "another question" in capsys.readouterr().err
    assert main(["label", str(folder), "--clip", "1", "--port", "0", "--no-browser"]) == 2
    assert "when labelling began" in capsys.readouterr().err


# ---- several people, and a power cut ----


def test_no_answer_is_lost_or_doubled_when_the_server_is_killed(tmp_path: Path, database: str) -> None:
    folder = make_sounds(tmp_path / "tones", 4, seconds=30.0)
    where = (str(folder), "--db", database)
    program = Server(*where, "--ask", ",".join(CLASSES), "--clip", "0.5", "--port", "0")
    crowd = Crowd(program.url, n=4)
    crowd.start()
    crowd.wait_for(60)
    program.kill()
    port = program.url.rsplit(":", 1)[1].rstrip("/")
    program = Server(*where, "--port", port)
    try:
        crowd.finish(seconds=90)
    finally:
        program.kill()
    project = open_project(database)
    faults = crowd.faults(project)
    project.close()
    assert len(crowd.acknowledged) == 240
    assert faults == []
    assert crowd.n_failed > 0, "the kill came while they were at it"
