"""Processor time to translate all Ingresses of a cluster: `python -m benches.python.translating INGRESSES ROUNDS`.

Prints JSON: a list of seconds, one for each round.
"""

from __future__ import annotations

import json
import sys
import time

from benches.cluster.plan import Plan
from benches.python.objects import objects
from fastingress import collector
from fastingress.store import Store, Upsert
from fastingress.translate import Options, Translator


def main() -> None:
    """Measures what was asked for."""
    ingresses, rounds = map(int, sys.argv[1:])
    print(json.dumps(translations(Plan(ingresses), rounds)))


def translations(plan: Plan, rounds: int) -> list[float]:
    """Seconds of each of so many translations of everything, by a translator that knows nothing yet."""
    with collector.deferred():  # as at the start of a process
        store = Store()
        store.apply(map(Upsert, objects(plan)))
        return [_translation(plan, store) for _ in range(rounds)]


def _translation(plan: Plan, store: Store) -> float:
    translator = Translator(Options())
    began = time.process_time()
    delta = translator.update(store.view(), None)
    seconds = time.process_time() - began
    if delta.counts.ingresses != plan.ingresses or delta.problems:
        raise RuntimeError(f"{delta.counts}, and units with problems: {list(delta.problems)[:5]}")
    return seconds


if __name__ == "__main__":
    main()
