"""The command lines of filter and jsonl: help, hints, usage errors, and what goes where. Nothing
here sends a request: the one URL that is used leads to a port where nobody listens."""
import os
import re

from harness import Case, main
from test_options import table

NOWHERE = "http://127.0.0.1:1/a.log"
USAGE = 2


class Lines(Case):
    def weir(self, *args, **kw):
        return self.run_weir(*args, **kw)

    def refused(self, args, *words, code=USAGE):
        run = self.weir(*args)
        self.assert_code(run, code)
        self.assertEqual(run.out, b"")
        for word in words:
            self.assertIn(word, run.err, args)
        return run


class Help(Lines):
    def help_of(self, *args):
        run = self.weir(*args)
        self.assert_code(run, 0)
        self.assertEqual(run.err, "")
        return run.out.decode()

    def flags_of(self, *args):
        return set(re.findall(r"--[a-z][a-z0-9-]*", self.help_of(*args)))

    def test_each_command_has_its_own_flags(self):
        get, filtering, jsonl = (self.flags_of(name, "--help") for name in ("get", "filter",
                                                                            "jsonl"))
        for flag in ("--match", "--regexp", "--literal", "--fixed-strings", "--file",
                     "--ignore-case", "--invert", "--invert-match", "--count", "--max-count",
                     "--line-number", "--only-matching", "--after-context", "--before-context",
                     "--context"):
            self.assertIn(flag, filtering)
            self.assertNotIn(flag, get | jsonl)
        for flag in ("--jq", "--raw", "--bad-records"):
            self.assertIn(flag, jsonl)
            self.assertNotIn(flag, get | filtering)
        for flag in ("--with-url", "--in-order", "--max-line"):
            self.assertIn(flag, filtering & jsonl)
            self.assertNotIn(flag, get)
        self.assertIn("--decode", get & filtering & jsonl)

    def test_help_of_lines_says_how_grep_differs(self):
        for name in ("filter", "jsonl"):
            text = self.help_of(name, "--help")
            self.assertIn("also when nothing matched", text)
            self.assertLessEqual(max(map(len, text.splitlines())), 82)
        self.assertNotIn("-v,", self.help_of("filter", "--help"))
        self.assertIn("-v, --verbose", self.help_of("jsonl", "--help"))

    def test_every_option_flag_is_in_the_help_of_lines(self):
        for name in ("filter", "jsonl"):
            text = self.help_of(name, "--help")
            others = {"prefetch", "put", "serve"} | ({"jsonl"} if name == "filter" else set())
            for section, _, flag in table():
                if flag and section not in others:
                    self.assertIn("--" + flag, text)

    def test_help_in_other_ways(self):
        for name in ("filter", "jsonl"):
            self.assertEqual(self.help_of("help", name), self.help_of(name, "-h"))
            self.assertEqual(self.help_of("--help", name), self.help_of(name, "-h"))
            self.assertIn(f"weir {name}", self.help_of("--help"))

    def test_a_reader_that_has_seen_enough_is_no_error(self):
        process = self.start("filter", "--help")
        self.assertIn(b"weir filter", process.stdout.readline())
        process.stdout.close()
        process.stdout = None
        self.assertIn(process.wait(20), (0, 141))
        self.assertEqual(process.stderr.read(), b"")

    def test_version_names_the_stages(self):
        stages = [line for line in self.help_of("--version").splitlines()
                  if line.startswith("stages:")]
        self.assertEqual(len(stages), 1)
        for stage in ("decode", "filter", "jsonl", "lines", "records"):
            self.assertIn(" " + stage, stages[0])


class Refused(Lines):
    def test_what_is_missing_is_named(self):
        self.refused(["filter", NOWHERE], "no pattern", "-e REGEX", "try: weir filter --help")
        self.refused(["filter", "-e", "x"], "no URL and no list", "-i LIST")
        self.refused(["jsonl", NOWHERE], "no program", "--jq", "try: weir jsonl --help")
        self.refused(["jsonl", "--jq", "."], "no URL and no list")
        self.refused(["filter", "error", NOWHERE], '"error" is not a URL', "given with -e")
        self.refused(["jsonl", ".a", NOWHERE], '".a" is not a URL', "given with --jq")

    def test_other_programs_letters_get_a_hint(self):
        for args, word in ((["-v"], "--invert"), (["-i"], "--ignore-case"),
                           (["-c"], "--count"), (["-o"], "--only-matching"),
                           (["-H"], "--with-url"), (["-w"], "\\b"), (["-x"], "^(?:REGEX)$"),
                           (["-r"], "-i LIST"), (["-l"], "--with-url"), (["-E"], "PCRE2"),
                           (["-P"], "PCRE2"), (["-S"], "--ignore-case"), (["-3"], "-C N")):
            self.refused(["filter", *args, "-e", "x", NOWHERE], word)
        for args, word in ((["-r"], "--raw"), (["-c"], "jq"), (["-s"], "one record"),
                           (["-n"], "one record"), (["-e"], "--jq")):
            self.refused(["jsonl", *args, "--jq", ".", NOWHERE], word)

    def test_flags_of_another_command_are_refused(self):
        self.refused(["get", "-e", "x", NOWHERE], "-e belongs to weir filter")
        self.refused(["-e", "x", NOWHERE], "-e belongs to weir filter")
        self.refused(["filter", "--jq", ".", NOWHERE], "--jq belongs to weir jsonl")
        self.refused(["get", "--bad-records", "skip", NOWHERE], "belongs to weir jsonl")
        self.refused(["get", "--max-line", "1M", NOWHERE], "belongs to weir filter")
        self.refused(["filter", "-e", "x", "--ini", NOWHERE], "belongs to weir config")

    def test_bad_patterns_are_known_before_the_first_request(self):
        """The URL would be told to be unreachable, with exit code 1."""
        self.refused(["filter", "-e", "a(", NOWHERE], "-e", "a(")
        self.refused(["filter", "-e", "ok", "-e", "b[", NOWHERE], "b[")
        patterns = self.write("patterns", "fine\n*bad\n")
        self.refused(["filter", "-f", patterns, NOWHERE], patterns + ":2", "*bad")
        self.refused(["filter", "-f", self.path("none"), NOWHERE], "cannot be opened")
        self.refused(["jsonl", "--jq", ".a |", NOWHERE], "try: weir jsonl --help")
        self.refused(["jsonl", "--jq", "input", NOWHERE], "input")

    def test_numbers_are_numbers(self):
        self.refused(["filter", "-e", "x", "-m", "0", NOWHERE], "-m 0", "1 or more")
        self.refused(["filter", "-e", "x", "-A", "few", NOWHERE], "-A few", "a number of lines")
        self.refused(["filter", "-e", "x", "--max-line", "0", NOWHERE], "filter.max_line")
        self.refused(["filter", "-e", "x", "--decode", "rar", NOWHERE], "http.decode", "rar")

    def test_outputs_that_contradict_each_other(self):
        for command in (["filter", "-e", "x"], ["jsonl", "--jq", "."]):
            self.refused([*command, "-o", "f", "-d", "out", NOWHERE], "-o and -d")
            self.refused([*command, "-o", "-", "-d", "out", NOWHERE], "-o and -d")
            self.refused([*command, "-o", self.folder, NOWHERE], "is a folder")
            self.refused([*command, "--report", "-", NOWHERE], "standard output", "the report")
            self.refused([*command, "--tree", NOWHERE], "--tree", "-d DIR")
        self.refused(["jsonl", "--jq", ".", "--bad-records", "-", NOWHERE], "the bad records")
        self.refused(["filter", "-f", "-", "-i", "-"], "standard input")


class DryRun(Lines):
    def test_urls_are_printed_and_names_where_there_are_some(self):
        urls = [NOWHERE, NOWHERE + ".gz"]
        listing = self.list_of(urls)
        run = self.weir("filter", "-e", "x", "--dry-run", "-i", listing)
        self.assert_code(run, 0)
        self.assertEqual(run.out.decode().split(), urls)
        self.assertIn("2 URLs", run.err)
        run = self.weir("filter", "-e", "x", "--dry-run", "-d", self.dir, "-i", listing)
        self.assert_code(run, 0)
        lines = run.out.decode().splitlines()
        self.assertEqual(lines[0], "url\tname")
        self.assertEqual([line.split("\t")[0] for line in lines[1:]], urls)
        self.assertFalse(os.path.exists(self.path("x")))

    def test_no_file_is_made(self):
        out = self.path("all.txt")
        for target in (["-o", out], ["-d", self.dir]):
            run = self.weir("jsonl", "--jq", ".", "--dry-run", *target, NOWHERE)
            self.assert_code(run, 0)
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("all")], [])

    def test_the_folder_of_a_file_is_not_for_lines(self):
        """Of an INI file; that of the command line is."""
        conf = self.write("c.ini", f"[save]\ndir = {self.dir}\n")
        run = self.weir("filter", "-e", "x", "--dry-run", "-c", conf, NOWHERE)
        self.assertEqual(run.out.decode().split(), [NOWHERE])
        run = self.weir("filter", "-e", "x", "--dry-run", "-s", f"save.dir={self.dir}", NOWHERE)
        self.assertIn("url\tname", run.out.decode())


class Said(Lines):
    def test_verbose_names_what_matches(self):
        run = self.weir("filter", "-e", "x", "--verbose", "--dry-run", NOWHERE)
        self.assertIn("lines are matched by ", run.err)
        run = self.weir("jsonl", "--jq", ".", "-v", "--dry-run", NOWHERE)
        self.assertIn("records are shaped by ", run.err)
        run = self.weir("filter", "-e", "x", "--dry-run", NOWHERE)
        self.assertNotIn("matched by", run.err)

    def test_empty_lines_and_files_of_patterns_are_warned_of(self):
        patterns = self.write("patterns", "fine\r\n\r\nlast")
        run = self.weir("filter", "-f", patterns, "--dry-run", NOWHERE)
        self.assert_code(run, 0)
        self.assertIn(f"{patterns}:2: an empty line is a pattern that matches every line", run.err)
        run = self.weir("filter", "-f", self.write("none", ""), "--dry-run", NOWHERE)
        self.assert_code(run, 0)
        self.assertIn("no line will match", run.err)
        run = self.weir("filter", "-f", patterns, "--dry-run", "-q", NOWHERE)
        self.assertEqual(run.err, "")

    def test_patterns_from_standard_input(self):
        run = self.weir("filter", "-f", "-", "--dry-run", NOWHERE, input=b"a(\n")
        self.assert_code(run, USAGE)
        self.assertIn("-:1", run.err)

    def test_the_retry_hint_repeats_the_command(self):
        again = self.path("again.tsv")
        run = self.weir("filter", "-e", "a b", "-n", "--failed", again, "-s", "retry.retries=0",
                        "--user", "me:hunter2", NOWHERE)
        self.assert_code(run, 1)
        self.assertIn(f"weir filter -i {again} -e 'a b' -n", run.err)
        self.assertNotIn("hunter2", run.err)
        run = self.weir("jsonl", "--jq", ".a | .b", "--failed", again, "-s", "retry.retries=0",
                        NOWHERE)
        self.assert_code(run, 1)
        self.assertIn(f"weir jsonl -i {again} --jq '.a | .b'", run.err)


if __name__ == "__main__":
    main()
