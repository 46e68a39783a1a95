"""A disk whose power can be cut: what power_cut.py stands on. Needs root and loop devices.

The disk is an ext4 in a file. The cut is EXT4_IOC_SHUTDOWN without a flush of the log: what had not
been synced is gone at the next mount. The boot id, which a cut of the power would change, is a file
that is mounted over the kernel's. All mounts are in a namespace that ends with the script, so
that nothing stays behind, however it ends; only SIGKILL leaves its folder.
"""
import ctypes
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import threading
import uuid

EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2
CLONE_NEWNS, MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 0x20000, 0x4000, 0x40000, 1
BOOT_ID = "/proc/sys/kernel/random/boot_id"
MNT_DETACH = 2
TOOL_SECONDS = 120
LIBC = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """This machine cannot do it, or not as it was asked."""


def own_namespace():
    if LIBC.unshare(CLONE_NEWNS) or LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
        raise Refused("a mount namespace is not allowed here: " + os.strerror(ctypes.get_errno()))


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def system(*command):
    tool = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not tool:
        raise Refused(f"{command[0]} is missing; install mount and e2fsprogs")
    done = subprocess.run([tool, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TOOL_SECONDS, check=False)
    if done.returncode:
        words = done.stdout.decode(errors="replace").strip()
        raise Refused(f"{' '.join(command)} ended with {done.returncode}: {words}")


def detach_all(folder):
    """What an interrupted round has left mounted; its loop device goes with it."""
    with open("/proc/self/mounts") as mounts:
        for path in (line.split()[1] for line in mounts):
            if path.startswith(folder + "/"):
                LIBC.umount2(path.encode(), MNT_DETACH)


class Boot:
    """Another boot id after each cut: by it a program knows that its machine went down."""

    def __init__(self, folder):
        self.file = os.path.join(folder, "boot_id")
        self.renew()
        system("mount", "--bind", self.file, BOOT_ID)

    def renew(self):
        with open(self.file, "w") as out:
            out.write(f"{uuid.uuid4()}\n")


class Disk:
    """An ext4 in a file. `mount -o loop` frees its device with the umount or the namespace."""

    def __init__(self, folder, megabytes, options):
        self.image, self.root = os.path.join(folder, "disk"), os.path.join(folder, "mnt")
        self.options = options
        self.mounted = False
        os.makedirs(self.root, exist_ok=True)
        with open(self.image, "wb") as out:
            out.truncate(megabytes << 20)
        system("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.mount()

    def mount(self):
        system("mount", "-t", "ext4", "-o", "loop," + self.options, self.image, self.root)
        self.mounted = True

    def cut(self):
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(fd)

    def sync(self):
        """This disk alone: a sync() would wait for all of the machine's."""
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if LIBC.syncfs(fd):
                raise OSError(ctypes.get_errno(), "syncfs")
        finally:
            os.close(fd)

    def unmount(self):
        if self.mounted:
            system("umount", self.root)
            self.mounted = False

    def remove(self):
        self.unmount()
        os.unlink(self.image)


def cut_leaves(folder, options):
    """What a cut leaves of one file that was synced and one that was not."""
    disk = Disk(folder, 32, options)
    try:
        for name in ("synced", "lost"):
            with open(os.path.join(disk.root, name), "w") as out:
                out.write(name)
            if name == "synced":
                disk.sync()
        disk.cut()
        disk.unmount()
        disk.mount()
        return sorted(set(os.listdir(disk.root)) - {"lost+found"})
    except OSError as trouble:
        raise Refused(f"EXT4_IOC_SHUTDOWN: {trouble.strerror}") from trouble
    finally:
        disk.remove()


def check_method(folder, options):
    """A cut must lose what was not synced and keep what was, or all else would mean nothing."""
    if not os.path.exists("/dev/loop-control"):
        raise Refused("there are no loop devices (/dev/loop-control)")
    for _ in range(5):  # another program's sync() may come in between
        left = cut_leaves(folder, options)
        if left == ["synced"]:
            return
    raise Refused(f"a cut is no cut here: {left} were left, but only \"synced\" should be")


class Neighbour(threading.Thread):
    """Another program on the same disk that syncs: it makes ext4 commit at moments that weir did
    not choose, and so shows what weir has left in the wrong order."""

    def __init__(self, root, pause):
        super().__init__(daemon=True)
        self.fd = os.open(os.path.join(root, "neighbour"), os.O_WRONLY | os.O_CREAT)
        self.pause = pause
        self.over = threading.Event()
        self.start()

    def run(self):
        try:
            while not self.over.wait(self.pause):
                os.pwrite(self.fd, os.urandom(64), 0)
                os.fsync(self.fd)
        except OSError:
            pass  # the power is gone

    def stop(self):
        self.over.set()
        self.join()
        os.close(self.fd)
