"""Edits, with real files and inotify: what reaches the consumer, and what never does."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path

import pytest
from asyncinotify import Event, Inotify, Mask, Watch

from fastingress.problems import Origin
from fastingress.sources.manifests import ManifestPathError, ManifestSource, reading
from fastingress.sources.manifests.watching import Watcher
from tests.unit.sources.manifests import World, file_of, ingress, move_into_place, scanned, watching


def test_an_edit_parses_and_tells_one_document(tmp_path: Path) -> None:
    names = [f"i{number}" for number in range(100)]
    path = tmp_path / "a.yaml"
    path.write_text(file_of(*map(ingress, names)))

    async def scenario(world: World) -> None:
        assert len(world.hosts()) == 100
        path.write_text(file_of(*(ingress(name, "new" if name == "i42" else "") for name in names)))
        batch = await world.next()
        assert (len(batch.changes), batch.parsed_documents) == (1, 1)
        assert world.hosts()["i42"] == "new"
        move_into_place(path, file_of(*map(ingress, names)))
        await world.until(lambda: world.hosts()["i42"] == "i42")

    watching(tmp_path, scenario)


@pytest.mark.parametrize("leases", [True, False])
def test_a_file_written_slowly_is_read_when_it_is_closed(
    tmp_path: Path, leases: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not leases:
        monkeypatch.setattr(reading, "_open_for_writing", lambda handle: None)
    path = tmp_path / "a.yaml"
    path.write_text(file_of(ingress("a"), ingress("b")))
    other = tmp_path / "other.yaml"

    async def scenario(world: World) -> None:
        with path.open("w") as file:
            for round_number, part in enumerate(("", ingress("a", "half"), "---\n" + ingress("b", "half"))):
                file.write(part)
                file.flush()
                other.write_text(ingress("other", f"o{round_number}"))
                await world.until_host("other", f"o{round_number}")
                assert (world.hosts()["a"], world.hosts()["b"]) == ("a", "b")
        await world.until(lambda: world.hosts()["a"] == "half")
        assert world.hosts()["b"] == "half"

    watching(tmp_path, scenario)


def test_a_file_that_is_open_for_writing_is_left_alone_by_a_walk_too(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ingress("a"))

    async def scenario(world: World) -> None:
        with path.open("w"):
            (tmp_path / "sub").mkdir()
            (tmp_path / "sub" / "b.yaml").write_text(ingress("b"))
            await world.until(lambda: "b" in world.hosts())
            assert "a" in world.hosts()
        await world.until(lambda: "a" not in world.hosts())

    watching(tmp_path, scenario)


def test_a_file_that_is_open_for_writing_at_the_start_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    file = path.open("w")
    file.write(ingress("a"))
    file.flush()

    async def scenario(world: World) -> None:
        assert (world.hosts(), world.codes()) == ({}, ["BeingWritten"])
        file.write("---\n" + ingress("b"))
        file.close()
        await world.until(lambda: sorted(world.hosts()) == ["a", "b"] and world.codes() == [])

    watching(tmp_path, scenario)


def test_a_file_that_still_counts_as_open_after_its_close_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ingress("a"))
    answers = iter([True, True, True, True])
    really = reading._open_for_writing

    async def scenario(world: World) -> None:
        monkeypatch.setattr(reading, "_open_for_writing", lambda handle: next(answers, None) or really(handle))
        path.write_text(ingress("a", "a2"))
        await world.until_host("a", "a2")
        assert next(answers, None) is None

    watching(tmp_path, scenario)


def test_a_file_that_goes_while_it_is_written_is_not_waited_for(tmp_path: Path) -> None:
    source = ManifestSource([tmp_path])

    async def run() -> None:
        batches = source.watch()
        world = World(batches)
        await world.next()
        with (tmp_path / "a.yaml").open("w") as file:
            file.write(ingress("a"))
            file.flush()
            (tmp_path / "b.yaml").write_text(ingress("b"))
            await world.until_host("b", "b")
            (tmp_path / "a.yaml").unlink()
        (tmp_path / "b.yaml").write_text(ingress("b", "b2"))
        await world.until_host("b", "b2")
        assert source._next_deadline() is None
        await batches.aclose()

    asyncio.run(run())


def test_a_folder_that_cannot_be_watched_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yaml").write_text(ingress("a"))
    add_watch = Inotify.add_watch

    def stingy(self: Inotify, path: str, mask: Mask) -> Watch:
        if path.endswith("deep"):
            raise OSError(errno.ENOSPC, "no space")
        return add_watch(self, path, mask)

    monkeypatch.setattr(Inotify, "add_watch", stingy)

    async def scenario(world: World) -> None:
        assert (world.hosts(), world.codes()) == ({"a": "a"}, ["UnwatchedFolder"])
        (problem,) = world.all_problems()
        assert "fs.inotify.max_user_watches" in problem.message
        monkeypatch.setattr(Inotify, "add_watch", add_watch)
        (tmp_path / "other").mkdir()
        await world.until(lambda: world.codes() == [])

    watching(tmp_path, scenario)


def test_a_file_that_stops_parsing_keeps_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(file_of(ingress("a"), ingress("b")))

    async def scenario(world: World) -> None:
        path.write_text(file_of(ingress("a", "a2"), ingress("b") + "  broken: [\n"))
        await world.until(lambda: world.codes() == ["InvalidYAML"])
        assert world.hosts() == {"a": "a2", "b": "b"}
        path.write_bytes(b"\xff")
        await world.until(lambda: world.codes() == ["InvalidEncoding"])
        assert world.hosts() == {"a": "a2", "b": "b"}
        path.write_text(ingress("b", "b2"))
        await world.until(lambda: world.codes() == [])
        assert world.hosts() == {"b": "b2"}

    watching(tmp_path, scenario)


def test_an_object_that_is_refused_keeps_its_last_good_form_until_it_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(file_of(ingress("a"), ingress("b")))

    async def scenario(world: World) -> None:
        path.write_text(file_of(ingress("a", "a2"), ingress("b").replace("Prefix", "prefix")))
        await world.until(lambda: world.codes() == ["InvalidField"])
        assert world.hosts() == {"a": "a2", "b": "b"}
        path.write_text(ingress("a", "a2"))
        await world.until(lambda: world.codes() == [])
        assert world.hosts() == {"a": "a2"}

    watching(tmp_path, scenario)


def test_deleting_a_file_or_a_folder_removes_its_objects(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.yaml").write_text(ingress("a"))
    (tmp_path / "deep" / "er" / "b.yaml").write_text(ingress("b"))

    async def scenario(world: World) -> None:
        (tmp_path / "a.yaml").unlink()
        await world.until(lambda: list(world.hosts()) == ["b"])
        shutil.rmtree(tmp_path / "deep")
        await world.until(lambda: world.hosts() == {})

    watching(tmp_path, scenario)


def test_a_file_that_is_removed_and_written_anew_is_never_missed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ingress("a"))

    async def scenario(world: World) -> None:
        for number in range(20):
            if number % 2:
                path.rename(tmp_path / "a.yaml~")
            else:
                path.unlink()
            path.write_text(ingress("a", f"h{number}"))
            await world.until_host("a", f"h{number}")
        assert [change for batch in world.history for change in batch.changes if not hasattr(change, "object")] == []

    watching(tmp_path, scenario)


def test_moving_a_file_between_folders_is_seamless(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "a.yaml").write_text(ingress("a"))

    async def scenario(world: World) -> None:
        (tmp_path / "one" / "a.yaml").rename(tmp_path / "two" / "a.yaml")
        path = str(tmp_path / "two" / "a.yaml")
        await world.until(lambda: {item.origin.path for item in world.objects.values() if item.origin} == {path})
        (tmp_path / "two").rename(tmp_path / "three")
        path = str(tmp_path / "three" / "a.yaml")
        await world.until(lambda: {item.origin.path for item in world.objects.values() if item.origin} == {path})
        (tmp_path / "three" / "a.yaml").write_text(ingress("a", "moved"))
        await world.until(lambda: world.hosts() == {"a": "moved"})
        for batch in world.history:
            assert batch.problems == {}
            assert all(hasattr(change, "object") for change in batch.changes)

    watching(tmp_path, scenario)


def test_new_folders_are_watched_with_what_is_in_them(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        (tmp_path / "x" / "y").mkdir(parents=True)
        (tmp_path / "x" / "y" / "a.yaml").write_text(ingress("a"))
        await world.until(lambda: "a" in world.hosts())
        (tmp_path / "x" / "y" / "b.yaml").write_text(ingress("b"))
        await world.until(lambda: "b" in world.hosts())
        elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
        elsewhere.mkdir()
        (elsewhere / "c.yaml").write_text(ingress("c"))
        (tmp_path / "link").symlink_to(elsewhere)
        await world.until(lambda: "c" in world.hosts())
        (elsewhere / "c.yaml").write_text(ingress("c", "c2"))
        await world.until(lambda: world.hosts()["c"] == "c2")
        (tmp_path / "link").unlink()
        await world.until(lambda: "c" not in world.hosts())

    watching(tmp_path, scenario)


def test_a_linked_file_is_followed_to_where_it_is(tmp_path: Path) -> None:
    target = tmp_path.parent / f"{tmp_path.name}.target"
    target.write_text(ingress("a"))
    (tmp_path / "a.yaml").symlink_to(target)
    (tmp_path / "hard").mkdir()

    async def scenario(world: World) -> None:
        assert world.hosts() == {"a": "a"}
        target.write_text(ingress("a", "edited"))
        await world.until(lambda: world.hosts() == {"a": "edited"})
        second = tmp_path.parent / f"{tmp_path.name}.second"
        second.write_text(ingress("b"))
        os.link(second, tmp_path / "hard" / "b.yaml")
        await world.until(lambda: "b" in world.hosts())

    watching(tmp_path, scenario)


def test_a_mounted_config_map_is_swapped_at_once(tmp_path: Path) -> None:
    def publish(stamp: str, host: str) -> None:
        (tmp_path / stamp).mkdir()
        for name in ("a", "b"):
            (tmp_path / stamp / f"{name}.yaml").write_text(ingress(name, host))
        (tmp_path / "..data_tmp").symlink_to(stamp)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    publish("..1", "first")
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").symlink_to(f"..data/{name}.yaml")

    async def scenario(world: World) -> None:
        assert world.hosts() == {"a": "first", "b": "first"}
        publish("..2", "second")
        await world.until(lambda: world.hosts()["b"] == "second")
        assert world.hosts()["a"] == "second"
        assert all(len(batch.changes) in (0, 2) for batch in world.history)
        shutil.rmtree(tmp_path / "..1")
        publish("..3", "third")
        await world.until(lambda: world.hosts() == {"a": "third", "b": "third"})
        assert world.problems == {}

    watching(tmp_path, scenario)


def test_a_root_may_go_and_come_back(tmp_path: Path) -> None:
    root = tmp_path / "outer" / "root"
    root.mkdir(parents=True)
    (root / "a.yaml").write_text(ingress("a"))

    async def scenario(world: World) -> None:
        shutil.rmtree(tmp_path / "outer")
        await world.until(lambda: world.hosts() == {} and world.codes() == ["ManifestsGone"])
        root.mkdir(parents=True)
        (root / "b.yaml").write_text(ingress("b"))
        await world.until(lambda: world.hosts() == {"b": "b"} and world.codes() == [])
        fresh = tmp_path / "fresh"
        fresh.mkdir()
        (fresh / "b.yaml").write_text(ingress("b", "b2"))
        root.rename(tmp_path / "old")
        fresh.rename(root)
        await world.until(lambda: world.hosts() == {"b": "b2"} and world.codes() == [])
        (root / "b.yaml").write_text(ingress("b", "b3"))
        await world.until(lambda: world.hosts() == {"b": "b3"})

    watching(root, scenario)


def test_a_root_behind_a_link_is_swapped(tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        (tmp_path / name / "manifests").mkdir(parents=True)
        (tmp_path / name / "manifests" / "a.yaml").write_text(ingress("a", name))
    (tmp_path / "current").symlink_to("v1")

    async def scenario(world: World) -> None:
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").rename(tmp_path / "current")
        await world.until(lambda: world.hosts() == {"a": "v2"})
        (tmp_path / "v2" / "manifests" / "a.yaml").write_text(ingress("a", "edited"))
        await world.until(lambda: world.hosts() == {"a": "edited"})

    watching(tmp_path / "current" / "manifests", scenario)


def test_a_single_file_is_watched(tmp_path: Path) -> None:
    path = tmp_path / "only.conf"
    path.write_text(ingress("a"))

    async def scenario(world: World) -> None:
        path.write_text(ingress("a", "a2"))
        await world.until(lambda: world.hosts() == {"a": "a2"})
        move_into_place(path, ingress("a", "a3"))
        await world.until(lambda: world.hosts() == {"a": "a3"})
        path.unlink()
        await world.until(lambda: world.hosts() == {})
        path.write_text(ingress("a", "a4"))
        await world.until(lambda: world.hosts() == {"a": "a4"})

    watching(path, scenario)


def test_a_single_file_may_come_back_broken(tmp_path: Path) -> None:
    path = tmp_path / "only.yaml"
    path.write_text(ingress("a"))

    async def scenario(world: World) -> None:
        path.unlink()
        await world.until(lambda: world.codes() == ["ManifestsGone"] and world.hosts() == {})
        path.write_text("kind: [")
        await world.until(lambda: world.codes() == ["InvalidYAML"])
        path.write_text(ingress("a"))
        await world.until(lambda: world.codes() == [] and world.hosts() == {"a": "a"})

    watching(path, scenario)


def test_the_second_definition_takes_over_when_the_first_goes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ingress("x", "first"))
    (tmp_path / "b.yaml").write_text(ingress("x", "second"))

    async def scenario(world: World) -> None:
        assert (world.hosts(), world.codes()) == ({"x": "first"}, ["DuplicateObject"])
        (tmp_path / "a.yaml").unlink()
        await world.until(lambda: world.hosts() == {"x": "second"} and world.codes() == [])
        (tmp_path / "a.yaml").write_text(ingress("x", "first"))
        await world.until(lambda: world.hosts() == {"x": "first"} and world.codes() == ["DuplicateObject"])
        (tmp_path / "b.yaml").write_text(ingress("y"))
        await world.until(lambda: world.hosts() == {"x": "first", "y": "y"} and world.codes() == [])

    watching(tmp_path, scenario)


def test_a_burst_is_few_batches(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for number in range(300):
            (tmp_path / f"{number:03}.yaml").write_text(ingress(f"i{number}"))
        await world.until(lambda: len(world.hosts()) == 300)
        assert len(world.history) < 30

    watching(tmp_path, scenario)


def test_lost_events_are_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(ingress("a"))
    (tmp_path / "b.yaml").write_text(ingress("b"))
    (tmp_path / "x").touch()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    masks: list[Mask] = []
    note = Watcher._note

    def overheard(self: Watcher, event: Event) -> None:
        masks.append(event.mask)
        note(self, event)

    monkeypatch.setattr(Watcher, "_note", overheard)

    async def scenario(world: World) -> None:
        for _ in range(limit // 4 + 1):
            (tmp_path / "x").rename(tmp_path / "y")
            (tmp_path / "y").rename(tmp_path / "x")
        (tmp_path / "a.yaml").write_text(ingress("a", "a2"))
        (tmp_path / "b.yaml").unlink()
        (tmp_path / "c.yaml").write_text(ingress("c"))
        await world.until(lambda: world.hosts() == {"a": "a2", "c": "c"})
        assert any(mask & Mask.Q_OVERFLOW for mask in masks)

    watching(tmp_path, scenario)


def test_a_watch_ends_like_a_fresh_start(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        (tmp_path / "b.yaml").write_text(file_of(ingress("x", "b"), ingress("y")))
        await world.until(lambda: len(world.objects) == 2)
        (tmp_path / "a.yaml").write_text(file_of(ingress("z"), ingress("x", "a"), "x: [\n"))
        await world.until(lambda: len(world.objects) == 3)
        (tmp_path / "b.yaml").write_text(file_of("# a heading\n", ingress("w"), ingress("y")))
        await world.until(lambda: len(world.objects) == 4)
        fresh = scanned(tmp_path)
        assert world.objects == fresh.objects
        assert world.problems == fresh.problems

    watching(tmp_path, scenario)


@pytest.mark.parametrize("target", [".", "..", "../deep"])
def test_a_link_in_a_circle_gives_no_file_a_second_name(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()

    async def scenario(world: World) -> None:
        (folder / "a.yaml").write_text(ingress("a"))
        await world.until_host("a", "a")
        (folder / "loop").symlink_to(target)
        (folder / "z.yaml").write_text(ingress("z"))
        await world.until(lambda: "z" in world.hosts())
        (folder / "q.yaml").write_text(ingress("q"))
        await world.until(lambda: "q" in world.hosts())
        (folder / "q.yaml").write_text(ingress("q", "q2"))
        await world.until_host("q", "q2")
        (folder / "a.yaml").unlink()
        await world.until(lambda: "a" not in world.hosts())
        fresh = scanned(tmp_path)
        assert world.objects == fresh.objects
        assert world.problems == fresh.problems
        assert world.codes() == []

    watching(tmp_path, scenario)


def test_only_a_folder_s_manifests_count_as_edits(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ingress("a"))

    async def scenario(world: World) -> None:
        for leftover in (".a.yaml.swp", "4913", "a.yaml~", ".#a.yaml", "notes.txt"):
            (tmp_path / leftover).write_text("kind: [")
            (tmp_path / leftover).unlink()
        path.write_text(path.read_text())
        path.write_text(ingress("a", "a2"))
        batch = await world.next()
        assert [len(batch.changes), len(batch.problems)] == [1, 0]
        assert world.hosts() == {"a": "a2"}

    watching(tmp_path, scenario)


def test_a_scan_and_a_watch_of_the_same_source_go_on_from_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ingress("a"))
    source = ManifestSource([tmp_path])
    world = World()
    world.take(source.scan())
    (tmp_path / "b.yaml").write_text(ingress("b") + "bad: 1\n")

    async def run() -> None:
        batches = source.watch()
        batch = await anext(batches)
        await batches.aclose()
        world.take(batch)
        assert [len(batch.changes), batch.parsed_documents] == [1, 1]
        assert sorted(world.hosts()) == ["a", "b"]
        (problem,) = world.all_problems()
        assert problem.origin == Origin(str(tmp_path / "b.yaml"), 1, 0)

    asyncio.run(run())


def test_a_path_that_is_not_there_at_the_start_ends_the_watch(tmp_path: Path) -> None:
    async def run() -> None:
        with pytest.raises(ManifestPathError, match="--manifests"):
            await anext(ManifestSource([tmp_path / "nowhere"]).watch())

    asyncio.run(run())


def test_a_link_that_loses_its_file_is_told_and_its_objects_go(tmp_path: Path) -> None:
    target, folder = tmp_path / "there.yaml", tmp_path / "folder"
    target.write_text(ingress("a"))
    folder.mkdir()
    (folder / "a.yaml").symlink_to(target)

    async def scenario(world: World) -> None:
        target.unlink()
        await world.until(lambda: not world.hosts() and world.codes() == ["UnreadableFile"])
        (folder / "a.yaml").unlink()
        await world.until(lambda: world.codes() == [])
        os.mkfifo(folder / "b.yaml")
        await world.until(lambda: world.codes() == ["UnreadableFile"])
        move_into_place(folder / "b.yaml", ingress("b"))
        await world.until(lambda: "b" in world.hosts() and world.codes() == [])

    watching(folder, scenario)
