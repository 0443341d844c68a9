"""Edits of the folder are live a moment later, and cost nobody a request."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support import manifests
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Manifest, Rule, ingress, service


@pytest.mark.parametrize("write", [manifests.write, manifests.write_in_place], ids=["moved", "in place"])
def test_an_edit_is_live(serve: Serve, backends: Backends, write: object) -> None:
    assert callable(write)
    gateway = serve(
        service("a", backends("a")), service("b", backends("b")), files={"web": [ingress("web", Rule("a"))]}
    )
    assert gateway.get("/").text == "a"
    write(gateway.folder / "web.yaml", ingress("web", Rule("b")))
    gateway.until(lambda: gateway.get("/").text == "b")


def test_deleting_a_file_removes_its_objects(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), files={"web": [ingress("web", Rule("web"))]})
    assert gateway.get("/").status == 200
    gateway.remove("web")
    gateway.until(lambda: gateway.get("/").status == 404)


def test_a_new_folder_is_followed(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")))
    folder = gateway.folder / "team" / "shop"
    folder.mkdir(parents=True)
    manifests.write_in_place(folder / "web.yaml", ingress("web", Rule("web")))
    gateway.until(lambda: gateway.get("/").status == 200)


def test_a_file_that_stops_parsing_keeps_what_was_read(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), files={"web": [ingress("web", Rule("web"))]})
    gateway.put_text("web", "kind: Ingress\n  bad: [indent")
    problems = gateway.until(gateway.problems)
    assert any("web.yaml" in str(problem) for problem in problems)
    assert gateway.get("/").text == "web"
    gateway.put("web", ingress("web", Rule("web", "/fixed")))
    gateway.until(lambda: gateway.get("/").status == 404)
    assert gateway.get("/fixed").text == "web"
    gateway.until(lambda: gateway.problems() == [])


def test_a_file_that_is_emptied_and_rewritten_slowly_loses_nothing(serve: Serve, backends: Backends) -> None:
    def at(name: str, path: str = "/") -> Manifest:
        return ingress(name, Rule("web", path, host=f"{name}.example"))

    def status(name: str, path: str = "/") -> int:
        return gateway.get(path, host=f"{name}.example").status

    gateway = serve(service("web", backends("web")), files={"two": [at("one"), at("two")]})
    with (gateway.folder / "two.yaml").open("w", encoding="utf-8") as file:
        file.write(manifests.text(at("one")))
        file.flush()
        gateway.put("other", at("other"))
        gateway.until(lambda: status("other") == 200)
        assert (status("one"), status("two")) == (200, 200)
        file.write("---\n" + manifests.text(at("two", "/changed")))
    gateway.until(lambda: status("two") == 404)
    assert (status("one"), status("two", "/changed")) == (200, 200)


def test_a_mounted_config_map_swap_is_followed(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("a", backends("a")), service("b", backends("b")))
    mount = gateway.folder / "mount"
    _mount(mount, "1", ingress("web", Rule("a")))
    gateway.until(lambda: gateway.get("/").text == "a")
    _mount(mount, "2", ingress("web", Rule("b")))
    gateway.until(lambda: gateway.get("/").text == "b")


def test_json_and_lists_are_read(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("a", backends("a")), service("b", backends("b")))
    both = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [ingress("a", Rule("a", host="a.example")), ingress("b", Rule("b", host="b.example"))],
    }
    (gateway.folder / "both.json").write_text(json.dumps(both), encoding="utf-8")
    gateway.until(lambda: gateway.get("/", host="b.example").text == "b")
    assert gateway.get("/", host="a.example").text == "a"


def test_other_kinds_are_ignored_quietly(serve: Serve, backends: Backends) -> None:
    other: Manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {}}
    gateway = serve(other, service("web", backends("web")), ingress("web", Rule("web")))
    assert gateway.get("/").status == 200
    assert gateway.problems() == []


def test_one_bad_object_harms_nobody(serve: Serve, backends: Backends) -> None:
    bad = ingress("bad", Rule("web", "no-slash"))
    gateway = serve(service("web", backends("web")), bad, ingress("good", Rule("web", "/good")))
    assert gateway.get("/good").status == 200
    problem = next(problem for problem in gateway.problems() if problem["object"]["name"] == "bad")
    assert problem["severity"] == "error"
    assert problem["origin"]["line"] > 0


def _mount(folder: Path, version: str, *objects: Manifest) -> None:
    """Writes a version of a volume as a kubelet does: a folder of its own, then one rename of the link `..data`."""
    folder.mkdir(exist_ok=True)
    (folder / f"..{version}").mkdir()
    manifests.write_in_place(folder / f"..{version}" / "web.yaml", *objects)
    link = folder / "..data_tmp"
    link.symlink_to(f"..{version}")
    os.replace(link, folder / "..data")  # noqa: PTH105 (says plainly that it replaces)
    if not (folder / "web.yaml").is_symlink():
        (folder / "web.yaml").symlink_to(Path("..data") / "web.yaml")
