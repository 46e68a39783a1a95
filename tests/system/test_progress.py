"""What a person sees: bars on a terminal, plain lines elsewhere, never a server's control bytes."""
import fcntl
import json
import os
import re
import signal
import struct
import termios
import threading

from harness import Case, body, judge, main, wait_until

# What our own display may send: cursor moves, erasing, colours, cursor on and off, synchronisation.
OWN = re.compile(r"\x1b\[(\?(25|7|2026)[hl]|[0-9;]*[ABCDGHJKmr])|[\r\n\t]")


class Terminal:
    """Standard error is a pseudo terminal; what arrives there is kept."""

    def __init__(self, case, args, columns=80, rows=24, env=None, **kw):
        self.master, self.slave = os.openpty()
        self.resize(columns, rows)
        self.text = b""
        self.process = case.start(*args, stderr=self.slave, env=env, **kw)
        os.close(self.slave)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.text += data

    def end(self, timeout=60):
        code = self.process.wait(timeout)
        self.thread.join(10)
        os.close(self.master)
        text = self.text.decode("utf-8", "replace")
        judge(code, text)
        return code, text


def screen(text, columns, rows=24):
    """What a terminal would show: enough of one for our own sequences. Returns lines, and whether
    a line was ever longer than the window."""
    lines, row, column, wrapped = [""], 0, 0, False
    for token in re.findall(r"\x1b\[\??[0-9;]*[A-Za-z]|[^\x1b]|\x1b", text):
        if token.startswith("\x1b["):
            number = int(re.sub(r"[^0-9].*", "",
                                token[2:-1] or "") or 1) if token[2:3] != "?" else 0
            kind = token[-1]
            if kind == "A":
                row = max(0, row - number)
            elif kind == "B":
                row += number
            elif kind == "G":
                column = number - 1
            elif kind == "K":
                lines[row] = lines[row][:column] if token != "\x1b[2K" else ""
            elif kind == "J":
                lines[row] = lines[row][:column]
                del lines[row + 1:]
        elif token == "\r":
            column = 0
        elif token == "\n":
            row, column = row + 1, 0
        else:
            lines += [""] * (row + 1 - len(lines))
            line = lines[row].ljust(column)
            lines[row] = line[:column] + token + line[column + 1:]
            column += 1
            wrapped |= column > columns
        lines += [""] * (row + 1 - len(lines))
    return lines, wrapped


class Bars(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.urls = [self.server.url(f"s{i}", 400_000, "drip=8000/15",
                                     f"file-{i}.bin") for i in range(6)]

    def fetch(self, *args, columns=80, **kw):
        terminal = Terminal(self, ["get", "-d", self.dir, *args], columns=columns, **kw)
        code, text = terminal.end()
        self.assertEqual(code, 0, text[-2000:])
        return text

    def only_our_control_bytes(self, text):
        rest = OWN.sub("", text)
        self.assertFalse(re.search(r"[\x00-\x1f\x7f\x80-\x9f]", rest), repr(rest[:400]))

    def test_bar_redraws_in_place(self):
        text = self.fetch(*self.urls)
        self.only_our_control_bytes(text)
        self.assertRegex(text, r"\x1b\[\d*A", "the cursor never went up: no redrawing in place")
        self.assertIn("file-0.bin", text)
        lines, _ = screen(text, 80)
        self.assertLess(len(lines), 12, "the display scrolled away:\n" + "\n".join(lines))
        self.assertNotRegex(text, r"\x1b\[\?25l(?!.*\x1b\[\?25h)", "the cursor stays hidden")

    def test_narrow_window_never_wraps(self):
        for columns in (20, 40, 79, 200):
            with self.subTest(columns=columns):
                self.dir = self.path(f"out{columns}")
                text = self.fetch(*self.urls[:3], columns=columns)
                frames = text.rsplit("file", 1)[0]  # the closing summary may be as long as it needs
                _, wrapped = screen(frames, columns)
                self.assertFalse(wrapped, f"a line was longer than {columns} columns")

    def test_window_that_changes_its_size(self):
        terminal = Terminal(self, ["get", "-d", self.dir, *self.urls], columns=100)
        for columns in (30, 120, 10, 1, 80):
            seen = len(terminal.text)
            terminal.resize(columns, 24)
            terminal.process.send_signal(signal.SIGWINCH)
            wait_until("a redraw",
                       lambda: len(terminal.text) > seen or terminal.process.poll() is not None)
        code, text = terminal.end()
        self.assertEqual(code, 0, text[-1000:])

    def test_servers_control_characters_never_reach_the_terminal(self):
        evil = "%1b%5d0%3bowned%07%1b%5b2J"
        urls = [self.server.url("a", 50_000, "ctl=1&drip=10000/20", evil),
                self.server.url("b", 10, "ctl=1&status=404", evil + "2"),
                self.server.url("c", 10, "redirect=http%3A%2F%2F127.0.0.1%3A1%2F%1b%5b2J", "x"),
                self.server.url("d", 10, "garbage=1", "y")]
        terminal = Terminal(self, ["get", "-v", "--retries", "0", "-d", self.dir, *urls])
        code, text = terminal.end()
        self.assertEqual(code, 1)
        self.only_our_control_bytes(text)
        self.assertNotIn("owned\x07", text)

    def test_dumb_terminal_gets_plain_lines(self):
        text = self.fetch(*self.urls[:2], env={"TERM": "dumb"})
        self.assertNotIn("\x1b", text)

    def test_no_color_is_respected(self):
        text = self.fetch(*self.urls[:2], env={"NO_COLOR": "1"})
        self.assertNotRegex(text, r"\x1b\[[0-9;]*[1-9][0-9;]*m")

    def test_interrupt_leaves_a_clean_terminal(self):
        terminal = Terminal(self, ["get", "-d", self.dir, *self.urls])
        wait_until("a frame", lambda: b"file-0" in terminal.text)
        terminal.process.send_signal(signal.SIGINT)
        code, text = terminal.end()
        self.assertEqual(code, 130)
        self.assertTrue(text.endswith("\n"))
        self.assertNotRegex(text.replace("\n", " "), r"\x1b\[\?25l(?!.*\x1b\[\?25h)")


class Elsewhere(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.url = self.server.url("a", 300_000, "drip=6000/20", "file")

    def test_pipe_gets_plain_lines(self):
        run = self.run_weir("get", "-d", self.dir, "-s", "progress.interval=200ms", self.url)
        self.assert_code(run, 0)
        self.assertNotRegex(run.err, r"[\x00-\x08\x0b-\x1f\x7f]")
        self.assertGreaterEqual(len(run.err.splitlines()), 3)
        self.assertIn("1 file", run.err)

    def test_json_lines_parse(self):
        run = self.run_weir("get", "-d", self.dir, "--progress", "json", "-s",
                            "progress.interval=200ms", self.url)
        self.assert_code(run, 0)
        rows = [json.loads(line) for line in run.err.splitlines() if line.startswith("{")]
        self.assertGreaterEqual(len(rows), 2)
        last = rows[-1]
        self.assertEqual((last["done"], last["failed"], last["found"], last["bytes"]),
                         (1, 0, 1, 300_000))
        self.assertTrue(last["final"])

    def test_quiet_says_nothing_unless_something_fails(self):
        run = self.run_weir("get", "-q", "-d", self.dir, self.url)
        self.assert_code(run, 0)
        self.assertEqual((run.out, run.err), (b"", ""))
        run = self.run_weir("get", "-q", "-d", self.dir,
                            self.server.url("a", 10, "status=404", "gone"))
        self.assert_code(run, 1)
        self.assertIn("404", run.err)

    def test_summary_groups_failures_and_gives_the_command_to_try_again(self):
        failed = self.path("the failed.tsv")
        urls = [self.server.url(f"s{i}", 10, "status=404", f"n{i}") for i in range(7)]
        urls += [self.server.url("b", 10, "empty=1", "e"), self.server.url("c", 10, name="good")]
        run = self.run_weir("get", "-d", self.dir, "--retries", "0", "--failed", failed, "-i",
                            self.list_of(urls))
        self.assert_code(run, 1)
        self.assertRegex(run.err, r"8 failed")
        self.assertRegex(run.err, r"7 http")
        self.assertRegex(run.err, r"1 connect")
        command = next(line for line in run.err.splitlines() if "weir get" in line and "-i" in line)
        import shlex
        words = shlex.split(command[command.index("weir get"):])
        self.assertIn(failed, words)
        self.server.reset()
        again = self.run_weir(*words[1:])
        self.assert_code(again, 1)
        self.assertEqual({entry["target"].split("?")[0].split("/")[-1] for entry in self.server.log()},
                         {f"n{i}" for i in range(7)} | {"e"})

    def test_failures_in_masses_do_not_flood(self):
        urls = [self.server.url(f"s{i}", 10, "status=404", f"n{i}") for i in range(500)]
        run = self.run_weir("get", "-d", self.dir, "-i", self.list_of(urls))
        self.assert_code(run, 1)
        self.assertLess(len(run.err.splitlines()), 60)

    def test_data_on_stdout_keeps_the_terminal_clean_of_it(self):
        run = self.run_weir("get", "-o", "-", "-s", "progress.interval=200ms", self.url)
        self.assert_code(run, 0)
        self.assertEqual(run.out, body("a", 300_000))


if __name__ == "__main__":
    main()
