"""Any history of edits ends where a fresh start ends: the same objects at the same places, and the same problems."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sources.manifests import World, file_of, ingress, move_into_place, scanned, watching

Edit = tuple[str, str, str, list[str]]

FOLDERS = st.sampled_from(["", "one", "two", "two/deep"])
FILES = st.sampled_from(["a.yaml", "b.yaml"])
DOCUMENTS = st.lists(
    st.one_of(
        st.builds(ingress, st.sampled_from("xyz"), st.sampled_from(["h1", "h2"])),
        st.just("# a comment\n"),
        st.just("kind: Pod\napiVersion: v1\n"),
    ),
    max_size=4,
)
EDITS: st.SearchStrategy[Edit] = st.one_of(
    st.tuples(st.sampled_from(["write", "move into place"]), FOLDERS, FILES, DOCUMENTS),
    st.tuples(st.sampled_from(["delete", "delete folder", "link"]), FOLDERS, FILES, st.just([])),
    st.tuples(st.just("rename"), FOLDERS, FOLDERS, st.just([])),
)


def make(root: Path, edit: Edit) -> None:
    what, folder, name, documents = edit
    if what == "rename":
        source, target = root / folder, root / f"{name.replace('/', '-')}-renamed"
        if folder and source.is_dir() and not target.exists():
            source.rename(target)
        return
    (root / folder).mkdir(parents=True, exist_ok=True)
    path = root / folder / name
    if what == "write":
        path.write_text(file_of(*documents))
    elif what == "move into place":
        move_into_place(path, file_of(*documents))
    elif what == "delete":
        path.unlink(missing_ok=True)
    elif what == "delete folder" and folder:
        shutil.rmtree(root / folder)
    elif what == "link" and not path.exists() and (root / "a.yaml").exists():
        path.symlink_to(root / "a.yaml")


@settings(max_examples=40, deadline=None)
@given(before=st.lists(EDITS, max_size=4), edits=st.lists(st.tuples(EDITS, st.booleans()), max_size=8))
def test_a_watch_ends_where_a_fresh_start_ends(before: list[Edit], edits: list[tuple[Edit, bool]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for edit in before:
            make(root, edit)

        async def scenario(world: World) -> None:
            def arrived() -> bool:
                fresh = scanned(root)
                return (world.objects, world.problems) == (fresh.objects, fresh.problems)

            for edit, pause in edits:
                make(root, edit)
                if pause:
                    await world.until(arrived)
            await world.until(arrived)

        watching(root, scenario)
