"""Reads Fieldrange's exports with other people's libraries and holds what they read against the bank and the record.

exports.py answers WORK   writes answers and calls that are right
exports.py alerts WORK    writes the findings as another product's CSV
exports.py check WORK     reads every export
"""

import base64
import csv
import hashlib
import hmac
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from contextlib import redirect_stdout
from pathlib import Path

GIFT_KINDS = {"single", "multi", "numeric", "match", "text"}


def right(question):
    """The answer as somebody types it who knows it."""
    answer = question["answer"]
    kind, value = next(iter(answer.items()))
    if kind == "choice":
        return value
    if kind in ("choices", "order", "match"):
        return "".join(value)
    if kind == "number":
        return str(value["value"])
    if kind == "text":
        return value[0]
    if kind == "interval":
        return f"{value['from']} to {value['to']}"
    raise AssertionError(kind)


def domain_of(work):
    """Id of a question to its domain, from the folders of the contest and the categories of the XML."""
    found, domain = {}, None
    for question in ElementTree.parse(work / "moodle/questions.xml").getroot():
        if question.get("type") == "category":
            domain = question.findtext("category/text").rsplit("/", 1)[1]
        else:
            found[question.findtext("name/text")] = domain
    return found


def answers(work):
    solved = json.loads((work / "solved.json").read_text())
    domains = domain_of(work)
    protocols = [q for q in solved if domains[q["id"]] == "Industrial protocols"]
    lines = [right(question) for question in protocols]
    lines[0] = "pass"
    (work / "answers.txt").write_text("\n".join(lines) + "\n")
    truth = [json.loads(line) for line in (work / "run/truth.jsonl").read_text().splitlines()]
    calls = []
    for step in truth:
        if step["verdict"] != "attack":
            continue
        seen = min(step["observable"]["analyst"].values()) + 20
        entities = [step["target"], *([step["source"]] if step["source"] else []), *step["points"]][:4]
        calls.append({"id": len(calls) + 1, "t": seen, "interval": [max(0, seen - 60), seen], "entities": entities,
                      "verdict": "attack", "technique": step["techniques"][0], "confidence": "high"})
    (work / "calls.jsonl").write_text("".join(json.dumps(call) + "\n" for call in calls))


def plain(text):
    return " ".join(text.replace("\\\\", "\\").split())


def options_of(question):
    return {option["letter"]: option["text"] for option in question["options"]}


def check_gift(work, bank):
    from pygiftparser import parser
    from pygiftparser.utils import transformSpecials

    def read(text):
        return plain(transformSpecials(text))

    with open(work / "gift/questions.gift", encoding="utf-8") as file:
        questions = parser.parseFile(file)
    questions = {read(q.title): q for q in questions if q.title}
    held = [q for q in bank if q["kind"] in GIFT_KINDS]
    assert set(questions) == {q["id"] for q in held}, set(questions) ^ {q["id"] for q in held}
    skipped = []
    for wanted in held:
        got, texts = questions[wanted["id"]], options_of(wanted)
        if any("}" in text for option in wanted["options"] for text in (option["text"], option["feedback"])):
            skipped.append(wanted["id"])  # it takes an escaped brace in an answer for the end of the answers; Moodle does not
            continue
        assert got.valid and got.markup == "plain", wanted["id"]
        assert read(got.text).startswith(plain(wanted["prompt"])), (wanted["id"], got.text)
        assert read(got.generalFeedback).startswith(plain(wanted["right"])), wanted["id"]
        kind, answer = type(got.answers).__name__, wanted["answer"]
        if wanted["kind"] == "single":
            assert kind == "SelectSet", (wanted["id"], kind)
            assert {read(a.answer): a.fraction for a in got.answers.answers} == \
                {plain(text): 100 * (letter == answer["choice"]) for letter, text in texts.items()}
            assert all(read(a.feedback) for a in got.answers.answers if a.fraction == 0), wanted["id"]
        elif wanted["kind"] == "multi":
            assert kind == "MultipleChoicesSet" and got.answers.checkValidity(), (wanted["id"], kind)
            chosen = {read(a.answer) for a in got.answers.answers if a.fraction > 0}
            assert chosen == {plain(texts[letter]) for letter in answer["choices"]}, wanted["id"]
            assert len(got.answers.answers) == len(texts)
        elif wanted["kind"] == "match":
            assert kind == "MatchingSet", (wanted["id"], kind)
            pairs = {read(a.question): read(a.answer) for a in got.answers.answers}
            assert pairs == {plain(i): plain(texts[l]) for i, l in zip(wanted["items"], answer["match"])}
        elif wanted["kind"] == "numeric":
            assert kind == "NumericAnswerSet", (wanted["id"], kind)
            first = got.answers.answers[0]
            assert (first.value, first.tolerance, first.fraction) == \
                (answer["number"]["value"], answer["number"]["tolerance"], 100), wanted["id"]
        else:
            assert kind == "ShortSet", (wanted["id"], kind)
            assert [read(a.answer) for a in got.answers.answers] == [plain(t) for t in answer["text"]]
    rest = ElementTree.parse(work / "gift/rest.xml").getroot()
    rest = {q.findtext("name/text") for q in rest if q.get("type") != "category"}
    assert rest | set(questions) == {q["id"] for q in bank} and not rest & set(questions)
    assert len(skipped) <= 5, skipped
    print(f"GIFT in pygiftparser: {len(questions)} questions of {len(GIFT_KINDS)} kinds, not looked into: {skipped}; {len(rest)} more in rest.xml")


def check_moodle(work, bank):
    import moodle_xml_parser.parser as reader

    path = work / "moodle/questions.xml"
    types = {"single": "multichoice", "multi": "multichoice", "numeric": "numerical", "text": "shortanswer",
             "match": "matching", "order": "ordering", "interval": "cloze"}
    found = {q.findtext("name/text"): q for q in ElementTree.parse(path).getroot() if q.get("type") != "category"}
    assert set(found) == {q["id"] for q in bank}
    told = io.StringIO()
    with redirect_stdout(told):  # it prints what it cannot read
        theirs = reader.parse_file(str(path))
    assert not told.getvalue(), told.getvalue()
    by_name = {q.name: q for kind in theirs.values() for q in kind}
    for wanted in bank:
        got, texts, answer = found[wanted["id"]], options_of(wanted), wanted["answer"]
        assert got.get("type") == types[wanted["kind"]], wanted["id"]
        assert plain(wanted["prompt"])[:40] in plain(re.sub("<[^>]*>", "", got.findtext("questiontext/text"))), wanted["id"]
        for field in ("generalfeedback/text", "penalty", "hidden", "idnumber"):
            assert got.find(field) is not None, (wanted["id"], field)
        assert len(got.findall("hint")) == len(wanted["hints"])
        assert {t.text for t in got.findall("tags/tag/text")} == set(wanted["attack"])
        if wanted["kind"] in ("single", "multi"):
            read = by_name[wanted["id"]]
            assert read.single == (wanted["kind"] == "single")
            letters = answer.get("choices") or [answer["choice"]]
            chosen = {o.answer for o in read.options if o.score_fraction > 0}
            assert chosen == {texts[letter].strip() for letter in letters}, wanted["id"]
            assert 99.99 <= sum(o.score_fraction for o in read.options if o.score_fraction > 0) <= 100
            feedback = {o["text"].strip(): o["feedback"].strip() for o in wanted["options"]}
            assert all((o.feedback or "") == feedback[o.answer] for o in read.options), wanted["id"]
        elif wanted["kind"] == "interval":
            gaps = by_name[wanted["id"]].gaps
            ends = answer["interval"]
            assert [gap.sub_type for gap in gaps] == ["NUMERICAL"] * 2, wanted["id"]
            assert [float(gap.options[0].answer.lstrip("=").split(":")[0]) for gap in gaps] == [ends["from"], ends["to"]]
        elif wanted["kind"] == "match":
            pairs = {s.findtext("text"): s.findtext("answer/text") for s in got.findall("subquestion")}
            assert pairs == {item: texts[letter] for item, letter in zip(wanted["items"], answer["match"])}
        elif wanted["kind"] == "order":
            places = sorted(got.findall("answer"), key=lambda a: float(a.get("fraction")))
            assert [p.findtext("text") for p in places] == [texts[letter] for letter in answer["order"]]
            assert got.findtext("gradingtype") == "RELATIVE_TO_CORRECT" and got.findtext("selecttype") == "ALL"
        elif wanted["kind"] == "numeric":
            first = got.find("answer")
            assert float(first.findtext("text")) == answer["number"]["value"]
            assert float(first.findtext("tolerance")) == answer["number"]["tolerance"]
        else:
            assert [a.findtext("text").replace("\\*", "*") for a in got.findall("answer")] == answer["text"]
    print(f"Moodle XML: {len(found)} questions; {len(by_name)} of them by moodle-xml-parser, the rest by their elements")


def check_ctfd(work, bank):
    from ctfcli.core.challenge import Challenge
    from ctfcli.core.exceptions import LintException

    os.chdir(work)  # ctfcli looks for its own settings from here upwards
    count = 0
    seen = {}
    for path in sorted(work.glob("ctfd*/**/challenge.yml")):
        challenge = Challenge(path)
        try:
            assert challenge.lint(skip_hadolint=True)
        except LintException as error:
            raise AssertionError((path, error.issues)) from error
        for key in challenge:
            assert key in Challenge.key_order, (path, key)
        if challenge.get("requirements"):
            first = path.parent.parent / challenge["requirements"][0] / "challenge.yml"
            assert first.is_file(), (path, challenge["requirements"])
        seen[path.relative_to(work).parts] = challenge
        count += 1
    wanted = {q["id"]: q for q in bank}
    for parts, challenge in seen.items():
        question = wanted[challenge["name"]]
        assert challenge["topics"] == question["attack"]
        assert len(challenge["hints"]) == len(question["hints"]) and all(h["cost"] == 0 for h in challenge["hints"][:1])
        if parts[0] == "ctfd" and question["kind"] == "single":
            assert challenge["flags"][0]["content"] == "flag{%s}" % question["answer"]["choice"]
    key = bytes.fromhex((work / "event.key").read_text().strip())
    flags = {}
    for person in ("ann", "bob"):
        for parts, challenge in seen.items():
            if parts[0] == f"ctfd-{person}":
                names = json.dumps([parts[1], "seed 1", person, challenge["name"]], separators=(",", ":"))
                computed = "flag{%s}" % hmac.new(key, names.encode(), hashlib.sha256).hexdigest()
                assert [f["content"] for f in challenge["flags"]] == [computed], parts
                flags[person, challenge["name"]] = computed
    assert len(set(flags.values())) == len(flags) > 20
    given = dict(line.split("\t") for line in (work / "flags.txt").read_text().splitlines() if "\tflag{" in line)
    assert all(flags["ann", name] == flag for name, flag in given.items())
    assert len(given) == len(flags) // 2 - 1, (len(given), len(flags))  # one was passed
    print(f"ctfcli: {count} challenges without a complaint; {len(flags)} flags of two people, all different, as Python's hmac has them")


def check_xapi(work):
    from tincan import Statement

    statements = json.loads((work / "xapi/statements.json").read_text())
    kinds = {}
    for one in statements:
        read = Statement(one)
        definition = read.object.definition
        assert read.verb.id.endswith("/answered") and read.actor.account.name == "ann"
        assert definition.type.endswith("cmi.interaction")
        kinds[definition.interaction_type] = kinds.get(definition.interaction_type, 0) + 1
        right_one = read.result.response in definition.correct_responses_pattern
        if read.result.success and definition.interaction_type in ("choice", "matching", "sequencing"):
            assert right_one, one
        if read.result.success and definition.interaction_type == "fill-in":
            assert any(p.split("}", 1)[1] == read.result.response for p in definition.correct_responses_pattern), one
        ids = {c.id for group in (definition.choices, definition.source, definition.target) for c in group or []}
        if definition.interaction_type == "choice":
            assert set(read.result.response.split("[,]")) <= ids | {""}
    assert sum(s["result"]["success"] for s in statements) == len(statements) - 1
    print(f"tincan: {len(statements)} statements: {kinds}")


def check_layers(work):
    from mitreattack.navlayers import Layer

    for name in ("covered", "caught"):
        read = Layer(strict=True)
        read.from_file(str(work / f"{name}.json"))
        assert read.layer.domain == "ics-attack" and read.layer.versions.layer == "4.5", name
        ours = json.loads((work / f"{name}.json").read_text())
        assert [t.techniqueID for t in read.layer.techniques] == [t["techniqueID"] for t in ours["techniques"]]
        for key in ours:
            assert key in LAYER, key  # the table of the format definition, version 4.5
        for technique in ours["techniques"]:
            assert re.fullmatch(r"T0\d{3}", technique["techniqueID"])
            assert set(technique) <= {"techniqueID", "tactic", "comment", "enabled", "score", "color", "metadata", "links"}
    truth = [json.loads(line) for line in (work / "run/truth.jsonl").read_text().splitlines()]
    used = {t for step in truth if step["verdict"] == "attack" for t in step["techniques"]}
    caught = json.loads((work / "caught.json").read_text())["techniques"]
    assert {t["techniqueID"] for t in caught} == used and any(t["score"] == 100 for t in caught)
    print(f"Navigator layers in mitreattack-python: {len(used)} techniques, {sum(t['score'] == 100 for t in caught)} caught")


LAYER = {"name", "versions", "domain", "description", "filters", "sorting", "layout", "hideDisabled", "techniques", "gradient",
         "legendItems", "showTacticRowBackground", "tacticRowBackground", "selectTechniquesAcrossTactics",
         "selectSubtechniquesWithParent", "selectVisibleTechniques", "metadata", "links", "customDataURL"}


def check_stix(work):
    import stix2
    from stix2validator import ValidationOptions, validate_string

    text = (work / "bundle.json").read_text()
    bundle = stix2.parse(text, allow_custom=False)
    kinds = {}
    for one in bundle.objects:
        kinds[one.type] = kinds.get(one.type, 0) + 1
        if one.type in ("ipv4-addr", "network-traffic"):
            bare = {k: v for k, v in json.loads(one.serialize()).items() if k not in ("id", "spec_version")}
            again = stix2.v21.IPv4Address(**bare) if one.type == "ipv4-addr" else stix2.v21.NetworkTraffic(**bare)
            assert again.id == one.id, (one.id, again.id)  # their id of the same observable
    assert kinds["indicator"] and kinds["sighting"] and kinds["attack-pattern"] and kinds["relationship"]
    result = validate_string(text, ValidationOptions(version="2.1"))
    assert result.is_valid, [str(error) for error in result.errors]
    run = json.loads((work / "run/run.json").read_text())
    for address, host in run["topology"].items():
        assert f"'{address}'" not in text and f'"{address}"' not in text, address
        assert not re.search(rf"\b{re.escape(host)}\b", text), host
    for word in ("PLC", "NAOH", "first-shift", "192.168.", "10.0.", "203.0.113."):
        assert word not in text, word
    print(f"stix2 and stix2-validator: {kinds}")


def check_badge(work):
    import jwt
    from jwcrypto import jwk as keys, jws
    from openbadgeslib.ob3 import OB3Verifier

    token = (work / "ann.jwt").read_text().strip()
    public = json.loads((work / "badge.pub.jwk").read_text())
    assert "d" not in public and "d" not in jwt.get_unverified_header(token)["jwk"]
    key = jwt.PyJWK(public, algorithm="EdDSA")
    payload = jwt.decode(token, key.key, algorithms=["EdDSA"])
    other = jws.JWS()
    other.deserialize(token, keys.JWK(**public))
    assert json.loads(other.payload) == payload
    assert payload["iss"] == payload["issuer"]["id"] and payload["iss"].startswith("did:jwk:")
    octets = payload["iss"].removeprefix("did:jwk:")
    assert json.loads(base64.urlsafe_b64decode(octets + "=" * (-len(octets) % 4))) == public
    pem = keys.JWK(**public).export_to_pem()
    credential = OB3Verifier(pem).verify(token)
    head, body, signature = token.split(".")
    altered = base64.urlsafe_b64encode(json.dumps({**payload, "sub": "urn:x"}).encode()).rstrip(b"=").decode()
    for forged in (f"{head}.{altered}.{signature}", token[:-6] + "AAAAAA"):
        try:
            jwt.decode(forged, key.key, algorithms=["EdDSA"])
        except jwt.InvalidTokenError:
            continue
        raise AssertionError("a forged badge was taken")
    print(f"badge: PyJWT, jwcrypto and openbadgeslib take it, and no altered one: {credential.achievement.name}")


def check_results(work):
    import pandas

    table = pandas.read_csv(work / "results.csv")
    whole = json.loads((work / "results.json").read_text())[0]
    assert abs(table.points.sum() - whole["score"]["detect"]) < 1e-6 and set(table.person) == {"ann"}
    assert len(table) == len(whole["score"]["lines"]) and table.what.notna().all()
    print(f"results in pandas: {len(table)} lines add up to {whole['score']['detect']:.1f}")


def alerts(work):
    topology = {name: address for address, name in json.loads((work / "run/run.json").read_text())["topology"].items()}
    with open(work / "alerts.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["time", "name", "src", "dst", "severity", "technique"])
        for line in (work / "run/findings.jsonl").read_text().splitlines():
            finding = json.loads(line)
            ends = [e.split(":", 1)[1] for e in finding["entities"]] + ["", ""]
            if finding["level"] != "informational":
                table.writerow([finding["t"], finding["rule"], topology.get(ends[1], ends[1]), topology.get(ends[0], ends[0]),
                                finding["level"], (finding["techniques"] + [""])[0]])


def check_judged(work):
    reached = {}
    for path in sorted(work.glob("judged-*.json")):
        judged = json.loads(path.read_text())
        run = judged["runs"][0]
        assert run["alerts"] > 0 and run["calls"] > 0 and 0 <= judged["detect"] <= 100, path
        assert abs(sum(line["points"] for line in run["score"]["lines"]) - judged["detect"]) < 1e-6
        reached[path.name.removeprefix("judged-").removesuffix(".json")] = round(judged["detect"], 1)
    assert len(reached) == 4 and max(reached.values()) > 0, reached
    print(f"alerts of one sensor in four forms, judged: {reached}")


def check_dataset(work):
    import pandas

    data = work / "data"
    runs = pandas.read_csv(data / "runs.csv")
    assert not set(runs[runs.split == "train"].seed) & set(runs[runs.split == "test"].seed)
    assert set(runs.scenario) == {"first-shift", "breaker-sweep"} and set(runs.split) == {"train", "test"}
    labels_seen, joined = set(), 0
    for run in runs.itertuples():
        directory = data / run.run
        assert hashlib.sha256((directory / "run.json").read_bytes()).hexdigest() == run.record_sha256
        intervals = pandas.read_csv(data / f"labels/{directory.name}.intervals.csv")
        labels = pandas.read_csv(data / f"labels/{directory.name}.frames.csv")
        process = pandas.read_csv(directory / "process.csv")
        assert process.time_s.is_monotonic_increasing and abs(process.time_s.iloc[-1] - run.duration_s) < 2
        assert intervals.end_s.ge(intervals.start_s).all() and intervals.frames.sum() == len(labels)
        labels_seen |= set(intervals.label)
        command = ["tshark", "-n", "-r", str(directory / "span.pcapng"), "-T", "fields", "-E", "header=y", "-E", "separator=;",
                   "-e", "frame.number", "-e", "frame.time_relative", "-e", "frame.time_epoch"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        frames = pandas.read_csv(io.StringIO(told), sep=";")
        assert len(frames) == run.frames
        both = frames.merge(labels, left_on="frame.number", right_on="frame", how="left")
        assert both.label.notna().sum() == len(labels)
        origin = pandas.Timestamp(run.start_utc).timestamp()
        for row in both[both.label.notna()].itertuples():
            step = intervals[intervals.step == row.step].iloc[0]
            # Float seconds since 1970 hold microseconds.
            assert step.start_s - 0.01 <= row[3] - origin <= step.end_s + 60, (run.run, row)
        joined += len(labels)
        assert both[both.label == "attack"]["frame.number"].nunique() == run.attack_frames
    # The lines of the data sheet, as they stand there.
    lines = re.search(r"```python\n(.*?)```", (data / "README.md").read_text(), re.S).group(1).replace("RUN", "first-shift-1")
    os.chdir(data)
    names = {}
    exec(lines, names)  # noqa: S102
    assert len(names["frames"]) == runs[runs.run == "train/first-shift-1"].frames.iloc[0]
    assert (names["frames"].label != "ordinary").sum() == names["labels"].frame.nunique() > 0
    print(f"data set in pandas and tshark: {len(runs)} runs, {runs.frames.sum()} frames, {joined} labels {sorted(labels_seen)}")


def main():
    step, work = sys.argv[1], Path(sys.argv[2]).resolve()
    if step == "answers":
        return answers(work)
    if step == "alerts":
        return alerts(work)
    bank = json.loads((work / "solved.json").read_text())
    check_gift(work, bank)
    check_moodle(work, bank)
    check_xapi(work)
    check_results(work)
    check_layers(work)
    check_stix(work)
    check_badge(work)
    check_judged(work)
    check_dataset(work)
    check_ctfd(work, bank)


if __name__ == "__main__":
    main()
