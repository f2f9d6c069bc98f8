"""Readers that are not ours, for sensor_outputs.sh; each ends with an error where something does not hold.

    sensor_outputs.py zeek DIR          Zeek's logs in DIR, by zat and by pandas: types and numbers of rows
    sensor_outputs.py sigma DIR         every Sigma rule in DIR, by pySigma: parsed, and converted to two back ends
    sensor_outputs.py sent FILE COUNT WHAT   records of a collector: none of COUNT missing, none out of order"""

import glob
import json
import os
import sys


def zeek(directory):
    import pandas
    from zat.log_to_dataframe import LogToDataFrame

    logs = sorted(glob.glob(os.path.join(directory, "*.log")))
    assert logs, f"no logs in {directory}"
    for path in logs:
        with open(path, encoding="utf-8") as log:
            rows = sum(1 for line in log if not line.startswith("#"))
            log.seek(0)
            header = {line.split("\t", 1)[0]: line.rstrip("\n").split("\t")[1:] for line in log if line.startswith("#")}
        frame = LogToDataFrame().create_dataframe(path, ts_index=False)
        plain = pandas.read_csv(path, sep="\t", comment="#", names=header["#fields"], na_values=["-"], quoting=3)
        assert len(frame) == len(plain) == rows, f"{path}: zat {len(frame)}, pandas {len(plain)}, lines {rows}"
        assert list(frame.columns) == header["#fields"], path
        assert str(frame["ts"].dtype).startswith("datetime64"), f"{path}: ts is {frame['ts'].dtype}"
        for name, kind in zip(header["#fields"], header["#types"], strict=True):
            if kind in ("count", "int", "port", "double") and plain[name].notna().any():
                assert plain[name].dtype.kind in "iuf", f"{path}: {name} is {plain[name].dtype}"
        print(f"zeek: {os.path.basename(path)}: {rows} rows, {len(frame.columns)} columns, by zat and pandas")


def sigma(directory):
    from sigma.backends.elasticsearch import LuceneBackend
    from sigma.backends.splunk import SplunkBackend
    from sigma.collection import SigmaCollection

    files = sorted(glob.glob(os.path.join(directory, "*.yml")))
    assert files, f"no rules in {directory}"
    rules, splunk, lucene = 0, 0, 0
    for path in files:
        with open(path, encoding="utf-8") as file:
            collection = SigmaCollection.from_yaml(file.read())
        assert not collection.errors, f"{path}: {collection.errors}"
        rules += len(collection.rules)
        correlates = any(type(rule).__name__ == "SigmaCorrelationRule" for rule in collection.rules)
        for query in SplunkBackend().convert(collection):
            assert query, path
            splunk += 1
        # Lucene has no correlations: what they count is converted by itself.
        if correlates:
            with open(path, encoding="utf-8") as file:
                parts = [part for part in file.read().split("\n---\n") if "\ncorrelation:" not in part]
            collection = SigmaCollection.from_yaml("\n---\n".join(parts))
        for query in LuceneBackend().convert(collection):
            assert query, path
            lucene += 1
    print(f"sigma: {len(files)} files, {rules} rules parsed by pySigma; {splunk} Splunk searches, {lucene} Lucene queries")


def sent(path, count, what):
    count, after, seen = int(count), 0, 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                # The collector was killed while it wrote this line: it comes again.
                continue
            seen += 1
            assert record["seq"] <= after + 1, f"{what}: {record['seq']} follows {after}: something is missing"
            after = max(after, record["seq"])
    assert after == count, f"{what}: the last is {after}, sent were {count}"
    print(f"{what}: all of {count} records, in order; {seen - count} came twice")


{"zeek": zeek, "sigma": sigma, "sent": sent}[sys.argv[1]](*sys.argv[2:])
