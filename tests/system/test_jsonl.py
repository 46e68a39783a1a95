"""jq programs on records, a line each: the results of `jq -c`, in any compression."""
import collections
import json
import os
import random

from corpus import FORMATS, jq, jq_errors, lines_of, pack
from harness import Case, lines, main, scaled

QUIET = ["--progress", "none"]

# programs whose results jq prints anew, on the records of the fault server
PROGRAMS = [".level", ".host.name", ".tags", ".tags[]", ".tags[0]", ".tags[-1]", ".ms", ".n",
            ".text", ".missing", ".missing.deeper", ".level, .n", "{n, level}", ".host|keys",
            ".ms * 2", ".n + 1", "{id: .id, h: .host.name, t: .text, u: .user}", "[.n, .ms, .ok]",
            "[.tags[]|length]", 'select(.level=="error")|.text',
            'select(.ms > 4000 and .ok)|{n, ms}', 'select(.level!="info" or (.ok|not))|.n',
            "select(.user != null)|.user.roles[1].b", 'select(.text|test("größe"))|.text',
            ".text|length", ".text|ascii_upcase", '.tags|join("-")',
            "if .ok then .n else empty end", "to_entries|map(.key)", "del(.text)", ".level|explode",
            'select(.tags|index("key"))|.tags', '[.tags|rindex("key"), index("a")]',
            '[.tags|indices("key"), (.[0]|indices("e"))?]',
            '.host.name|ltrimstr("web-")|tonumber',
            "[.]|length", '@base64 "x\\(.id)"', '"\\(.level) \\(.ms)"', '.host + {more: 1}',
            ".text|@json", "..|numbers", 'select(.level == ("error", "warn"))|.level',
            '.["host"]["ip"]', '{"a b": .n, "c": [.ok]}',]
# programs that only select: what passes is the record as it stands
SELECTIONS = [".", 'select(.level=="error")', 'select(.level!="info")', "select(.ms > 2500)",
              'select(.ms <= 100 or .level == "error")', "select(.ok)", "select(.ok|not)",
              'select(.host.name == "web-7")', 'select(.user == null and (.ms < 50 or .ms > 4950))',
              'select(.tags[0] == "key")', "select(.tags|length > 2)",
              'select(.text|contains("日本語"))', 'select(.level == "error")|select(.ms > 4000)',
              "select(.user.id == 7)", "select(.missing)", 'select(.host.name|startswith("web-1"))',
              'select(.level == "nothing")',]
ODD = ['{"a":1}', '{"a":1.0}', '{"a":1e2}', '{"a":-0}', '{"a":0.1}', '{"a":9007199254740992}',
       '{"a":9007199254740993}', '{"a":12345678901234567890}', '{"a":1e1000}', '{"a":-1e-400}',
       '{"a":3.141592653589793238462643}', '{"a":1,"a":2}', '{"b":1,"a":{"x":1},"a":{"y":2}}',
       '{"a":"\\u0041\\u00e9\\ud83d\\ude00"}', '{"a":"\\udc00x"}',
       '{"a":"\\u0000\\u001f\\u007f\\u0080"}', '{"a":"\\/ \\b\\f\\n\\r\\t \\" \\\\"}',
       '{"a":"größe 日本語 🚀"}', '{"":1,"a":""}', '  {"a" : [ 1 , 2 ] }  ', '{"a":[]}', '{"a":{}}',
       '{"a":null}', '{"a":true}', '{"a":false}', '"text"', "17", "null", "true", "[]", "{}",
       '[1,"a",{"a":3}]', '{"a":' + "[" * 100 + "]" * 100 + "}", '{"a":"' + "x" * 20000 + '"}',
       '{"a":[{"a":1},{"a":[{"a":2}]}]}', '{"a\\u0062":1,"ab":2}', '{"a":"<&>\'"}',]
HALF_A_PAIR = '{"a":"\\ud800"}'  # no JSON text for jq
ODD_PROGRAMS = [".a", ".a?", "[.]", "{a}", ".a, .b", "select(.a == 9007199254740993)|.a", "tojson",
                'select(.a != null)|.a', "select(.a > 1)|.a", "select(.a < \"b\")|[.a]", "keys?",
                ".a[0]?", '.ab', '."a"', "length?", "type", "[.a]|add", "(.a|tostring)?", "[..]",
                "select(.a == 1)|1", "select(.a == \"\")|2", "has(\"a\")?", "not", '.[""]?']
BAD = [b"", b"  \t", b"{", b'{"a":1', b"nonsense", b"{'a':1}", b'{"a":1}}', b'{"a":1} {"a":2}',
       b"[1,]", b'{"a":"\x01"}', b'{"a":tru}', b"\xff\xfe", b"]", b'{"a" 1}']


class Reference(Case):
    def setUp(self):
        super().setUp()
        size = scaled(2_000_000, 200_000)
        text = lines("j", "records", size)
        self.records = text[:text.rindex(b"\n") + 1]
        self.write("www/records.jsonl", self.records)
        self.server = self.nginx(self.path("www"))
        self.url = f"{self.server.base}/records.jsonl"

    def jsonl(self, program, *args, url=None, code=0, **kw):
        run = self.run_weir("jsonl", *QUIET, "--jq", program, *args, url or self.url, **kw)
        self.assert_code(run, code)
        return run

    def test_same_results_as_jq(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                self.assertEqual(self.jsonl(program).out, jq(self.records, program))

    def test_same_texts_as_jq_with_raw(self):
        for program in (".level", ".text", ".tags[]", ".host", ".n", '.level, .host.name'):
            with self.subTest(program=program):
                self.assertEqual(self.jsonl(program, "--raw").out, jq(self.records, program, "-r"))

    def test_what_is_only_selected_passes_byte_for_byte(self):
        by_number = {}
        for line in self.records.splitlines():
            by_number[json.loads(line)["n"]] = line.rstrip(b"\r") + b"\n"
        for program in SELECTIONS:
            with self.subTest(program=program):
                chosen = jq(self.records, f"({program})|.n").split()
                self.assertEqual(self.jsonl(program).out,
     b"".join(by_number[int(n)] for n in chosen))

    def test_odd_records(self):
        """jq goes on after an error of the program, and stops at what is no JSON: that one is left
        out for it."""
        self.write("www/odd.jsonl", "\n".join([*ODD, HALF_A_PAIR]) + "\n")
        report = self.path("report.jsonl")
        for program in ODD_PROGRAMS:
            with self.subTest(program=program):
                wanted, bad = jq_errors(("\n".join(ODD) + "\n").encode(), program)
                run = self.jsonl(program, "--report", report, url=f"{self.server.base}/odd.jsonl",
                                 report=report)
                self.assertEqual(run.out, wanted)
                row = run.one()
                self.assertEqual((row["bad_records"], row["lines_in"]), (bad + 1, len(ODD) + 1))
                os.unlink(report)

    def test_odd_records_pass_as_they_are(self):
        self.write("www/odd.jsonl", "\r\n".join(ODD).encode())
        run = self.jsonl(".", url=f"{self.server.base}/odd.jsonl")
        self.assertEqual(run.out, "".join(line.strip() + "\n" for line in ODD).encode())

    def test_every_compression(self):
        for kind in FORMATS:
            self.write(f"www/records.jsonl.{kind}", pack(self.records, kind, 2))
        wanted = jq(self.records, 'select(.level=="error")|{n,text}')
        for kind in FORMATS:
            with self.subTest(format=kind):
                run = self.jsonl('select(.level=="error")|{n,text}', url=f"{self.url}.{kind}")
                self.assertEqual(run.out, wanted)

    def test_report_counts_records(self):
        report = self.path("report.jsonl")
        run = self.jsonl('select(.level=="error")', "--report", report, report=report)
        row = run.one()
        self.assertEqual((row["lines_in"], row["lines_out"], row.get("bad_records", 0)),
                         (self.records.count(b"\n"), run.out.count(b"\n"), 0))


class Output(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults("--no-log")
        self.size = scaled(1_000_000, 100_000)

    def body(self, seed):
        text = lines("j", seed, self.size)
        return text[:text.rindex(b"\n") + 1]

    def url(self, seed, name="", query=""):
        return self.server.url(seed, len(self.body(seed)), query, name, kind="j")

    def test_records_of_many_files_are_never_torn(self):
        urls = [self.url(f"s{i}") for i in range(16)]
        run = self.run_weir("jsonl", *QUIET, "-j", "16", "--per-host", "16", "--jq", "{n,id,text}",
                            *urls)
        self.assert_code(run, 0)
        wanted = collections.Counter()
        for i in range(16):
            wanted.update(lines_of(jq(self.body(f"s{i}"), "{n,id,text}")))
        self.assertEqual(collections.Counter(lines_of(run.out)), wanted)

    def test_in_order_and_with_url(self):
        urls = [self.url(f"s{i}") for i in range(5)]
        run = self.run_weir("jsonl", *QUIET, "--in-order", "--with-url", "--jq", ".n", *urls)
        self.assert_code(run, 0)
        wanted = b"".join(url.encode() + b"\t" + line for i, url in enumerate(urls)
                          for line in lines_of(jq(self.body(f"s{i}"), ".n")))
        self.assertEqual(run.out, wanted)

    def test_a_file_each_and_one_for_all(self):
        urls = [self.url(f"s{i}", f"n{i}.jsonl") for i in range(3)]
        run = self.run_weir("jsonl", *QUIET, "--jq", ".text", "-d", self.dir, *urls)
        self.assert_code(run, 0)
        self.assertEqual(run.out, b"")
        self.assert_final({f"n{i}.jsonl": jq(self.body(f"s{i}"), ".text") for i in range(3)})
        run = self.run_weir("jsonl", *QUIET, "--in-order", "--jq", ".text", "-o", self.path("all"),
                            *urls)
        self.assert_code(run, 0)
        with open(self.path("all"), "rb") as data:
            self.assertEqual(data.read(), b"".join(jq(self.body(f"s{i}"), ".text")
                                                   for i in range(3)))

    def test_refused_programs_ask_for_nothing(self):
        server = self.faults()
        url = server.url("a", 1000, kind="j")
        for program in ("input", "[inputs]", ".a|input",
                        "(", ".a |", "nosuchfunction", "$x", '"\\(input)"'):
            with self.subTest(program=program):
                run = self.run_weir("jsonl", *QUIET, "--jq", program, url)
                self.assert_code(run, 2)
                self.assertTrue(run.err.strip())
        for program in (".input", '"input"', "{input: 1}"):
            self.assert_code(self.run_weir("jsonl", *QUIET, "--jq", program, server.url("a", 0,
                                                                                        kind="j")),
                             0)
        self.assertNotIn("/j/a/1000", " ".join(entry["target"] for entry in server.log()))


class BadRecords(Case):
    def setUp(self):
        super().setUp()
        chance = random.Random(5)
        self.lines, self.good, self.bad = [], [], []
        for i in range(300):
            if chance.random() < 0.3:
                line = chance.choice(BAD) + chance.choice([b"", b"\r"])
                if line.strip():
                    self.bad.append((i + 1, line))
            else:
                line = b'{"a":%d}' % i
                self.good.append(line)
            self.lines.append(line)
        self.write("www/mixed.jsonl", b"\n".join(self.lines) + b"\n")
        self.server = self.nginx(self.path("www"))
        self.url = f"{self.server.base}/mixed.jsonl"
        self.report = self.path("report.jsonl")

    def jsonl(self, *args, code=0, program="."):
        run = self.run_weir("jsonl", *QUIET, "--jq", program, *args, self.url, "--report",
                            self.report, report=self.report)
        self.assert_code(run, code)
        return run

    def test_skipped_counted_reported_and_said(self):
        run = self.jsonl()
        self.assertEqual(run.out, b"".join(line + b"\n" for line in self.good))
        row = run.one()
        self.assertEqual((row["status"], row.get("bad_records", 0)), ("ok", len(self.bad)))
        self.assertEqual(row["lines_in"],
    len(self.good) + len(self.bad),
     "empty lines are no records")
        self.assertIn(str(len(self.bad)), run.err)
        self.assertIn(str(self.bad[0][0]), run.err, "the line of the first one")

    def test_quiet_says_nothing(self):
        self.assertEqual(self.jsonl("-q").err, "")

    def test_fail(self):
        run = self.jsonl("--bad-records", "fail", code=1)
        row = run.one()
        self.assertEqual((row["status"], row["error"]["class"]), ("failed", "record"))
        self.assertIn(str(self.bad[0][0]), row["error"]["message"])
        self.assertTrue(b"".join(line + b"\n" for line in self.good).startswith(run.out))

    def test_fail_leaves_no_file(self):
        self.jsonl("--bad-records", "fail", "-d", self.dir, code=1)
        self.assert_final({})

    def test_file_of_bad_records(self):
        out = self.path("bad.txt")
        run = self.jsonl("--bad-records", out)
        self.assertEqual(run.out, b"".join(line + b"\n" for line in self.good))
        with open(out, "rb") as data:
            found = [line.rstrip(b"\r") for line in data.read().split(b"\n")[:-1]]
        self.assertEqual(found, [line.rstrip(b"\r") for _, line in self.bad])

    def test_bad_records_to_standard_output(self):
        run = self.jsonl("--bad-records", "-", "-d", self.dir)
        self.assertEqual([line.rstrip(b"\r") for line in run.out.split(b"\n")[:-1]],
                         [line.rstrip(b"\r") for _, line in self.bad])
        self.assertFalse(os.path.exists("-.part"))

    def test_records_that_the_program_fails_on(self):
        run = self.jsonl(program='if .a % 2 == 0 then error("odd") else .a end')
        self.assertEqual(run.out, b"".join(b"%d\n" % json.loads(line)["a"] for line in self.good
                                           if json.loads(line)["a"] % 2))
        self.assertEqual(run.one().get("bad_records", 0), len(self.bad) +
                         sum(1 for line in self.good if json.loads(line)["a"] % 2 == 0))

    def test_byte_order_mark_is_no_part_of_the_first_record(self):
        self.write("www/mixed.jsonl", b'\xef\xbb\xbf{"a":1}\n{"a":2}\n')
        run = self.jsonl()
        self.assertEqual(run.out, b'{"a":1}\n{"a":2}\n')
        self.assertEqual(run.one().get("bad_records", 0), 0)

    def test_record_that_is_too_long(self):
        self.write("www/mixed.jsonl", b'{"a":1}\n{"a":"' + b"x" * 2000 + b'"}\n{"a":3}\n')
        run = self.jsonl("--max-line", "1000")
        self.assertEqual(run.out, b'{"a":1}\n{"a":3}\n')
        self.assertRegex(run.err, "(?i)long|max.line")


if __name__ == "__main__":
    main()
