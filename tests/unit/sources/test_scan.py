"""What a scan reads, and what it says of what it cannot read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fastingress.objects import Ingress, ObjectKey
from fastingress.problems import Origin
from fastingress.sources.manifests import ManifestPathError, ManifestSource, yaml_text
from fastingress.sources.manifests.reading import MOST_BYTES
from fastingress.store import Upsert
from tests.unit.sources.manifests import file_of, ingress, scanned


def test_folders_are_read_with_all_that_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.yaml").write_text(file_of(ingress("a1"), "# nothing\n", ingress("a2")))
    (tmp_path / "deep" / "b.yml").write_text("---\n" + ingress("b"))
    (tmp_path / "deep" / "er" / "c.YAML").write_text(ingress("c"))
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / ".hidden.yaml").write_text(ingress("hidden"))
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "d.yaml").write_text(ingress("hidden"))
    for leftover in ("a.yaml~", ".a.yaml.swp", "4913", "#a.yaml#"):
        (tmp_path / leftover).write_text(ingress("hidden"))
    world = scanned(tmp_path)
    assert sorted(world.hosts()) == ["a1", "a2", "b", "c"]
    assert world.problems == {}
    assert world.history[0].parsed_documents == 4
    second = world.objects[ObjectKey("Ingress", "default", "a2")]
    assert second.origin == Origin(str(tmp_path / "a.yaml"), 17, 1)
    assert sorted(item.age for item in world.objects.values()) == [
        "1000/a.yaml#000000/default/a1",
        "1000/a.yaml#000001/default/a2",
        "1000/deep/b.yml#000000/default/b",
        "1000/deep/er/c.YAML#000000/default/c",
    ]


def test_a_file_is_named_as_the_user_named_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop").mkdir()
    Path("shop/a.yaml").write_text(ingress("a"))
    Path("one.conf").write_text(ingress("one"))
    batch = ManifestSource(["shop/", "one.conf"]).scan()
    origins = [str(change.object.origin) for change in batch.changes if isinstance(change, Upsert)]
    assert sorted(origins) == ["one.conf:1", "shop/a.yaml:1"]


def test_roots_age_in_the_order_given_and_one_inside_another_is_read_once(tmp_path: Path) -> None:
    for name in ("z", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.yaml").write_text(ingress(name))
    paths = [tmp_path / "z", tmp_path / "y", tmp_path / "y" / "same.yaml", tmp_path / "z" / ".." / "z"]
    world = scanned(*paths)
    ages = {item.metadata.name: item.age for item in world.objects.values()}
    assert ages == {"z": "1000/same.yaml#000000/default/z", "y": "1001/same.yaml#000000/default/y"}
    assert world.problems == {}


@pytest.mark.parametrize("missing", ["nowhere", "file.yaml/x"])
def test_a_path_that_is_not_there_names_itself_and_the_flag(tmp_path: Path, missing: str) -> None:
    (tmp_path / "file.yaml").write_text("")
    with pytest.raises(ManifestPathError, match=rf"--manifests .*{missing}: no"):
        ManifestSource([tmp_path / missing]).scan()
    with pytest.raises(ManifestPathError, match="--manifests"):
        ManifestSource([]).scan()


def test_a_path_that_is_neither_file_nor_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ManifestPathError, match="neither a file nor a folder"):
        ManifestSource([tmp_path / "pipe.yaml"]).scan()
    assert scanned(tmp_path).objects == {}, "a pipe in a folder is not waited for"


def test_json_and_lists(tmp_path: Path) -> None:
    one = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "one"},
        "spec": {"ports": [{"port": 80}]},
    }
    bare = {"metadata": {"name": "bare"}, "spec": {"ports": [{"port": 80}]}}
    broken = {**one, "metadata": {"name": "Broken"}}
    (tmp_path / "a.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [one, broken, 5]}))
    (tmp_path / "b.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "ServiceList", "items": [bare]}))
    (tmp_path / "c.yaml").write_text(
        "kind: List\napiVersion: v1\nitems:\n- kind: Ingress\n\n- kind: Pod\n  apiVersion: v1\n"
    )
    world = scanned(tmp_path)
    assert sorted(key.name for key in world.objects) == ["bare", "one"]
    assert [(problem.code, problem.message.partition(":")[0]) for problem in world.all_problems()] == [
        ("InvalidField", "items[1]"),
        ("InvalidObject", "items[2]"),
        ("InvalidObject", "items[0]"),
    ]
    assert world.all_problems()[2].origin == Origin(str(tmp_path / "c.yaml"), 4, 0)


def test_one_bad_document_is_one_problem_with_its_line(tmp_path: Path) -> None:
    bad = ingress("bad").replace("Prefix", "prefix")
    (tmp_path / "a.yaml").write_text(file_of(ingress("a"), "kind: [\n", bad, ingress("b")))
    world = scanned(tmp_path)
    assert sorted(world.hosts()) == ["a", "b"]
    first, second = world.all_problems()
    path = str(tmp_path / "a.yaml")
    assert (first.code, first.object, first.origin) == ("InvalidYAML", None, Origin(path, 16, 1))
    assert (second.code, str(second.object), second.origin) == (
        "InvalidField",
        "Ingress default/bad",
        Origin(path, 17, 2),
    )


def test_files_that_cannot_be_read_are_problems(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    with (tmp_path / "large.yaml").open("wb") as large:
        large.truncate(MOST_BYTES + 1)
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + ingress("bom").encode())
    (tmp_path / "wide.yaml").write_bytes(ingress("wide").encode("utf-16"))
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.yaml").symlink_to("self.yaml")
    world = scanned(tmp_path)
    assert sorted(world.hosts()) == ["bom", "wide"]
    assert [(problem.code, problem.origin and problem.origin.line) for problem in world.all_problems()] == [
        ("UnreadableFile", 1),
        ("UnreadableFile", 1),
        ("InvalidEncoding", 2),
        ("UnreadableFile", 1),
    ]


def test_what_has_the_name_of_a_manifest_and_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "null.json").symlink_to(os.devnull)
    os.mkfifo(tmp_path / "pipe.yml")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.yaml").mkdir()
    source = ManifestSource([tmp_path])
    for _ in range(2):
        problems = source.scan().problems
        assert {Path(path).name: [str(one.message) for one in found] for path, found in problems.items()} == {
            "gone.yaml": ["cannot be read: it is a link to nothing"],
            "null.json": ["cannot be read: it is a character device, and no file"],
            "pipe.yml": ["cannot be read: it is a named pipe, and no file"],
        }
    for path in tmp_path.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()
    assert not any(source.scan().problems.values())


def test_names_that_are_not_text_are_problems(tmp_path: Path) -> None:
    for name in (b"\xff.yaml", b"\xfe"):
        path = os.fsencode(tmp_path) + b"/" + name
        if name.endswith(b".yaml"):
            Path(os.fsdecode(path)).write_text(ingress("a"))
        else:
            Path(os.fsdecode(path)).mkdir()
    (tmp_path / "é.yaml").write_text(ingress("b"))
    world = scanned(tmp_path)
    assert list(world.hosts()) == ["b"]
    assert [problem.code for problem in world.all_problems()] == ["UnreadablePath", "UnreadablePath"]
    assert "\\udcff.yaml" in str(world.all_problems())
    assert all(str(problem).encode() for problem in world.all_problems())


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    stamp = tmp_path / "..2026_01_01"
    stamp.mkdir()
    (stamp / "a.yaml").write_text(ingress("a"))
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    world = scanned(tmp_path)
    assert list(world.hosts()) == ["a"]
    assert world.problems == {}


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.yaml").write_text(ingress("a"))
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "there").symlink_to(elsewhere)
    (root / "deep" / "up").symlink_to(root)
    assert list(scanned(root).hosts()) == ["a"]


def test_the_first_of_two_definitions_counts_and_the_other_names_both_places(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(file_of(ingress("x", "b1"), ingress("x", "b2")))
    (tmp_path / "a.yaml").write_text(file_of("# heading\n", ingress("x", "a")))
    world = scanned(tmp_path)
    assert world.hosts() == {"x": "a"}
    assert world.codes() == ["DuplicateObject", "DuplicateObject"]
    problem = world.all_problems()[1]
    assert problem.origin == Origin(str(tmp_path / "b.yaml"), 15, 1)
    assert f"{tmp_path}/a.yaml:3 counts" in problem.message
    assert f"{tmp_path}/b.yaml:15 is ignored" in problem.message


def test_a_copied_uid_does_not_make_two_objects_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text = ingress(name).replace("  namespace: default", "  uid: same\n  creationTimestamp: 2026-01-01T00:00:00Z")
        (tmp_path / f"{name}.yaml").write_text(text)
    world = scanned(tmp_path)
    assert sorted(item.metadata.uid for item in world.objects.values()) == [
        "manifest/Ingress/default/a",
        "manifest/Ingress/default/b",
    ]
    assert len({item.age for item in world.objects.values()}) == 2


def test_a_second_scan_says_all_again_and_parses_only_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(file_of(ingress("a"), ingress("b"), "x: [\n"))
    source = ManifestSource([tmp_path])
    assert source.scan().parsed_documents == 3
    again = source.scan()
    assert (len(again.changes), again.parsed_documents, list(again.problems)) == (2, 0, [str(path)])
    path.write_text(file_of("# moved down\n", ingress("c"), ingress("b")))
    third = source.scan()
    assert third.parsed_documents == 1
    assert third.problems == {str(path): []}
    objects = [change.object for change in third.changes if isinstance(change, Upsert)]
    assert sorted(item.metadata.name for item in objects if isinstance(item, Ingress)) == ["b", "c"]
    assert len(third.changes) == 3, "and one is gone"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_out_of_range_keeps_one_object_out_and_no_other(tmp_path: Path, time: str) -> None:
    bad = ingress("bad").replace("  name: bad\n", f'  name: bad\n  creationTimestamp: "{time}"\n', 1)
    (tmp_path / "a.yaml").write_text(file_of(ingress("a"), bad, ingress("b")))
    world = scanned(tmp_path)
    assert sorted(world.hosts()) == ["a", "b"]
    (problem,) = world.problems[str(tmp_path / "a.yaml")]
    assert (problem.code, problem.object and problem.object.name) == ("InvalidField", "bad")


def test_a_document_that_breaks_its_reader_is_one_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = yaml_text.parse

    def breaking(text: str) -> yaml_text.Document:
        if "name: bad" in text:
            raise RecursionError("too deep")
        return parse(text)

    monkeypatch.setattr(yaml_text, "parse", breaking)
    (tmp_path / "a.yaml").write_text(file_of(ingress("a"), ingress("bad"), ingress("b")))
    world = scanned(tmp_path)
    assert sorted(world.hosts()) == ["a", "b"]
    (problem,) = world.problems[str(tmp_path / "a.yaml")]
    assert (problem.code, problem.severity) == ("InternalError", "error")
    assert problem.origin == Origin(str(tmp_path / "a.yaml"), 15, 1)
