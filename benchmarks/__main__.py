"""Every benchmark that needs no data of the user's: ``python -m benchmarks``. docs/benchmarks.md
holds what they printed."""

from __future__ import annotations

from benchmarks import loader, metrics, store, sttran


def main() -> None:
    print("## Recall\n", flush=True)
    metrics.main()
    print("\n## Opening Action Genome\n", flush=True)
    loader.main([])
    print("\n## STTran\n", flush=True)
    sttran.main([])
    print("\n## Feature store\n", flush=True)
    store.main([])


if __name__ == "__main__":
    main()
