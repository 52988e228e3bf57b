"""Prints the rows of a comparison as one Markdown table, worst share of what is allowed first.

    .venv-oracle/bin/python tests/oracle/full/table.py rows.jsonl

Exits with 1 if a row is beyond what is allowed, or if there is none.
"""

import json
import sys


def shown(number):
    """Enough digits to tell a cosine from 1."""
    return f"{number:.7f}".rstrip("0") if 0.9 < number < 1 else f"{number:.3g}"


def main():
    rows = [json.loads(line) for line in open(sys.argv[1])]
    rows.sort(key=lambda row: -row["share"])
    print("| component | configuration | dtype | max abs. difference | measure | value | allowed |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        largest = "" if row["max_abs"] is None else f"{row['max_abs']:.2e}"
        mark = "" if row["share"] <= 1 else " **beyond**"
        print(
            f"| {row['component']} | {row['configuration']} | {row['dtype']} | {largest} "
            f"| {row['measure']} | {shown(row['value'])} | {shown(row['allowed'])}{mark} |"
        )
    beyond = sum(row["share"] > 1 for row in rows)
    print(f"\n{len(rows)} comparisons, {beyond} beyond what is allowed")
    sys.exit(1 if beyond or not rows else 0)


if __name__ == "__main__":
    main()
