"""What the wheel's core is trained on is served rightly, all of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from benches.training import building, load, serving


@pytest.mark.parametrize("log", serving.LOGS)
def test_every_step_of_the_load_is_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log: str
) -> None:
    monkeypatch.setattr(load, "TURNS", 4)
    monkeypatch.setattr(load, "HOSTS", 20)
    serving.serve(log)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"training, access log {log}: HTTP/1.1"
    assert said[-1] == f"training, access log {log}: changes of routes"


def test_a_wrong_answer_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "TURNS", 4)
    monkeypatch.setattr(load, "_answer", lambda exchange: exchange.answer(200, b"something else"))
    with pytest.raises(SystemExit, match=r"/shop/cart\?0: \(200, 14\) and not \(200, 0\)"):
        serving.serve("off")


def test_a_toolchain_without_the_tool_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(building, "_said", lambda *_: str(tmp_path / "lib"))
    monkeypatch.setattr(building, "shutil", SimpleNamespace(which=lambda _: None))
    with pytest.raises(SystemExit, match=r"`rustup component add llvm-tools` installs it.*UNTRAINED=1"):
        building.merger()
