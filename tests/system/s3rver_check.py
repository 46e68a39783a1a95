"""By hand: weir put --aws-sigv4 against s3rver, a store of objects for tests, from npm.

  python3 tests/system/s3rver_check.py WEIR      needs node and npm, and a package registry

Not part of ctest: a machine that runs the tests has no npm. s3rver takes any secret; that
signatures are right is shown by test_put_signature.py and the vectors of test_sigv4.c.
"""
import filecmp
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PORT = 24568
BASE = f"http://127.0.0.1:{PORT}/lake"


def weir(command, *args, key="S3RVER"):
    env = dict(os.environ, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY="S3RVER")
    return subprocess.run([command, *args, "--aws-sigv4", "aws:amz:us-east-1:s3", "--no-config",
                           "-q"], env=env, capture_output=True, text=True, timeout=60, check=False)


def wait_for_server(process):
    for _ in range(200):
        try:
            urllib.request.urlopen(BASE, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit("s3rver ended")
            time.sleep(0.05)
    raise SystemExit("s3rver does not answer")


def check(program, folder):
    names = ["a.bin", "empty", "sub/b +é%41.txt"]
    for name, size in zip(names, (3_000_000, 0, 10)):
        path = os.path.join(folder, "src", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(os.urandom(size))

    def put(*args, **kw):
        return weir(program, "put", *args, **kw)
    done = put(os.path.join(folder, "src"), BASE + "/tree/")
    assert done.returncode == 0, done.stderr
    with open(os.path.join(folder, "src", "a.bin"), "rb") as source:
        piped = subprocess.Popen(["cat"], stdin=source, stdout=subprocess.PIPE)
        env = dict(os.environ, AWS_ACCESS_KEY_ID="S3RVER", AWS_SECRET_ACCESS_KEY="S3RVER")
        subprocess.run([program, "put", "-", BASE + "/pipe", "-q", "--aws-sigv4",
                        "aws:amz:us-east-1:s3"], env=env, stdin=piped.stdout, check=True)
        piped.stdout.close()
        piped.wait()
    urls = [f"{BASE}/tree/a.bin", f"{BASE}/tree/empty",
            f"{BASE}/tree/sub/b%20%2B%C3%A9%2541.txt", f"{BASE}/pipe"]
    out = os.path.join(folder, "out")
    done = weir(program, "get", *urls, "-d", out)
    assert done.returncode == 0, done.stderr
    for name, copy in zip([*names, "a.bin"], ["a.bin", "empty", "b +é%2541.txt", "pipe"]):
        assert filecmp.cmp(os.path.join(folder, "src", name), os.path.join(out, copy),
                           shallow=False), name
    done = put("--on-exist", "skip", os.path.join(folder, "src", "a.bin"), BASE + "/pipe")
    assert done.returncode == 0, done.stderr
    done = put(os.path.join(folder, "src", "a.bin"), BASE + "/x", key="UNKNOWN")
    assert done.returncode == 1 and "InvalidAccessKeyId" in done.stderr, done.stderr


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="weir-s3rver-") as folder:
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "s3rver"],
                       cwd=folder, check=True)
        data = os.path.join(folder, "data")
        os.makedirs(data)
        process = subprocess.Popen(
            ["node", os.path.join(folder, "node_modules", ".bin", "s3rver"), "-d", data, "-p",
             str(PORT), "--configure-bucket", "lake", "--silent"])
        try:
            wait_for_server(process)
            check(program, folder)
        finally:
            process.terminate()
            process.wait()
    print("s3rver: signed files, a folder and a pipe went up and came back; an unknown key is "
          "refused by name")


if __name__ == "__main__":
    main()
